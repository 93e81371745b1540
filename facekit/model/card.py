"""The card: the JSON file beside every model file that states how to use the model.

`x.json` describes `x.tflite`.  A card is tied to its file by SHA-256.  The card states the
preprocessing, the crop rule and the operating points measured on this file.
"""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass, field, replace
from enum import Enum
from pathlib import Path
from typing import Any

from facekit.enums import CropRule, Flip, MeasuredBy
from facekit.errors import ModelMismatchError
from facekit.model.card_parts import (
    parse_input,
    parse_optional_crop,
    parse_optional_pad,
    parse_optional_quality,
)
from facekit.runtime.net import Net
from facekit.system.fields import Fields, blanks_to_null, every_problem
from facekit.system.inputs import InputKind, parse_json, read_input, reading
from facekit.template.calibration import Calibration, parse_calibration
from facekit.template.embedder import Embedder
from facekit.template.space import TemplateSpace, mean_sha256_of
from facekit.types import CropSpec, DetectorIdentity, InputSpec, PadSpec, QualitySpec

SCHEMA_VERSION = 1
_CARD = InputKind("a model card", ModelMismatchError, max_bytes=10_000_000)
EXAMPLE = Path(__file__).with_name("card.example.json")
"""A card in which every member has a value."""
DETECTOR = "mtcnn"
"""The detector to use if neither the caller nor the card names a detector."""


VELA_ESTIMATE = "vela estimate"
"""Member of `tools` with Vela's estimate, e.g. "14.69 ms", in the card of a compiled file."""
_MILLISECONDS = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?) ms")


class Task(str, Enum):
    """The task of a model."""

    EMBEDDING = "embedding"
    DETECTION = "detection"
    QUALITY = "quality"
    PAD = "attack-detection"


@dataclass(frozen=True, slots=True)
class Source:
    """The origin of the weights, and their license."""

    title: str
    url: str
    sha256: str
    license: str
    accuracy: str = ""
    """Accuracy as the source states it."""


@dataclass(frozen=True, slots=True)
class Quantization:
    """The number format of the file; `scheme` "none" is float32."""

    scheme: str = "none"
    input_formula: str = ""
    """The formula from a pixel value 0..255 to a value of the input tensor, for C code."""
    calibration: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class Card:
    """The description of one model file.

    A card holds an array, so cards must be compared by `to_json`.
    """

    name: str
    variant: str
    """float32, float16, int8, ...; for a net of a detector with its name, e.g. "pnet_float32"."""
    task: Task
    architecture: str
    file_name: str
    file_sha256: str
    file_size_bytes: int
    source: Source
    input: InputSpec
    quantization: Quantization = field(default_factory=Quantization)
    crop: CropSpec | None = None
    """The crop rule; None for a detector."""
    embedding_size: int = 0
    """Length of a template; 0 for a detector."""
    detector: str = DETECTOR
    """Name of the detector to use with the model if the caller names no detector."""
    flip: Flip = Flip.NONE
    """The use of the crop's mirror image in the template; NONE in cards without the member."""
    calibration: Calibration = field(default_factory=Calibration)
    """Operating points and probabilities, measured with this file; see `bound`."""
    tools: dict[str, str] = field(default_factory=dict)
    """Versions of the tools that created the file, by tool."""
    quality: QualitySpec | None = None
    """How the output of a network that rates faces is read; None for any other model."""
    pad: PadSpec | None = None
    """How a presentation attack detector is read; None for any other model."""

    def __post_init__(self) -> None:
        if (self.task is Task.QUALITY) != (self.quality is not None):
            raise ValueError(f"A card for {Task.QUALITY.value} needs quality, and no other has it.")
        if (self.task is Task.PAD) != (self.pad is not None):
            raise ValueError(f"A card for {Task.PAD.value} needs pad, and no other has it.")
        for one in (self.calibration, *self.calibration.others):
            mean = one.embedding_mean
            if mean is not None and mean.shape != (self.embedding_size,):
                raise ValueError(
                    f"embedding_mean must be of shape ({self.embedding_size},). "
                    f"Received: {mean.shape}"
                )
        if self.task is Task.EMBEDDING and (self.crop is None or self.embedding_size < 1):
            raise ValueError("An embedding model's card needs a crop rule and an embedding size.")
        if self.task is Task.QUALITY and (self.crop is None or self.crop.rule is CropRule.NONE):
            raise ValueError("The card of a network that rates faces needs a rule that crops them.")
        if VELA_ESTIMATE in self.tools and self.npu_milliseconds is None:
            raise ValueError(
                f"Vela's estimate must be a time such as 14.69 ms. "
                f"Received: {self.tools[VELA_ESTIMATE]!r:.80}"
            )
        if self.embedding_size % self.flip.vectors:
            raise ValueError(
                f"A template of flip {self.flip.value} is {self.flip.vectors} vectors long, so "
                f"embedding_size must be even. Received: {self.embedding_size}"
            )

    @property
    def full_name(self) -> str:
        """ "name:variant", as JSON names a model."""
        return f"{self.name}:{self.variant}"

    @property
    def output_size(self) -> int:
        """Length of the vector that the net computes for one crop."""
        return self.embedding_size // self.flip.vectors

    @property
    def npu_milliseconds(self) -> float | None:
        """Vela's estimate for one inference in ms; None if Vela has not compiled the file."""
        said = _MILLISECONDS.fullmatch(self.tools.get(VELA_ESTIMATE, ""))
        return None if said is None else float(said[1])

    def to_dict(self) -> dict[str, Any]:
        """Returns the content of the card's file, except `schema_version`."""
        members = {
            **asdict(self),
            "source": blanks_to_null(asdict(self.source), "url", "accuracy"),
            "quantization": blanks_to_null(asdict(self.quantization), "input_formula"),
            "calibration": self.calibration.to_dict(),
        }
        plain: dict[str, Any] = json.loads(json.dumps(members, allow_nan=False))
        return plain

    def to_json(self) -> str:
        whole = {"schema_version": SCHEMA_VERSION, **self.to_dict()}
        return json.dumps(whole, indent=1, allow_nan=False) + "\n"


def space_of(
    card: Card, *, crop: CropSpec | None = None, detector: DetectorIdentity | None
) -> TemplateSpace:
    """Returns the template space of an embedding model.

    `crop` replaces the card's crop rule; None keeps it.  `detector` is the identity of the detector
    that finds the faces.
    """
    crop = crop or card.crop
    assert crop is not None  # an embedding card always has one
    return TemplateSpace(
        model=card.full_name,
        model_sha256=card.file_sha256,
        detector=detector,
        crop=crop,
        flip=card.flip,
        mean_sha256=mean_sha256_of(card.calibration.embedding_mean),
        size=card.embedding_size,
    )


def bound(card: Card) -> Card:
    """Returns the card with its calibrations tied to the card's file by their template space.

    Use this for a calibration without a space, and for a calibration that was measured with another
    file whose embeddings were shown to be the same.  The detector in a calibration's space is kept.
    The result counts as measured by the card's maker.  A detector's card is returned unchanged.
    """
    if card.task is not Task.EMBEDDING:
        return card

    def in_its_space(calibration: Calibration) -> Calibration:
        detector = None if calibration.space is None else calibration.space.detector
        space = space_of(replace(card, calibration=calibration), detector=detector)
        return replace(calibration, space=space, measured_by=MeasuredBy.CARD_MAKER)

    others = tuple(map(in_its_space, card.calibration.others))
    return replace(card, calibration=replace(in_its_space(card.calibration), others=others))


def embedder_of(net: Net, card: Card) -> Embedder:
    """Returns the embedder of an embedding model.

    Raises ModelMismatchError for a detector's card, and for a net that its card does not describe.
    """
    if card.task is not Task.EMBEDDING:
        raise ModelMismatchError(
            f"An embedding model is needed. Model {card.name} ({card.variant}) is for "
            f"{card.task.value}."
        )
    return Embedder(
        net,
        name=f"{card.name} ({card.variant})",
        spec=card.input,
        output_size=card.output_size,
        flip=card.flip,
        mean=card.calibration.embedding_mean,
    )


def read_card(path: Path) -> Card:
    """Reads and validates a card.

    Raises ModelMismatchError if the file does not exist, cannot be read or is not a valid card.
    """
    if not path.exists():
        raise ModelMismatchError(
            f"No card {path.name} beside the model: a model file without its card is not used. "
            f"Looked in {path.parent}. For a network of your own, facekit models import FILE --as "
            "NAME brings it into the store; facekit models card FILE --draft makes a card."
        )
    with reading(_CARD, path):
        return parse_card(parse_json(read_input(path, _CARD)), origin=str(path))


def parse_card(raw: object, *, origin: str) -> Card:
    """Builds a card from parsed JSON.

    Raises ModelMismatchError, which names `origin` and, for every missing or wrong member, what is
    needed; card.schema.json states the same rules.
    """
    try:
        return _card(Fields(raw, "card"))
    except ValueError as error:
        problems = every_problem(raw, _card, "card", json.loads(EXAMPLE.read_bytes()))
        listed = problems[0] if len(problems) == 1 else "\n  " + "\n  ".join(problems)
        raise ModelMismatchError(f"Card {origin} is not valid: {listed}") from error


def _card(fields: Fields) -> Card:
    fields.require_version(SCHEMA_VERSION)
    quantization = fields.part("quantization")
    card: Card = fields.built(
        Card,
        name=fields.plain_name("name"),
        variant=fields.plain_name("variant"),
        task=fields.choice("task", Task),
        architecture=fields.text("architecture"),
        file_name=fields.plain_name("file_name"),
        file_sha256=fields.sha256("file_sha256"),
        file_size_bytes=fields.integer("file_size_bytes"),
        source=parse_source(fields.part("source")),
        input=parse_input(fields.part("input")),
        quantization=Quantization(
            scheme=quantization.text("scheme"),
            input_formula=quantization.text_or_null("input_formula"),
            calibration=quantization.mapping("calibration"),
        ),
        crop=parse_optional_crop(fields),
        embedding_size=fields.integer("embedding_size"),
        detector=fields.text("detector") if "detector" in fields else DETECTOR,
        flip=fields.choice_or("flip", Flip.NONE),
        calibration=parse_calibration(fields.part("calibration")),
        tools={key: str(value) for key, value in fields.mapping("tools").items()},
        quality=parse_optional_quality(fields),
        pad=parse_optional_pad(fields),
    )
    # A card without a space is older than spaces: its calibration was measured with its own file.
    return bound(card) if card.calibration.space is None else card


def parse_source(fields: Fields) -> Source:
    return Source(
        title=fields.text("title"),
        url=fields.text_or_null("url"),
        sha256=fields.sha256("sha256"),
        license=fields.text("license"),
        accuracy=fields.text_or_null("accuracy"),
    )
