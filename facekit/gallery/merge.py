"""The record of a merge: two names that turned out to be one person."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from facekit.errors import UsageError
from facekit.gallery.records import require_texts


@dataclass(frozen=True, slots=True)
class Merge:
    """A person whose templates were moved to another person, until the merge is undone."""

    name: str
    """Name of the merged person."""
    merged_at: str
    """Time of the merge, UTC, ISO 8601."""
    moved: frozenset[str]
    """sha256 of the photos whose templates were moved."""
    shared: frozenset[str]
    """sha256 of the photos that both people had; the templates of the other person are used."""

    def __post_init__(self) -> None:
        require_texts(self.name, self.merged_at)

    @property
    def photos(self) -> frozenset[str]:
        """sha256 of all photos of the merged person."""
        return self.moved | self.shared

    def to_dict(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "merged_at": self.merged_at,
            "template_count": len(self.moved),
            "shared_photo_count": len(self.shared),
        }


def require_two(name: str, other: str) -> None:
    """Raises UsageError if both names are the same."""
    if name == other:
        raise UsageError(f"{name} cannot be merged with {name}: two names are needed.")


def require_free(name: str, *, taken: bool) -> None:
    """Raises UsageError if the name that an undone merge restores is taken."""
    if taken:
        raise UsageError(
            f"Somebody else is called {name} meanwhile: two people cannot share a name. Rename "
            "them first with facekit gallery rename."
        )
