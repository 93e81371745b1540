"""What every gallery can do, wherever it is kept, and how one is opened."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, TypeAlias

from facekit.enums import PersonRule
from facekit.errors import UsageError
from facekit.gallery.merge import Merge
from facekit.gallery.records import Candidate, GalleryInfo, GalleryModel, Person, Template
from facekit.types import Float32Array

Progress: TypeAlias = "Callable[[Iterator[Any], int], Iterator[Any]]"
"""Passes steps through, of which there are so many; shows how far it is."""


def unseen(steps: Iterator[Any], _total: int) -> Iterator[Any]:
    """No progress is shown."""
    return steps


_POSTGRES_SCHEMES = ("postgresql://", "postgres://")
_SQLITE_SCHEME = "sqlite:///"


class Gallery(Protocol):
    """Every method is one transaction: done as a whole or not at all.

    All raise StorageError where the gallery cannot be read, written or locked.
    """

    def info(self) -> GalleryInfo: ...

    def people(self) -> list[Person]:
        """By name."""
        ...

    def person(self, name: str) -> Person | None: ...

    def templates(self, name: str | None = None) -> Iterator[tuple[str, Template]]:
        """(person's name, template), of everybody or of one."""
        ...

    def photo_hashes(self, name: str) -> frozenset[str]:
        """sha256 of the photos that the person has templates of."""
        ...

    def add(self, name: str, templates: Sequence[Template], model: GalleryModel) -> int:
        """Enrolls a person, or adds to one; returns how many templates were new.

        A photo that the person has already is passed over.  The first call binds the gallery
        to the model; another model is a ModelMismatchError.
        """
        ...

    def remove(self, name: str) -> int:
        """The number of templates removed; 0 where nobody has this name."""
        ...

    def rename(self, old: str, new: str) -> bool:
        """False where nobody is called `old`.  Raises UsageError where `new` is taken."""
        ...

    def merge(self, name: str, other: str) -> Merge | None:
        """Files all templates of `other` under `name`; `other` is no longer listed.

        Of a photo that both have, the template of `name` counts.  None where nobody has one of the
        names.  Raises UsageError where both are one.
        """
        ...

    def unmerge(self, name: str, other: str) -> Merge | None:
        """Undoes the latest merge of `other` into `name`: each has again what each had.

        What was added to `name` since then stays there.  None where there is no such merge.
        Raises UsageError where somebody else is called `other` meanwhile.
        """
        ...

    def merges(self, name: str | None = None) -> list[Merge]:
        """Who was merged into a person, or into anybody, the earliest first.

        Those who were merged into somebody who was merged later come back with that one.
        """
        ...

    def rank(
        self, queries: Float32Array, model: GalleryModel, *, rule: PersonRule, top: int
    ) -> list[list[Candidate]]:
        """(Q, D) unit vectors -> for each the `top` most alike people, best first.

        Raises ModelMismatchError where the gallery's templates are of another model.
        """
        ...

    def check(self) -> list[str]:
        """What is wrong with the gallery, a sentence a fault; empty where it is sound."""
        ...

    def recall_at_1(self) -> float | None:
        """How often an approximate index finds the nearest template; None without an index."""
        ...

    def refresh_index(self, *, progress: Progress = unseen) -> bool:
        """Makes an approximate index where it pays and is not there or too old; True if made.

        Raises MissingExtraError where its package is not installed.
        """
        ...

    def close(self) -> None: ...

    def __enter__(self) -> Gallery: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...


def default_url() -> str:
    """FACEKIT_GALLERY, or gallery.db in the user's data folder."""
    if given := os.environ.get("FACEKIT_GALLERY"):
        return given
    from platformdirs import user_data_path

    return str(user_data_path("facekit", appauthor=False) / "gallery.db")


def is_postgres(url: str) -> bool:
    return url.startswith(_POSTGRES_SCHEMES)


def shown_url(url: str) -> str:
    """Without a password."""
    return re.sub(r"(://[^/@:]*):[^/@]*@", r"\1@", url)


def sqlite_path(url: str) -> Path:
    """A path, or sqlite:///PATH.  Raises UsageError for another scheme."""
    if url.startswith(_SQLITE_SCHEME):
        return Path(url[len(_SQLITE_SCHEME) :])
    if "://" in url:
        raise UsageError(
            "A gallery is a file, sqlite:///FILE or postgresql://HOST/DATABASE. "
            f"Received: {url.partition('://')[0]}://..."
        )
    return Path(url).expanduser()
