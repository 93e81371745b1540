"""What the tasks of a gallery answer; each `to_dict()` is the command's JSON."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from facekit.gallery.merge import Merge
from facekit.gallery.records import GalleryInfo, Person, Template
from facekit.gallery.transfer import CONTAINS
from facekit.template.space import TemplateSpace


@dataclass(frozen=True, slots=True)
class GalleryStats:
    """A gallery as a whole."""

    info: GalleryInfo

    def to_dict(self) -> dict[str, Any]:
        info, space = self.info, self.info.space
        return {
            "gallery": info.url,
            "schema": info.schema_version,
            "people": info.people,
            "templates": info.templates,
            "vector_type": info.vector_type.value,
            "encrypted": info.encrypted,
            "size_bytes": info.size_bytes,
            "model": space and space.model,
            "model_sha256": space and space.model_sha256,
            "crop": space and space.crop_text,
        }


@dataclass(frozen=True, slots=True)
class ListedPeople:
    """Everybody who is enrolled, by name."""

    people: tuple[Person, ...]

    def to_dict(self) -> dict[str, Any]:
        return {"people": [asdict(person) for person in self.people]}


@dataclass(frozen=True, slots=True, eq=False)
class ShownPerson:
    """A person, their templates in the order they were enrolled, and who was merged into them."""

    person: Person
    space: TemplateSpace
    templates: tuple[Template, ...] = field(repr=False)
    merges: tuple[Merge, ...]

    def origin(self, template: Template) -> str | None:
        """The name under which the template was filed before a merge; None for the person's own."""
        return next(
            (merge.name for merge in self.merges if template.photo_sha256 in merge.moved), None
        )

    def to_dict(self) -> dict[str, Any]:
        records = [
            {
                "photo": template.photo,
                "photo_sha256": template.photo_sha256,
                "box_xyxy": template.box_xyxy,
                "score": template.score,
                "enrolled_at": template.enrolled_at,
                "model": self.space.model,
                "model_sha256": self.space.model_sha256,
                "crop": self.space.crop_text,
                "merged_from": self.origin(template),
            }
            for template in self.templates
        ]
        merged = [merge.to_dict() for merge in self.merges]
        return {**asdict(self.person), "records": records, "merged": merged}


@dataclass(frozen=True, slots=True)
class Removed:
    """How many templates went with a person; none where nobody has this name."""

    name: str
    removed: int

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Renamed:
    """A person's old and new name; `found` is False where nobody had the old one."""

    old: str
    new: str
    found: bool

    def to_dict(self) -> dict[str, Any]:
        return {"old": self.old, "new": self.new}


@dataclass(frozen=True, slots=True)
class Merged:
    """What came of merging `other` into `name`, or of undoing it."""

    name: str
    other: str
    merge: Merge | None
    """None where nothing was done"""
    absent: tuple[str, ...] = ()
    """names that nobody has"""

    def to_dict(self) -> dict[str, Any]:
        merge = self.merge
        return {
            "name": self.name,
            "other": self.other,
            "moved": len(merge.moved) if merge else 0,
            "known_already": len(merge.known) if merge else 0,
        }


@dataclass(frozen=True, slots=True)
class CheckedGallery:
    """What is wrong with a gallery, if anything."""

    info: GalleryInfo
    faults: tuple[str, ...]
    """a sentence each; empty where the gallery is sound"""
    recall_at_1: float | None
    """how often the approximate index finds the nearest template, 0..1; None without an index"""

    def to_dict(self) -> dict[str, Any]:
        return {
            "gallery": self.info.url,
            "sound": not self.faults,
            "faults": list(self.faults),
            "recall_at_1": self.recall_at_1,
        }


@dataclass(frozen=True, slots=True)
class Rekeyed:
    """A gallery whose templates are all encrypted anew."""

    gallery: str
    templates: int

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class ExportedGallery:
    """A file with every template of a gallery, not encrypted."""

    output: Path
    templates: int

    def to_dict(self) -> dict[str, Any]:
        return {"output": str(self.output), "templates": self.templates, "contains": CONTAINS}


@dataclass(frozen=True, slots=True)
class ImportedGallery:
    """What an exported file brought."""

    file: Path
    templates: int
    """in the file"""
    added: int
    """that were not in the gallery yet"""

    def to_dict(self) -> dict[str, Any]:
        return {"file": str(self.file), "templates": self.templates, "added": self.added}


@dataclass(frozen=True, slots=True)
class Recentered:
    """Templates that were brought over to another mean embedding."""

    gallery: str
    """its URL, without a password"""
    templates: int
    changed: int
    """all of them, or none where they were about this mean already"""

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)
