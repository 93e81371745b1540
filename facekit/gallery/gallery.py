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
    """A gallery of enrolled people.  Every method is one transaction: it takes effect completely or
    not
    at all.

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
        """Returns the sha256 of each photo that the person has a template of."""
        ...

    def mean(self) -> Float32Array | None:
        """Returns (D,), the mean embedding that the templates are centered by.

        None if they are not centered, and while nobody is enrolled.
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

        `mean`: the mean embedding that the templates are centered by, as named in `space`.  A
        template of a photo that the person already has is skipped.  The first call fixes the
        gallery's space; templates of another space raise ModelMismatchError.
        """
        ...

    def recenter(
        self, mean: Float32Array | None, space: TemplateSpace, *, reporter: Reporter = SILENT
    ) -> int:
        """Converts every template to `space`, which may differ only in its mean embedding.

        Returns how many templates changed; 0 if the gallery already is of that space.  The result
        is
        the same as enrolling the photos anew, up to the rounding of stored vectors.  Raises
        ModelMismatchError, which names the field, for any other difference.
        """
        ...

    def remove(self, name: str) -> int:
        """Removes a person; returns the number of templates removed, 0 if nobody has this name."""
        ...

    def rename(self, old: str, new: str) -> bool:
        """Renames a person.  Returns False if nobody is called `old`.

        Raises UsageError if `new` is taken.
        """
        ...

    def merge(self, name: str, other: str) -> Merge | None:
        """Moves all templates of `other` to `name`; `other` is no longer listed.

        If both have a template of the same photo, that of `name` is used.  Returns None if one of
        the names is not enrolled.  Raises UsageError if both names are the same.
        """
        ...

    def unmerge(self, name: str, other: str) -> Merge | None:
        """Undoes the latest merge of `other` into `name` and restores the templates of both.

        Templates added to `name` after the merge stay with `name`.  Returns None if there is no
        such
        merge.  Raises UsageError if another person is called `other` by now.
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

        `queries`: (Q, D) vectors of unit length.  Raises ModelMismatchError if the gallery's
        templates
        are of another space.
        """
        ...

    def check(self) -> list[str]:
        """Returns one sentence for each fault of the gallery; an empty list if it is sound."""
        ...

    def recall_at_1(self) -> float | None:
        """Returns the share of queries, 0..1, for which an approximate index finds the nearest
        template.

        None without an index.
        """
        ...

    def refresh_index(self, *, reporter: Reporter = SILENT) -> bool:
        """Makes an approximate index if the gallery is large enough and the index is missing or
        outdated.

        Returns True if an index was made.  Raises MissingExtraError without the package for it.
        """
        ...

    def close(self) -> None: ...

    def __enter__(self) -> Gallery: ...

    def __exit__(self, *_error: object) -> None: ...
