"""A call in a thread: its result, its error, and that it does not wait to be asked."""

from __future__ import annotations

import threading

import pytest

from facekit.pipeline.background import Background


def test_it_runs_before_it_is_asked() -> None:
    started = threading.Event()

    def begin() -> int:
        started.set()
        return 7

    call = Background(begin)
    assert started.wait(30)
    assert call.result() == call.result() == 7


def test_its_error_is_raised_where_the_result_is_wanted() -> None:
    call = Background(lambda: 1 // 0)
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            call.result()
