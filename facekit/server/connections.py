"""A connection that is closed where the head of a request does not arrive in time."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol


class TimedConnection(H11Protocol):
    """uvicorn's connection, which by itself waits for ever for the head of a request.

    The head must be whole a while after its first byte or, for the first request, after the
    connection was made.
    """

    def __init__(self, *arguments: Any, head_s: float, **options: Any) -> None:
        """`head_s`: seconds in which a head must have arrived."""
        super().__init__(*arguments, **options)
        self._head_s = head_s
        self._head_limit: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._limit_head()

    def data_received(self, data: bytes) -> None:
        if not self._is_asked and self._head_limit is None:
            self._limit_head()
        super().data_received(data)
        if self._is_asked:
            self._unlimit_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._unlimit_head()
        super().connection_lost(exc)

    @property
    def _is_asked(self) -> bool:
        """Whether a request is under way."""
        return self.cycle is not None and not self.cycle.response_complete

    def _limit_head(self) -> None:
        self._head_limit = self.loop.call_later(self._head_s, self.transport.close)

    def _unlimit_head(self) -> None:
        if self._head_limit is not None:
            self._head_limit.cancel()
            self._head_limit = None
