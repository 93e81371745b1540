"""Worker processes: order, crashes, bounded memory, early leave."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from facekit.system.processes import Crash, available_cores, map_processes


def square_slowly_at_first() -> Callable[[int], int]:
    def square(number: int) -> int:
        time.sleep(0.05 if number % 2 == 0 else 0)
        return number * number

    return square


def die_on_three() -> Callable[[int], int]:
    def unless_three(number: int) -> int:
        if number == 3:
            os.kill(os.getpid(), signal.SIGKILL)
        return number

    return unless_three


class DieOnce:
    """Picklable: kills the worker the first time that any worker sees `fatal`."""

    def __init__(self, mark: Path, fatal: int) -> None:
        self.mark, self.fatal = mark, fatal

    def __call__(self) -> Callable[[int], int]:
        return self.run

    def run(self, number: int) -> int:
        if number == self.fatal and not self.mark.exists():
            self.mark.touch()
            os._exit(9)
        return number


class WaitForFile:
    """Picklable: says of each item whether `mark` is there within some seconds."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __call__(self) -> Callable[[int], bool]:
        return self.run

    def run(self, _number: int) -> bool:
        for _ in range(200):
            if self.mark.exists():
                return True
            time.sleep(0.05)
        return False


def test_the_next_item_is_given_while_one_is_under_way(tmp_path: Path) -> None:
    def items() -> Iterator[int]:
        yield 0
        (tmp_path / "second").touch()
        yield 1

    make = WaitForFile(tmp_path / "second")
    assert list(map_processes(make, items(), workers=1)) == [True, True]


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_results_come_in_the_order_of_the_items(workers: int) -> None:
    results = list(map_processes(square_slowly_at_first, range(12), workers=workers))
    assert results == [number * number for number in range(12)]


def test_no_item_starts_no_worker() -> None:
    assert list(map_processes(square_slowly_at_first, [], workers=2)) == []


@pytest.mark.parametrize("workers", [1, 2])
def test_an_item_that_kills_its_worker_is_reported_and_the_others_go_on(workers: int) -> None:
    results = list(map_processes(die_on_three, range(6), workers=workers))
    assert results == [0, 1, 2, Crash(-signal.SIGKILL), 4, 5]


def test_an_item_whose_worker_died_is_tried_again(tmp_path: Path) -> None:
    make = DieOnce(tmp_path / "died", fatal=2)
    assert list(map_processes(make, range(5), workers=2)) == [0, 1, 2, 3, 4]
    assert (tmp_path / "died").exists()


def test_items_are_taken_only_as_results_are_wanted() -> None:
    taken: list[int] = []

    def items() -> Iterator[int]:
        for number in range(1000):
            taken.append(number)
            yield number

    results = map_processes(square_slowly_at_first, items(), workers=2)
    for _ in range(3):
        next(results)
    time.sleep(0.3)
    assert len(taken) < 20
    results.close()  # type: ignore[attr-defined] # a generator, though typed as an iterator


def test_zero_workers_are_refused() -> None:
    with pytest.raises(ValueError, match="Received: 0"):
        next(map_processes(square_slowly_at_first, [1], workers=0))


def test_available_cores_is_at_least_one() -> None:
    assert 1 <= available_cores() <= (os.cpu_count() or 1)
