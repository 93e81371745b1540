"""What every gallery can do, wherever it is kept."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from facekit.enums import PersonRule
from facekit.gallery.merge import Merge
from facekit.gallery.records import Candidate, GalleryInfo, Person, Template
from facekit.reporter import SILENT, Reporter
from facekit.template.space import TemplateSpace
from facekit.types import Float32Array


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

    def mean(self) -> Float32Array | None:
        """(D,) the embedding that the templates are centered about; None for nothing, or while
        nobody is enrolled."""
        ...

    def add(
        self,
        name: str,
        templates: Sequence[Template],
        space: TemplateSpace,
        *,
        mean: Float32Array | None = None,
    ) -> int:
        """Enrolls a person, or adds to one; returns how many templates were new.

        `mean` is what the templates are centered about: the one that `space` names.  A photo that
        the person has already is passed over.  The first call binds the gallery to the space;
        templates of another are a ModelMismatchError.
        """
        ...

    def recenter(
        self, mean: Float32Array | None, space: TemplateSpace, *, reporter: Reporter = SILENT
    ) -> int:
        """Brings every template over to `space`, which differs by its mean embedding alone.

        Returns how many were changed: none where the gallery is of that space already.  They are
        then as if the photos had been enrolled anew, as exactly as vectors are stored.  Raises
        ModelMismatchError, which names the field, for any other difference.
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
        self, queries: Float32Array, space: TemplateSpace, *, rule: PersonRule, top: int
    ) -> list[list[Candidate]]:
        """(Q, D) unit vectors -> for each the `top` most alike people, best first.

        Raises ModelMismatchError where the gallery's templates are of another space.
        """
        ...

    def check(self) -> list[str]:
        """What is wrong with the gallery, a sentence a fault; empty where it is sound."""
        ...

    def recall_at_1(self) -> float | None:
        """How often an approximate index finds the nearest template; None without an index."""
        ...

    def refresh_index(self, *, reporter: Reporter = SILENT) -> bool:
        """Makes an approximate index where it pays and is not there or too old; True if made.

        Raises MissingExtraError where its package is not installed.
        """
        ...

    def close(self) -> None: ...

    def __enter__(self) -> Gallery: ...

    def __exit__(self, *_error: object) -> None: ...
