"""Results of the gallery tasks; each `to_dict()` is the command's JSON."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from facekit.gallery.lookalikes import Lookalikes
from facekit.gallery.merge import Merge
from facekit.gallery.records import GalleryInfo, Person, Template
from facekit.gallery.transfer import CONTAINS
from facekit.template.space import TemplateSpace
from facekit.types import rounded


@dataclass(frozen=True, slots=True)
class GalleryStats:
    """Size and template space of a gallery."""

    info: GalleryInfo

    def to_dict(self) -> dict[str, Any]:
        info, space = self.info, self.info.space
        return {
            "gallery": info.url,
            "tables_version": info.schema_version,
            "people_count": info.people_count,
            "template_count": info.template_count,
            "vector_type": info.vector_type.value,
            "encrypted": info.encrypted,
            "size_bytes": info.size_bytes,
            "model": space and space.model,
            "model_sha256": space and space.model_sha256,
            "crop": space and space.crop_text,
        }


@dataclass(frozen=True, slots=True)
class ListedPeople:
    """All enrolled people, sorted by name."""

    people: tuple[Person, ...]

    def to_dict(self) -> dict[str, Any]:
        return {"people": [asdict(person) for person in self.people]}


@dataclass(frozen=True, slots=True, eq=False)
class ShownPerson:
    """A person, their templates in the order of enrollment, and the people who were merged into
    this person."""

    name: str
    person: Person | None
    """None if nobody has this name."""
    space: TemplateSpace | None
    """None until somebody is enrolled."""
    templates: tuple[Template, ...] = field(repr=False)
    merges: tuple[Merge, ...]

    def origin(self, template: Template) -> str | None:
        """Returns the name that the template had before a merge; None for the person's own
        template."""
        return next(
            (merge.name for merge in self.merges if template.photo_sha256 in merge.moved), None
        )

    def to_dict(self) -> dict[str, Any]:
        person, space = self.person, self.space
        templates = [
            {
                "photo": template.photo,
                "photo_sha256": template.photo_sha256 or None,
                "box_xyxy": template.box_xyxy and rounded(template.box_xyxy),
                "score": template.score,
                "enrolled_at": template.enrolled_at,
                "merged_from": self.origin(template),
            }
            for template in self.templates
        ]
        return {
            "name": self.name,
            "found": person is not None,
            "template_count": 0 if person is None else person.template_count,
            "enrolled_at": person and person.enrolled_at,
            "model": space and space.model,
            "model_sha256": space and space.model_sha256,
            "crop": space and space.crop_text,
            "templates": templates,
            "merged": [merge.to_dict() for merge in self.merges],
        }


@dataclass(frozen=True, slots=True)
class Removed:
    """Number of templates that were removed with a person; 0 if nobody has this name."""

    name: str
    removed_count: int

    @property
    def found(self) -> bool:
        return self.removed_count > 0

    def to_dict(self) -> dict[str, Any]:
        return {"name": self.name, "found": self.found, "removed_count": self.removed_count}


@dataclass(frozen=True, slots=True)
class Renamed:
    """A person's old and new name; `found` is False if nobody had the old name."""

    old: str
    new: str
    found: bool

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Merged:
    """The result of merging `other` into `name`, or of undoing the merge."""

    name: str
    other: str
    merge: Merge | None
    """None if nothing was done."""
    absent: tuple[str, ...] = ()
    """Names that nobody has."""

    @property
    def found(self) -> bool:
        """True if there was something to merge, or to undo."""
        return self.merge is not None

    @property
    def moved_count(self) -> int:
        """Number of templates that changed their person."""
        return len(self.merge.moved) if self.merge else 0

    @property
    def shared_photo_count(self) -> int:
        """Number of photos that both people had."""
        return len(self.merge.shared) if self.merge else 0

    def to_dict(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "other": self.other,
            "found": self.found,
            "absent": list(self.absent),
            "moved_count": self.moved_count,
            "shared_photo_count": self.shared_photo_count,
        }


@dataclass(frozen=True, slots=True)
class CheckedGallery:
    """The faults of a gallery, if any."""

    info: GalleryInfo
    faults: tuple[str, ...]
    """One sentence for each fault; empty if the gallery is sound."""
    recall_at_1: float | None
    """Share of searches in which the approximate index finds the nearest template, 0..1; None
    without an index."""
    lookalikes: tuple[Lookalikes, ...] | None
    """Pairs of people who may be one person, by the default threshold of `identify`; None if they
    were not looked for."""

    def to_dict(self) -> dict[str, Any]:
        return {
            "gallery": self.info.url,
            "people_count": self.info.people_count,
            "template_count": self.info.template_count,
            "sound": not self.faults,
            "faults": list(self.faults),
            "recall_at_1": self.recall_at_1,
            "lookalikes": None
            if self.lookalikes is None
            else [pair.to_dict() for pair in self.lookalikes],
        }


@dataclass(frozen=True, slots=True)
class Rekeyed:
    """A gallery after all its templates were encrypted anew."""

    gallery: str
    template_count: int

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class ExportedGallery:
    """A file with every template of a gallery, not encrypted."""

    gallery: str
    """The gallery's URL, without a password."""
    output: Path
    template_count: int

    def to_dict(self) -> dict[str, Any]:
        return {
            "gallery": self.gallery,
            "output": str(self.output),
            "template_count": self.template_count,
            "contains": CONTAINS,
        }


@dataclass(frozen=True, slots=True)
class ImportedGallery:
    """The result of importing an exported file."""

    gallery: str
    """The gallery's URL, without a password."""
    source: Path
    """The imported file."""
    template_count: int
    """Number of templates in the file."""
    added_count: int
    """Number of templates that were not in the gallery yet."""

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "source": str(self.source)}


@dataclass(frozen=True, slots=True)
class Recentered:
    """The templates that were converted to another mean embedding."""

    gallery: str
    """The gallery's URL, without a password."""
    model: str
    """The model as "name:variant"."""
    model_sha256: str
    template_count: int
    changed_count: int
    """Number of templates; 0 if they were centered by this mean already."""

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)
