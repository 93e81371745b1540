"""The options of an import, and its result."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from facekit.enums import Architecture, ColorOrder, Flip, Preprocessing
from facekit.model.checksum import file_dict
from facekit.model.store import InstalledModel
from facekit.types import CropSpec, InputSpec, QualitySpec

if TYPE_CHECKING:
    from facekit.conversion.face_check import FaceCheck
    from facekit.graph.read.formats import SourceFormat

NOT_STATED = "not stated"


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """Information that a file of weights does not contain.

    None means the default of the file format and the network.
    """

    architecture: Architecture | None = None
    preprocessing: Preprocessing | None = None
    input: InputSpec | None = None
    """Replaces `preprocessing`, `size`, `color_order` and `scaling`."""
    size: tuple[int, int] | None = None
    """(height, width) in pixels, for a file whose input size is dynamic."""
    color_order: ColorOrder | None = None
    scaling: tuple[float, float] | None = None
    """(mean, std) in pixel values 0..255: the network's input is (x - mean) / std."""
    crop: CropSpec | None = None
    flip: Flip | None = None
    quality: QualitySpec | None = None
    """How the output is read if the network rates faces; None if it computes embeddings."""
    license: str = NOT_STATED
    accept_untrained: bool = False
    """Whether a network that does not distinguish faces, or does not rate them, is accepted."""


@dataclass(frozen=True, slots=True, eq=False)  # eq=False: a card holds an array
class ImportedModel:
    """A model file that was converted from weights."""

    model: InstalledModel
    format: SourceFormat
    ignored: tuple[str, ...]
    """The names of the source's tensors that an embedding network does not use."""
    difference: float | None = None
    """The largest difference from the source's outputs in any element of unit-length embeddings.

    None if the source cannot be run here.  For a network that rates faces, the largest difference
    as a share of the range of its output.
    """
    faces: FaceCheck | None = None
    """The check of faces; None for weights without a network, and for a network that rates faces.

    Such weights are checked by their golden values or their graph instead.
    """

    @property
    def paths(self) -> tuple[Path, ...]:
        """The paths of the model files, of which there is exactly one."""
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
            "quality": card.quality and asdict(card.quality),
            "source_sha256": card.source.sha256,
            "license": None if card.source.license == NOT_STATED else card.source.license,
            "ignored_tensors": list(self.ignored),
            "difference_to_source": self.difference,
            "face_check": self.faces and self.faces.to_dict(),
        }
