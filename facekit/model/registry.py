"""The registry: the models that facekit knows by name, one JSON file each in `registry/`.

An entry states the origin of the source weights, how they are checked and unpacked, and the content
of the built model's card.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from enum import Enum
from functools import cache
from pathlib import Path, PurePosixPath

from facekit.enums import Flip
from facekit.errors import ModelMismatchError, ModelMissingError
from facekit.model.card import DETECTOR as DETECTOR  # re-exported
from facekit.model.card import Card, Source, Task, parse_source
from facekit.model.card_parts import parse_input, parse_optional_crop, parse_optional_pad
from facekit.model.folders import DEFAULT_MODEL as DEFAULT_MODEL
from facekit.model.folders import REGISTRY, known_names
from facekit.system.fields import Fields
from facekit.system.suggest import did_you_mean
from facekit.template.calibration import Calibration, parse_calibration
from facekit.types import CropSpec, InputSpec, PadSpec

SCHEMA_VERSION = 1
names = known_names
"""Returns the names of the registry's models: the default model first, the others sorted."""
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
    """A complete network, channels first."""
    TFJS = "tfjs"
    """A graph model of TensorFlow.js: a file of weights, a JSON file, and their license."""

    @property
    def source_count(self) -> int:
        """Number of source files."""
        return 3 if self is WeightsFormat.TFJS else 1

    @property
    def packages(self) -> tuple[str, ...]:
        """The import names of the packages that building from this format needs.

        The extra `convert` installs these packages.
        """
        if self is WeightsFormat.DEEPFACE_H5:
            return ("h5py", "onnx", "onnxruntime")
        return ("onnx", "onnxruntime") if self is WeightsFormat.TFJS else ()


class DownloadKind(str, Enum):
    WHEEL = "wheel"
    NPM = "npm"
    URL = "url"


@dataclass(frozen=True, slots=True)
class Download:
    """A file to fetch.

    If `member` is not empty, the source file is that member of the fetched archive.  Otherwise the
    source file is the fetched file itself.
    """

    kind: DownloadKind
    requirement: str
    """The requirement that pip downloads, e.g. "NAME==VERSION", or npm, e.g. "NAME@VERSION"; "" for
    a download by URL."""
    url: str
    """The URL; "" for pip and npm, which choose it by the user's settings."""
    file_name: str
    sha256: str
    size_bytes: int
    member: str = ""
    member_sha256: str = ""

    def __post_init__(self) -> None:
        by_url = self.kind is DownloadKind.URL
        if bool(self.requirement) == by_url or bool(self.url) != by_url:
            raise ValueError(f"A package needs a requirement, a URL its url. Received: {self}")
        if bool(self.member) != bool(self.member_sha256):
            raise ValueError(f"member and member_sha256 go together. Received: {self}")

    def __str__(self) -> str:
        program = "npm" if self.kind is DownloadKind.NPM else "pip"
        where = f"{self.requirement} by {program}" if self.requirement else self.url
        return f"{where}, {self.size_bytes / 1e6:.1f} MB"

    @property
    def source_name(self) -> str:
        """Name of the source file: the member's name, or the name of the downloaded file."""
        return PurePosixPath(self.member).name or self.file_name

    @property
    def source_sha256(self) -> str:
        return self.member_sha256 or self.sha256


@dataclass(frozen=True, slots=True, eq=False)  # eq=False: holds an array
class CardDefaults:
    """The part of a built model's card that does not depend on the built file; see card.Card.

    The card's name, task, architecture and source are in RegistryEntry.
    """

    input: InputSpec
    """Size, color order and scaling of the input.

    For a detector, the size is that of the first net's window; each net's card states the net's
    size.
    """
    crop: CropSpec | None
    embedding_size: int
    calibration: Calibration
    """The published thresholds.  The thresholds that facekit measured are in calibrations/."""
    detector: str = DETECTOR
    """Name of the detector to use with the model if the caller names no detector."""
    flip: Flip = Flip.NONE
    pad: PadSpec | None = None
    """How a presentation attack detector is read; None for any other model."""


@dataclass(frozen=True, slots=True, eq=False)
class RegistryEntry:
    """A model of the registry."""

    name: str
    summary: str
    task: Task
    architecture: str
    weights_format: WeightsFormat
    variants: tuple[str, ...]
    """Variants that a build produces; the first is the default.

    Each variant is a file <name>_<variant>.tflite with its card.
    """
    source: Source
    downloads: tuple[Download, ...]
    """The files to fetch.

    If several downloads provide the same source file, the downloads are tried in this order.
    """
    card: CardDefaults


@cache
def entry(name: str) -> RegistryEntry:
    """Returns the model called `name`.

    Raises ModelMissingError, which lists the known names, and ModelMismatchError if the registry
    file is not valid.
    """
    if name not in names():
        raise ModelMissingError(
            f"No model is called {name!r}.{did_you_mean(name, names())} Known models: "
            f"{', '.join(names())}."
        )
    return read_entry(REGISTRY / f"{name}.json")


def require_own_input(card: Card, where: Path) -> None:
    """Checks a card that names a detector of the registry and the weights of that detector.

    Thresholds that ship with facekit hold for every file that is made of these weights.  Color
    order and scaling of its input must therefore be the registry's; the mean of a quantized file
    may be rounded up.  The size is the file's own, whatever the card states.
    Raises ModelMismatchError, which names the card's file `where`.
    """
    if card.task is not Task.DETECTION or card.name not in names():
        return
    own = entry(card.name)
    fed, needed = card.input, own.card.input
    means = {needed.mean, math.ceil(needed.mean)}
    if own.source.sha256 == card.source.sha256 and not (
        fed.color_order is needed.color_order and fed.std == needed.std and fed.mean in means
    ):
        raise ModelMismatchError(
            f"Card {where} is not true: {card.name} of these weights is fed {_shown(needed)}. "
            f"The card states {_shown(fed)}. Build it again: facekit models build {card.name}"
        )


def _shown(fed: InputSpec) -> str:
    return f"{fed.color_order.value}, (x - {fed.mean:g}) / {fed.std:g}"


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
            pad=parse_optional_pad(card),
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
