"""What the workers of tests run; apart from the tests, whose imports would take each a second."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from typing import Any


def open_answers(started: str = "") -> Callable[[Any], Any]:
    """What the workers run; each that starts adds a letter to the file `started`."""
    if started:
        with open(started, "a") as file:
            file.write("x")

    def answer(item: Any) -> Any:
        if item == "die":
            os.kill(os.getpid(), signal.SIGSEGV)
        if item == "leave":
            os._exit(3)
        if item == "print":
            print("nonsense")
            os.write(1, b"more nonsense")
        if isinstance(item, float):
            time.sleep(item)
        return item, os.getpid()

    return answer


def cannot_open(error: Exception) -> Callable[[Any], Any]:
    raise error
