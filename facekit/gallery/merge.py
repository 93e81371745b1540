"""Two names that turned out to be one person."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from facekit.errors import UsageError


@dataclass(frozen=True, slots=True)
class Merge:
    """Somebody whose templates are filed under another's name since, until it is undone."""

    name: str
    """of who was merged"""
    merged_at: str
    """UTC, ISO 8601"""
    moved: frozenset[str]
    """sha256 of the photos whose templates moved"""
    shared: frozenset[str]
    """sha256 of the photos that both had: the other's templates of them count"""

    @property
    def photos(self) -> frozenset[str]:
        """sha256 of all photos that the merged person has."""
        return self.moved | self.shared

    def to_dict(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "merged_at": self.merged_at,
            "template_count": len(self.moved),
            "shared_photo_count": len(self.shared),
        }


def require_two(name: str, other: str) -> None:
    """Raises UsageError where both names are one."""
    if name == other:
        raise UsageError(f"{name} cannot be merged with {name}: two names are needed.")


def require_free(name: str, *, taken: bool) -> None:
    """Raises UsageError where somebody else has the name that an undone merge gives back."""
    if taken:
        raise UsageError(
            f"Somebody else is called {name} meanwhile: two people cannot share a name. Rename "
            "them first with facekit gallery rename."
        )
