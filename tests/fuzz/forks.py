"""Tries files in a fork of this process, in milliseconds, where facekit starts a fresh one.

What a fresh process does is the same, and so is what is told of its end; tests/model/test_tried.py
has it as it is.
"""

from __future__ import annotations

import importlib
import json
import os
import select
import signal
import warnings
from collections.abc import Iterator, Sequence
from typing import Any

from facekit.graph.read import keras_archive
from facekit.system import trial
from facekit.system.trial import LONGEST_S, Died


def use_forks() -> None:
    """Lets all of facekit that has been imported try files in forks."""
    for module in (trial, keras_archive):
        vars(module)["try_each"] = _forked


def _forked(function: str, items: Sequence[Any], *, longest_s: float = LONGEST_S) -> Iterator[Any]:
    module, _, name = function.partition(":")
    call = getattr(importlib.import_module(module), name)
    for item in items:
        answers, answer = os.pipe()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a fork beside threads, which do nothing here
            child = os.fork()
        if child == 0:
            code = 1
            try:
                os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
                os.write(answer, json.dumps(call(item)).encode())
                code = 0
            finally:
                os._exit(code)
        os.close(answer)
        try:
            with open(answers, "rb") as pipe:
                is_ready, _, _ = select.select([pipe], [], [], longest_s)
                content = pipe.read() if is_ready else b""
        finally:
            if not is_ready:
                os.kill(child, signal.SIGKILL)
            _, status = os.waitpid(child, 0)
        if not is_ready:
            yield Died(f"has not answered within {longest_s:g} s")
        elif os.WIFSIGNALED(status):
            yield Died(f"was ended by {signal.Signals(os.WTERMSIG(status)).name}")
        elif status:
            yield Died(f"ended with exit code {os.WEXITSTATUS(status)}: ")
        else:
            yield json.loads(content)
