"""A Reporter that keeps what it is told."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from facekit.reporter import Item, Reporter


class Told(Reporter):
    """Notes, details, the labels of steps and amounts, and (bytes so far, bytes in all)."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.details: list[str] = []
        self.labels: list[str] = []
        self.amounts: list[tuple[int, int]] = []

    def note(self, line: str) -> None:
        self.notes.append(line)

    def detail(self, line: str) -> None:
        self.details.append(line)

    def steps(self, items: Iterable[Item], *, length: int, label: str) -> Iterator[Item]:
        self.labels.append(label)
        return iter(items)

    @contextmanager
    def amount(self, label: str) -> Iterator[Callable[[int, int], None]]:
        self.labels.append(label)
        yield lambda done, total: self.amounts.append((done, total))
