"""Worker processes that each answer one request at a time.

A request that crashes, hangs or is killed ends its own worker alone: each worker has a pipe of its
own and shares no lock with another, so that a kill at any moment leaves nothing locked.  (Pebble's
pool has its workers share one pipe and two locks, one of which a waiting worker holds.)  A worker
that has ended is replaced.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from queue import Empty, SimpleQueue
from typing import Any, Generic, TypeVar

from facekit.errors import FacekitError, MissingExtraError, ServiceError, error_named, mistake
from facekit.reporter import SILENT, Reporter

Item = TypeVar("Item")
Result = TypeVar("Result")

_LOOK_S = 0.5
"""Seconds between two looks at whether an idle worker still lives."""
_AGAIN_S = 5.0
"""Seconds to wait after a worker could not be started."""


@dataclass(frozen=True, slots=True)
class _Job(Generic[Item, Result]):
    item: Item
    deadline_s: float
    """Of time.monotonic()."""
    answer: Future[Result]


@dataclass(slots=True)
class _Worker:
    process: BaseProcess
    pipe: Connection


class WorkerPool(Generic[Item, Result]):
    """A fixed number of processes that run one function.

    The thread of each process takes the next item when its process is free.  Items and results are
    pickled.
    """

    def __init__(
        self,
        open_function: Callable[[], Callable[[Item], Result]],
        *,
        workers: int,
        longest_s: float,
        reporter: Reporter = SILENT,
    ) -> None:
        """`open_function` is called once in each worker, and must be picklable.

        `longest_s`: a worker that has not answered so many seconds after its item was submitted is
        killed.
        """
        self.restart_count = 0
        self._open_function = open_function
        self._longest_s = longest_s
        self._reporter = reporter
        self._jobs: SimpleQueue[_Job[Item, Result]] = SimpleQueue()
        self._crew: list[_Worker | None] = [None] * workers
        self._threads: list[threading.Thread] = []
        self._is_closing = threading.Event()

    def start(self) -> None:
        """Starts the workers and returns when all of them have opened the function.

        The first one is alone, so that a model that is missing is built once.  Raises the error of
        opening the function.
        """
        for slot in range(len(self._crew)):
            self._crew[slot] = self._begin()
            if slot == 0:
                _require_open(self._crew[0])
        for worker in self._crew[1:]:
            _require_open(worker)
        for slot in range(len(self._crew)):
            thread = threading.Thread(target=self._attend, args=(slot,), daemon=True)
            thread.start()
            self._threads.append(thread)

    def submit(self, item: Item) -> Future[Result]:
        """Returns the result to come; ServiceError if the worker ends or takes too long."""
        answer: Future[Result] = Future()
        self._jobs.put(_Job(item, time.monotonic() + self._longest_s, answer))
        return answer

    @property
    def process_ids(self) -> tuple[int, ...]:
        """The ids of the processes that are ready."""
        return tuple(
            worker.process.pid
            for worker in self._crew
            if worker is not None and worker.process.pid is not None
        )

    def close(self) -> None:
        """Ends the workers; results that are still to come are errors."""
        self._is_closing.set()
        for worker in self._crew:
            if worker is not None:
                worker.process.kill()
        for thread in self._threads:
            thread.join()
        for worker in self._crew:
            if worker is not None:
                _end(worker)
        with suppress(Empty):
            while True:
                _fail(self._jobs.get_nowait(), "The service was stopped before the request's turn.")

    def _begin(self) -> _Worker:
        context = multiprocessing.get_context("spawn")  # fork would copy locks held by threads
        ours, theirs = context.Pipe()
        process = context.Process(target=_work, args=(self._open_function, theirs), daemon=True)
        process.start()
        theirs.close()
        return _Worker(process, ours)

    def _attend(self, slot: int) -> None:
        """Hands items to the worker in `slot`, and replaces a worker that has ended."""
        while not self._is_closing.is_set():
            worker = self._crew[slot]
            if worker is None or not worker.process.is_alive():
                self._replace(slot)
                continue
            with suppress(Empty):
                job = self._jobs.get(timeout=_LOOK_S)
                if worker.process.is_alive():
                    self._answer(worker, job)
                else:  # it ended while it had nothing to do
                    self._jobs.put(job)

    def _answer(self, worker: _Worker, job: _Job[Item, Result]) -> None:
        if not job.answer.set_running_or_notify_cancel():
            return
        left_s = job.deadline_s - time.monotonic()
        if left_s <= 0:
            _fail(job, f"The request has waited for {self._longest_s:g} s, which is the limit.")
            return
        is_late = threading.Event()
        limit = threading.Timer(left_s, _kill, args=(worker.process, is_late))
        limit.start()
        try:
            worker.pipe.send(job.item)
            job.answer.set_result(worker.pipe.recv())
        except Exception:  # the end of the pipe, or half an object
            worker.process.kill()
            worker.process.join()
            if is_late.is_set():
                _fail(job, f"The request has taken more than {self._longest_s:g} s, the limit.")
            else:
                ending = _ending(worker.process.exitcode)
                _fail(job, f"The process that worked on the request {ending}.")
        finally:
            limit.cancel()

    def _replace(self, slot: int) -> None:
        old, self._crew[slot] = self._crew[slot], None
        if old is not None:
            _end(old)
            self.restart_count += 1
            self._reporter.note(f"a worker {_ending(old.process.exitcode)} and is replaced")
        worker = self._begin()
        try:
            _require_open(worker)
        except FacekitError as error:
            _end(worker)
            self._reporter.failure(error)
            self._is_closing.wait(_AGAIN_S)
        else:
            self._crew[slot] = worker


def _require_open(worker: _Worker | None) -> None:
    """Waits until the worker has opened its function.  Raises the error of that."""
    assert worker is not None
    try:
        found = worker.pipe.recv()
    except (EOFError, OSError):
        worker.process.join()
        raise ServiceError(
            f"A worker {_ending(worker.process.exitcode)} while it loaded its networks."
        ) from None
    if found is not None:
        raise error_named(*found)


def _kill(process: BaseProcess, is_late: threading.Event) -> None:
    is_late.set()
    process.kill()


def _end(worker: _Worker) -> None:
    worker.process.kill()
    worker.process.join()
    worker.pipe.close()


def _fail(job: _Job[Any, Any], message: str) -> None:
    job.answer.set_exception(ServiceError(message))


def _ending(exit_code: int | None) -> str:
    if exit_code is not None and exit_code < 0:
        return f"was ended by {signal.Signals(-exit_code).name}"
    return f"ended with exit code {exit_code}"


def _work(open_function: Callable[[], Callable[[Any], Any]], pipe: Connection) -> None:
    """Runs a worker: opens the function, then answers until the other end of the pipe closes.

    The first answer is None, or the name and the message of the error of opening.
    """
    for number in (signal.SIGINT, signal.SIGTERM):  # which reach all processes of a service
        signal.signal(number, signal.SIG_IGN)
    with suppress(OSError):  # stderr may be closed
        os.dup2(2, 1)  # what libraries print is not the result of the command
    try:
        function = open_function()
    except Exception as error:
        told = error if isinstance(error, FacekitError) else mistake(error)
        kind = "ModelError" if isinstance(told, MissingExtraError) else type(told).__name__
        pipe.send((kind, str(told)))
        return
    with suppress(EOFError, ConnectionError):  # the parent has ended or was killed
        pipe.send(None)
        while True:
            pipe.send(function(pipe.recv()))
