"""Tries files in a fork of this process that is kept, where facekit starts a fresh one each time.

That takes milliseconds.  What the process does with a file is the same, and so is what is told of
its end; tests/model/test_network_trial.py has fresh ones.
"""

from __future__ import annotations

import importlib
import json
import os
import resource
import select
import signal
import warnings
from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO, NoReturn

from facekit.graph.read import formats
from facekit.system import trial
from facekit.system.trial import LONGEST_S, Died


def use_forks() -> None:
    """Lets the trial of networks and of weight files use a fork."""
    for module in (trial, formats):
        vars(module)["try_each"] = _try_each


class _Fork:
    """A process that answers one question a line, until one of them ends it."""

    def __init__(self) -> None:
        read_question, write_question = os.pipe()
        read_answer, write_answer = os.pipe()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a fork beside threads, which do nothing here
            self.process = os.fork()
        if self.process == 0:
            first, second = sorted((read_question, write_answer))
            os.closerange(3, first)  # a lock is held as long as anybody has its file open
            os.closerange(first + 1, second)
            os.closerange(second + 1, 1 << 16)
            _answer_questions(open(read_question, "rb"), write_answer)  # noqa: SIM115 - it ends with it
        os.close(read_question)
        os.close(write_answer)
        self.questions, self.answers = write_question, open(read_answer, "rb")  # noqa: SIM115 - close() does
        self._first_kib = int(self.answers.readline() or 0)

    def ask(self, question: list[Any], longest_s: float) -> bytes | None:
        """Returns the answer, b"" if the process has ended, None if it hangs."""
        os.write(self.questions, json.dumps(question).encode() + b"\n")
        is_ready, _, _ = select.select([self.answers], [], [], longest_s)
        if not is_ready:
            return None
        peak, _, answer = self.answers.readline().partition(b" ")
        self._note_peak(int(peak or 0))
        return answer

    def close(self) -> int:
        """Ends the process; returns its status."""
        os.close(self.questions)
        _, status, usage = os.wait4(self.process, 0)
        self._note_peak(usage.ru_maxrss)
        self.answers.close()
        return status

    def _note_peak(self, kib: int) -> None:
        global _most_taken_kib
        _most_taken_kib = max(_most_taken_kib, kib - self._first_kib)


_kept: list[_Fork] = []
_most_taken_kib = 0


def most_taken_bytes() -> int:
    """The most memory that a fork has ever taken beside what it began with, which is less than what
    this process has: a fork has the pages of a library only when it uses them."""
    return _most_taken_kib * 1024


def end_fork() -> None:
    """Ends the process that is kept, if there is one."""
    while _kept:
        _kept.pop().close()


def _answer_questions(questions: BinaryIO, answers: int) -> NoReturn:
    code = 1
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        os.write(answers, f"{_peak_kib()}\n".encode())
        for line in questions:
            module, name, item = json.loads(line)
            answer = getattr(importlib.import_module(module), name)(item)
            os.write(answers, f"{_peak_kib()} {json.dumps(answer)}\n".encode())
        code = 0
    finally:
        os._exit(code)


def _peak_kib() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _try_each(
    function: str, items: Sequence[Any], *, longest_s: float = LONGEST_S
) -> Iterator[Any]:
    module, _, name = function.partition(":")
    for item in items:
        if not _kept:
            _kept.append(_Fork())
        line = _kept[0].ask([module, name, item], longest_s)
        if line:
            yield json.loads(line)
            continue
        fork = _kept.pop()
        if line is None:
            os.kill(fork.process, signal.SIGKILL)
        status = fork.close()
        if line is None:
            yield Died(f"has not answered within {longest_s:g} s")
        else:
            yield Died(trial._ending(os.waitstatus_to_exitcode(status), b""))
