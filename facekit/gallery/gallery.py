"""The protocol of all galleries, in a file or on a server."""

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
    """A gallery of enrolled people.

    Every method is one transaction, which takes effect completely or not at all.
    All methods raise StorageError if the gallery cannot be read, written or locked.
    """

    def info(self) -> GalleryInfo: ...

    def people(self) -> list[Person]:
        """Returns the enrolled people, sorted by name."""
        ...

    def person(self, name: str) -> Person | None: ...

    def templates(self, name: str | None = None) -> Iterator[tuple[str, Template]]:
        """Yields (person's name, template) of one person, or of everybody if `name` is None."""
        ...

    def photo_hashes(self, name: str) -> frozenset[str]:
        """Returns the SHA-256 of each photo that a template of the person was computed from."""
        ...

    def mean(self) -> Float32Array | None:
        """Returns the mean embedding (D,) that was subtracted from the templates.

        Returns None if the templates are not centered, and while nobody is enrolled.
        """
        ...

    def add(
        self,
        name: str,
        templates: Sequence[Template],
        space: TemplateSpace,
        *,
        mean: Float32Array | None = None,
    ) -> int:
        """Enrolls a person, or adds templates to an enrolled person; returns how many were added.

        `mean` is the mean embedding that was subtracted from the templates; `space` must have the
        SHA-256 of `mean`.  A template of a photo that is already enrolled under `name` is skipped.
        The first call fixes the gallery's space.  Raises ModelMismatchError for templates of
        another space, and UsageError if `name` is not valid.
        """
        ...

    def recenter(
        self, mean: Float32Array | None, space: TemplateSpace, *, reporter: Reporter = SILENT
    ) -> int:
        """Converts every template to `space`, which may differ only in its mean embedding.

        Returns the number of changed templates, 0 if the gallery already has this space.  The
        result is the same as enrolling the photos anew, except for the rounding of stored vectors.
        Raises ModelMismatchError, which names the field, if the spaces differ in anything else.
        """
        ...

    def remove(self, name: str) -> int:
        """Removes a person; returns the number of templates removed, 0 if nobody has this name."""
        ...

    def rename(self, old: str, new: str) -> bool:
        """Renames a person.  Returns False if nobody is called `old`.

        Raises UsageError if another person is called `new`, or if `new` is not a valid name.
        """
        ...

    def merge(self, name: str, other: str) -> Merge | None:
        """Moves all templates of `other` to `name`; `other` is no longer listed.

        If both have a template of the same photo, the template of `name` is used.  Returns None if
        one of the names is not enrolled.  Raises UsageError if both names are the same.
        """
        ...

    def unmerge(self, name: str, other: str) -> Merge | None:
        """Undoes the latest merge of `other` into `name` and restores the templates of both.

        Templates that were added to `name` after the merge stay with `name`.  Returns None if there
        is no such merge.  Raises UsageError if another person is now called `other`.
        """
        ...

    def merges(self, name: str | None = None) -> list[Merge]:
        """Returns the merges into one person, or all merges, the earliest first.

        A merge into a person who was then merged into somebody else is part of that later merge
        and is listed only after the later one is undone.
        """
        ...

    def rank(
        self, queries: Float32Array, space: TemplateSpace, *, rule: PersonRule, top: int
    ) -> list[list[Candidate]]:
        """Returns for each query the `top` most similar people, the most similar first.

        `queries`: (Q, D) float32 vectors of unit length.  Raises ModelMismatchError if the
        gallery's templates are of another space than `space`.
        """
        ...

    def check(self) -> list[str]:
        """Returns one sentence for each fault of the gallery; an empty list if it is sound."""
        ...

    def recall_at_1(self) -> float | None:
        """Returns the share of queries, 0..1, whose nearest template the approximate index finds.

        Returns None if the gallery has no approximate index.
        """
        ...

    def refresh_index(self, *, reporter: Reporter = SILENT) -> bool:
        """Makes an approximate index if the gallery is large and the index is missing or outdated.

        Returns True if an index was made.  Raises MissingExtraError if the index's package is not
        installed.
        """
        ...

    def close(self) -> None: ...

    def __enter__(self) -> Gallery: ...

    def __exit__(self, *_error: object) -> None: ...
