"""The registry: the models that facekit knows by name, one JSON file each in `registry/`.

An entry states the origin of the source weights, how they are checked and unpacked, and the content
of the built model's card.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import Enum
from functools import cache
from pathlib import Path, PurePosixPath

from facekit.enums import Flip
from facekit.errors import ModelMismatchError, ModelMissingError
from facekit.model.card import DETECTOR as DETECTOR  # re-exported
from facekit.model.card import Source, Task, parse_input, parse_optional_crop, parse_source
from facekit.model.folders import DEFAULT_MODEL as DEFAULT_MODEL
from facekit.model.folders import REGISTRY, known_names
from facekit.system.fields import Fields
from facekit.system.suggest import did_you_mean
from facekit.template.calibration import Calibration, parse_calibration
from facekit.types import CropSpec, InputSpec

SCHEMA_VERSION = 1
names = known_names
"""The models that facekit knows: the default first, then by name."""
DETECTOR_NETS = ("pnet", "rnet", "onet")
"""Variants of the default detector, in the order of its cascade."""


class WeightsFormat(str, Enum):
    """The format of the source file; facekit/graph/read has one reader for each."""

    FOLDED_FROZEN_GRAPH = "folded-frozen-graph"
    """A frozen TensorFlow GraphDef whose batch norms are folded into the convolutions."""
    DEEPFACE_H5 = "deepface-h5"
    """Keras weights with deepface's layer names."""
    MTCNN_WHEEL = "mtcnn-wheel"
    """The wheel of the package mtcnn, with the weights of its three nets."""
    ONNX = "onnx"
    """A whole network, channels first."""

    @property
    def packages(self) -> tuple[str, ...]:
        """Packages of the extra convert, by import name, that building from the format needs."""
        return ("h5py", "onnx", "onnxruntime") if self is WeightsFormat.DEEPFACE_H5 else ()


class DownloadKind(str, Enum):
    WHEEL = "wheel"
    URL = "url"


@dataclass(frozen=True, slots=True)
class Download:
    """A file to fetch; the source file is its `member`, or with "" the file itself."""

    kind: DownloadKind
    requirement: str
    """Requirement to give to pip; "" for a URL."""
    url: str
    """"" for a wheel: pip and the user's settings choose its URL."""
    file_name: str
    sha256: str
    size_bytes: int
    member: str = ""
    member_sha256: str = ""

    def __post_init__(self) -> None:
        wheel = self.kind is DownloadKind.WHEEL
        if bool(self.requirement) != wheel or bool(self.url) == wheel:
            raise ValueError(f"A wheel needs a requirement, a URL its url. Received: {self}")
        if bool(self.member) != bool(self.member_sha256):
            raise ValueError(f"member and member_sha256 go together. Received: {self}")

    def __str__(self) -> str:
        where = f"{self.requirement} by pip" if self.requirement else self.url
        return f"{where}, {self.size_bytes / 1e6:.1f} MB"

    @property
    def source_name(self) -> str:
        """Name of the source file: the member's name, or that of the download."""
        return PurePosixPath(self.member).name or self.file_name

    @property
    def source_sha256(self) -> str:
        return self.member_sha256 or self.sha256


@dataclass(frozen=True, slots=True, eq=False)  # eq=False: holds an array
class CardDefaults:
    """The content of a built model's card besides its file and source; see card.Card."""

    input: InputSpec
    """For a detector the size of its first net's window; each net's card has its own size."""
    crop: CropSpec | None
    embedding_size: int
    calibration: Calibration
    """Published figures; those that facekit measured are in calibrations/."""
    detector: str = DETECTOR
    """Name of the detector to use with the model if the caller names none."""
    flip: Flip = Flip.NONE


@dataclass(frozen=True, slots=True, eq=False)
class RegistryEntry:
    """A model of the registry."""

    name: str
    summary: str
    task: Task
    architecture: str
    weights_format: WeightsFormat
    variants: tuple[str, ...]
    """Variants that a build makes, each a file <name>_<variant>.tflite with its card; the first is
    the
    default."""
    source: Source
    downloads: tuple[Download, ...]
    """Alternatives for one source file are tried in this order."""
    card: CardDefaults


@cache
def entry(name: str) -> RegistryEntry:
    """Returns the model called `name`.  Raises ModelMissingError, which lists the known names."""
    if name not in names():
        raise ModelMissingError(
            f"No model is called {name!r}.{did_you_mean(name, names())} Known models: "
            f"{', '.join(names())}."
        )
    return read_entry(REGISTRY / f"{name}.json")


def read_entry(path: Path) -> RegistryEntry:
    """Reads and validates a registry file.

    Raises ModelMismatchError, which names file and field.
    """
    try:
        return _entry(Fields(json.loads(path.read_bytes()), "entry"))
    except (OSError, ValueError) as error:
        raise ModelMismatchError(f"Registry file {path} is not valid: {error}") from error


def _entry(fields: Fields) -> RegistryEntry:
    version = fields.integer("schema_version")
    if version != SCHEMA_VERSION:
        raise ValueError(f"schema_version {SCHEMA_VERSION} needed, received {version}")
    card = fields.part("card")
    return RegistryEntry(
        name=fields.text("name"),
        summary=fields.text("summary"),
        task=fields.choice("task", Task),
        architecture=fields.text("architecture"),
        weights_format=fields.choice("weights_format", WeightsFormat),
        variants=tuple(fields.texts("variants")),
        source=parse_source(fields.part("source")),
        downloads=tuple(map(_download, fields.parts("downloads"))),
        card=CardDefaults(
            input=parse_input(card.part("input")),
            crop=parse_optional_crop(card),
            embedding_size=card.integer("embedding_size"),
            calibration=parse_calibration(card.part("calibration")),
            detector=card.text("detector") if "detector" in card else DETECTOR,
            flip=card.choice_or("flip", Flip.NONE),
        ),
    )


def _download(fields: Fields) -> Download:
    member = fields.text_or_null("member")
    return Download(
        kind=fields.choice("kind", DownloadKind),
        requirement=fields.text_or_null("requirement"),
        url=fields.text_or_null("url"),
        file_name=fields.text("file_name"),
        sha256=fields.sha256("sha256"),
        size_bytes=fields.integer("size_bytes"),
        member=member,
        member_sha256=fields.sha256("member_sha256") if member else "",
    )
