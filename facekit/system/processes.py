"""Maps a function over many items in worker processes; keeps the order and survives crashes.

multiprocessing.Pool hangs when a worker is killed, and concurrent.futures gives up the whole pool.
Here each worker has one pipe: its death is seen as the end of the pipe, and the items that it had
are
known.  While a worker computes one item, the next is in its pipe already, so that the worker does
not wait until this process is scheduled on busy cores.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

TRIES = 2  # an item that kills two workers is the cause itself
AHEAD = 4  # items per worker that may be finished or under way before an earlier item is done
_QUEUED = 2  # items that a worker has at a time: one under way, and the next


@dataclass(frozen=True, slots=True)
class Crash:
    """The result for an item on which every worker that tried it died."""

    exit_code: int | None
    """Exit code of the last worker; negative for a signal; None on another machine."""


@dataclass(slots=True, eq=False)
class _Worker(Generic[Item]):
    process: BaseProcess
    pipe: Connection
    tasks: deque[tuple[int, Item]] = field(default_factory=deque)
    """Items sent to the worker and not answered; the first is under way."""


@dataclass(slots=True)
class Tasks(Generic[Item]):
    """The items to be sent to workers; those of dead workers come first."""

    fresh: Iterator[tuple[int, Item]]
    again: deque[tuple[int, Item]] = field(default_factory=deque)
    tries: dict[int, int] = field(default_factory=dict)

    def take(self) -> tuple[int, Item] | None:
        return self.again.popleft() if self.again else next(self.fresh, None)

    def again_after_crash(self, task: tuple[int, Item]) -> bool:
        """Puts back the item of a dead worker; returns False if it has had all its tries."""
        index = task[0]
        self.tries[index] = self.tries.get(index, 0) + 1
        if self.tries[index] == TRIES:
            return False
        self.again.append(task)
        return True


def available_cores() -> int:
    """Returns the number of cores that this process may use, which may be fewer than there are."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def map_processes(
    make_function: Callable[[], Callable[[Item], Result]], items: Iterable[Item], *, workers: int
) -> Iterator[Result | Crash]:
    """Yields `make_function()(item)` for each item, in the order of the items.

    `make_function` is called once in each worker and loads the models there; it and the items must
    be picklable, and the function must not raise (return errors as results).  Items must be small,
    such as paths, because large ones would fill a pipe that nobody empties.  Memory is limited: at
    most AHEAD items per worker are ahead of the next result.  Leaving the iterator early ends the
    workers.
    """
    if workers < 1:
        raise ValueError(f"At least one worker is needed. Received: {workers}")
    context = multiprocessing.get_context("spawn")  # fork would copy locks held by other threads
    tasks = Tasks(enumerate(items))
    done: dict[int, Result | Crash] = {}
    awaited = 0
    crew: list[_Worker[Item]] = []
    try:
        while True:
            while awaited in done:
                yield done.pop(awaited)
                awaited += 1
            room = AHEAD * workers - len(done) - sum(len(worker.tasks) for worker in crew)
            while room > 0 and (len(crew) < workers or _least_busy(crew)):
                task = tasks.take()
                if task is None:
                    break
                worker = _least_busy(crew)
                if worker is None or (worker.tasks and len(crew) < workers):
                    worker = _hire(context, make_function, crew)
                _give(worker, task)
                room -= 1
            if not any(worker.tasks for worker in crew):
                return
            _collect(crew, tasks, done)
    finally:
        for worker in crew:
            worker.process.terminate()
        for worker in crew:
            worker.process.join()
            worker.pipe.close()


def _hire(
    context: multiprocessing.context.SpawnContext,
    make_function: Callable[[], Callable[[Item], Result]],
    crew: list[_Worker[Item]],
) -> _Worker[Item]:
    ours, theirs = context.Pipe()
    process = context.Process(target=_work, args=(make_function, theirs), daemon=True)
    process.start()
    theirs.close()
    worker: _Worker[Item] = _Worker(process, ours)
    crew.append(worker)
    return worker


def _least_busy(crew: list[_Worker[Item]]) -> _Worker[Item] | None:
    """Returns the worker with the fewest items, None if all have their maximum."""
    worker = min(crew, key=lambda worker: len(worker.tasks), default=None)
    return None if worker is None or len(worker.tasks) >= _QUEUED else worker


def _give(worker: _Worker[Item], task: tuple[int, Item]) -> None:
    worker.tasks.append(task)
    with suppress(BrokenPipeError):  # the worker is dead: _collect sees the end of its pipe
        worker.pipe.send(task[1])


def _collect(
    crew: list[_Worker[Item]], tasks: Tasks[Item], done: dict[int, Result | Crash]
) -> None:
    """Waits for at least one busy worker; a dead one is removed, and its items are tried again."""
    busy = [worker for worker in crew if worker.tasks]
    ready = set(wait([worker.pipe for worker in busy]))
    for worker in busy:
        if worker.pipe not in ready:
            continue
        try:
            result = worker.pipe.recv()
            index, _item = worker.tasks.popleft()
            done[index] = result
        except (EOFError, ConnectionError):
            worker.process.join()
            worker.pipe.close()
            crew.remove(worker)
            culprit, *innocent = worker.tasks
            tasks.again.extend(innocent)
            if not tasks.again_after_crash(culprit):
                done[culprit[0]] = Crash(worker.process.exitcode)


def _work(make_function: Callable[[], Callable[[Item], Result]], pipe: Connection) -> None:
    """Runs a worker: loads, then answers until the other end of the pipe closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent handles Ctrl-C
    function = make_function()
    with suppress(EOFError, ConnectionError):  # the parent has ended or was killed
        while True:
            pipe.send(function(pipe.recv()))
