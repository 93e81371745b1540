"""A call that goes on in a thread while its caller does something else."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

Result = TypeVar("Result")


class Background(Generic[Result]):
    """Starts `function()` at once; `result` waits for it.

    Only for work that leaves Python, as LiteRT does while it plans a network.  Not
    concurrent.futures, whose import alone costs 10 ms.
    """

    def __init__(self, function: Callable[[], Result]) -> None:
        self._function = function
        self._done: list[Result] = []
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def result(self) -> Result:
        """What the function returned.  Raises what it raised."""
        self._thread.join()
        if self._error is not None:
            raise self._error
        return self._done[0]

    def _run(self) -> None:
        try:
            self._done.append(self._function())
        except BaseException as error:
            self._error = error
