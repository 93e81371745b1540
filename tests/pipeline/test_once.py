"""What is made once: its result, its error, and that it does not wait to be asked."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from facekit.pipeline.locate import Once, Stopwatch


def test_begun_it_is_made_before_it_is_asked_for() -> None:
    started = threading.Event()

    def make() -> int:
        started.set()
        return 7

    once = Once(make)
    once.begin()
    assert started.wait(30)
    assert once.get() == once.get() == 7


def test_its_error_is_raised_where_it_is_wanted() -> None:
    once = Once(lambda: 1 // 0)
    once.begin()
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            once.get()


def test_an_error_of_the_thread_is_raised_without_a_second_try() -> None:
    tries: list[int] = []

    def make() -> int:
        tries.append(len(tries))
        if len(tries) == 1:
            raise OSError("busy")
        return 5

    once = Once(make)
    once.begin()
    while not tries:
        time.sleep(0.001)
    with pytest.raises(OSError, match="busy"):
        once.get()
    assert tries == [0]
    assert once.get() == 5


def test_what_failed_is_tried_again() -> None:
    outcomes: Iterator[OSError | int] = iter([OSError("busy"), 3])

    def make() -> int:
        outcome = next(outcomes)
        if isinstance(outcome, OSError):
            raise outcome
        return outcome

    once = Once(make)
    with pytest.raises(OSError, match="busy"):
        once.get()
    assert not once.is_taken
    assert once.get() == 3


def test_many_threads_make_it_once() -> None:
    made: list[object] = []

    def make() -> object:
        time.sleep(0.05)
        made.append(object())
        return made[-1]

    once = Once(make)
    got: list[object] = []
    crew = [threading.Thread(target=lambda: got.append(once.get())) for _ in range(8)]
    for thread in crew:
        thread.start()
    for thread in crew:
        thread.join()
    assert len(made) == 1
    assert got == made * 8


def test_a_stopwatch_keeps_threads_apart() -> None:
    watch = Stopwatch()
    with watch.stage("here"):
        pass

    def elsewhere() -> None:
        with watch.stage("there"):
            pass

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert list(watch.milliseconds) == ["here"]
