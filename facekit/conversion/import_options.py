"""What a file of weights does not tell, and what was made of it: records without TensorFlow."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from facekit.enums import Architecture, Flip, Preprocessing
from facekit.model.store import InstalledModel
from facekit.types import CropSpec, InputSpec

if TYPE_CHECKING:
    from facekit.graph.read.formats import SourceFormat

NOT_STATED = "not stated"


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """What no file of weights tells; None is what is usual for the format and graph."""

    architecture: Architecture | None = None
    preprocessing: Preprocessing | None = None
    input: InputSpec | None = None
    """in place of `preprocessing`"""
    crop: CropSpec | None = None
    flip: Flip | None = None
    licence: str = NOT_STATED


@dataclass(frozen=True, slots=True, eq=False)  # eq=False: a card holds an array
class ImportedModel:
    """A model file that was made of weights."""

    model: InstalledModel
    format: SourceFormat
    ignored: tuple[str, ...]
    """the source's tensors that have no place in an embedding net"""

    @property
    def paths(self) -> tuple[Path, ...]:
        """The one model file."""
        return (self.model.path,)

    def to_dict(self) -> dict[str, Any]:
        card = self.model.card
        return {
            "name": card.name,
            "paths": [str(path) for path in self.paths],
            "format": self.format.title,
            "architecture": card.architecture,
            "embedding_size": card.embedding_size,
            "flip": card.flip.value,
            "source_sha256": card.source.sha256,
            "licence": card.source.licence,
            "ignored_tensors": list(self.ignored),
        }
