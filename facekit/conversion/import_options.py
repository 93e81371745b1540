"""What a file of weights does not tell, and what was made of it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from facekit.enums import Architecture, ColorOrder, Flip, Preprocessing
from facekit.model.checksum import file_dict
from facekit.model.store import InstalledModel
from facekit.types import CropSpec, InputSpec

if TYPE_CHECKING:
    from facekit.conversion.face_check import FaceCheck
    from facekit.graph.read.formats import SourceFormat

NOT_STATED = "not stated"


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """What no file of weights tells; None is what is usual for the format and graph."""

    architecture: Architecture | None = None
    preprocessing: Preprocessing | None = None
    input: InputSpec | None = None
    """in place of all that follows but the crop"""
    size: tuple[int, int] | None = None
    """(height, width) in pixels, for a file that leaves its picture's sides open"""
    color_order: ColorOrder | None = None
    scaling: tuple[float, float] | None = None
    """mean and std in pixel values: a network is fed (x - mean) / std"""
    crop: CropSpec | None = None
    flip: Flip | None = None
    license: str = NOT_STATED
    accept_untrained: bool = False
    """whether weights may be random: that faces are told apart is not asked for"""


@dataclass(frozen=True, slots=True, eq=False)  # eq=False: a card holds an array
class ImportedModel:
    """A model file that was made of weights."""

    model: InstalledModel
    format: SourceFormat
    ignored: tuple[str, ...]
    """the source's tensors that have no place in an embedding net"""
    difference: float | None = None
    """the greatest one, in any number of unit-length embeddings, to what the source answers when
    it is run itself; None where it cannot be"""
    faces: FaceCheck | None = None
    """None for weights without a network, which golden values or their graph are checked by"""

    @property
    def paths(self) -> tuple[Path, ...]:
        """The one model file."""
        return (self.model.path,)

    def to_dict(self) -> dict[str, Any]:
        card = self.model.card
        return {
            "model": card.full_name,
            "model_sha256": card.file_sha256,
            "files": [file_dict(path) for path in self.paths],
            "format": self.format.title,
            "architecture": None if card.architecture == NOT_STATED else card.architecture,
            "input": asdict(card.input),
            "crop": card.crop and asdict(card.crop),
            "embedding_size": card.embedding_size,
            "flip": card.flip.value,
            "source_sha256": card.source.sha256,
            "license": None if card.source.license == NOT_STATED else card.source.license,
            "ignored_tensors": list(self.ignored),
            "difference_to_source": self.difference,
            "face_check": self.faces and self.faces.to_dict(),
        }
