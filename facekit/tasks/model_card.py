"""facekit models card: shows the card of a model file, or drafts one to complete."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from facekit.conversion.import_options import NOT_STATED
from facekit.conversion.preprocessing import SYSTEM_PREPROCESSING
from facekit.enums import (
    ClassScores,
    ColorOrder,
    Flip,
    PadSystem,
    Precision,
    Preprocessing,
    ResizeFilter,
)
from facekit.errors import ModelMismatchError, ModelMissingError, UsageError
from facekit.graph.read.onnx_file import external_tensor_files
from facekit.model.card import SCHEMA_VERSION, Quantization, Task, embedder_of
from facekit.model.checksum import sha256_of
from facekit.model.store import CARD_SUFFIX, find
from facekit.model.trial import require_tried
from facekit.model.variants import (
    DEFAULT_VARIANT,
    MODEL_SUFFIXES,
    ONNX_SUFFIX,
    onnx_variant,
)
from facekit.runtime.delegates import AcceleratorRequest, open_net
from facekit.runtime.net import DYNAMIC, Net
from facekit.system.fields import PLAIN_NAME, blanks_to_null
from facekit.system.files import require_free, write_atomically
from facekit.tasks.liveness import pad_detector
from facekit.template.calibration import Calibration
from facekit.types import PadSpec

_COLORS = 3
_MAY_BE_NULL = (
    "calibration",
    "source.url",
    "source.accuracy",
    "quantization.input_formula",
)


@dataclass(frozen=True, slots=True)
class CardFile:
    """A card, or a draft to complete."""

    model: str
    """The name as the caller stated it."""
    output: Path | None
    """The written file; None if none was requested."""
    content: dict[str, Any] = field(repr=False)
    """Content of the JSON; null marks a value to fill in."""

    @property
    def to_fill_in(self) -> tuple[str, ...]:
        """Names of the required members that are null, e.g. "input.mean"."""
        return tuple(_blanks(self.content))

    def to_dict(self) -> dict[str, Any]:
        return {
            "model": self.model,
            "output": self.output and str(self.output),
            "to_fill_in": list(self.to_fill_in),
            "card": self.content,
        }

    def text(self) -> str:
        """Returns the content as text of the card file."""
        return json.dumps(self.content, indent=1) + "\n"


def card(model: str) -> CardFile:
    """Returns the card of a stored model, or of a model file with a card beside it.

    The file is compared with the card: size, sha256, and the network's input and output.  Raises
    ModelMissingError, or ModelMismatchError, which names all differences.
    """
    found = find(model)
    if found.card.task is Task.EMBEDDING:
        embedder_of(open_net(found.path, request=AcceleratorRequest()).net, found.card)
    if found.card.task is Task.PAD:
        pad_detector(found)
    content = json.loads(found.path.with_suffix(CARD_SUFFIX).read_bytes())
    return CardFile(model, None, content)


def card_draft(
    model: Path,
    *,
    preprocessing: Preprocessing | None = None,
    pad: PadSystem | None = None,
    output: Path | None = None,
    force: bool = False,
) -> CardFile:
    """Drafts a card for a .tflite or .onnx file, with all values that the file states.

    `preprocessing`: a program whose preprocessing the network expects; the draft then states it.
    `pad`: the network is a presentation attack detector, of this system.
    `output`: file to write the draft to; `force`: replace an existing file.
    Raises ModelMissingError, ModelBuildError or ModelMismatchError for a file that is damaged or
    not such a network, UsageError for a file name that a card cannot contain or for `preprocessing`
    beside `pad`, MissingExtraError, or StorageError.
    """
    if pad is not None and preprocessing is not None:
        raise UsageError("--preprocessing is for embedding networks: --pad goes without it.")
    if not model.is_file():
        raise ModelMissingError(f"There is no model file {model}.")
    if model.suffix not in MODEL_SUFFIXES or not PLAIN_NAME.fullmatch(model.name):
        raise UsageError(
            "A model file with a card ends in .tflite or .onnx, and its name has letters, digits "
            f"and ._- only. Received: {model.name}"
        )
    require_free(output, force=force)
    if model.suffix == ONNX_SUFFIX and (others := external_tensor_files(model)):
        raise UsageError(
            f"{model.name} has weights in {others[0].name}, which no card's sha256 covers. Save it "
            "with its weights in one file, or bring it into the store: facekit models import "
            f"{model.name} --as NAME"
        )
    sha256 = sha256_of(model)
    require_tried({model: sha256}, by_card=False)
    net = open_net(model, request=AcceleratorRequest()).net
    content = _content(model, sha256, net, preprocessing)
    if pad is not None:
        _make_pad(content, pad)
    made = CardFile(str(model), output, json.loads(json.dumps(content)))
    if output is not None:
        write_atomically(output, made.text().encode())
    return made


def _content(
    model: Path, sha256: str, net: Net, preprocessing: Preprocessing | None
) -> dict[str, Any]:
    picture, numbers = _sides(model, net)
    system = None if preprocessing is None else SYSTEM_PREPROCESSING[preprocessing]
    flip = Flip.NONE if system is None else system.flip
    return {
        "schema_version": SCHEMA_VERSION,
        "name": model.stem,
        "variant": _variant(model, net),
        "task": Task.EMBEDDING.value,
        "architecture": NOT_STATED,
        "file_name": model.name,
        "file_sha256": sha256,
        "file_size_bytes": model.stat().st_size,
        "source": {
            "title": None,
            "url": None,
            "sha256": sha256,
            "license": None,
            "accuracy": None,
        },
        "input": {
            "height_px": picture[0],
            "width_px": picture[1],
            "color_order": system and system.color_order.value,
            "mean": system and system.mean,
            "std": system and system.std,
        },
        "quantization": {
            **blanks_to_null(asdict(Quantization()), "input_formula"),
            "scheme": "none" if net.inputs[0].dtype == "float32" else None,
        },
        "crop": asdict(system.crop)
        if system
        else {"rule": None, "margin_px": 0, "resize_filter": ResizeFilter.BILINEAR.value},
        "embedding_size": numbers and numbers * flip.vectors,
        "flip": flip.value,
        "calibration": Calibration().to_dict(),
        "tools": {},
    }


def _make_pad(content: dict[str, Any], system: PadSystem) -> None:
    """Turns a draft for an embedding network into one for a presentation attack detector.

    Minivision's networks are fed pixel values 0..255 in the order of OpenCV, and compute logits of
    three classes, of which the second is a live face (Silent-Face-Anti-Spoofing, test.py and
    src/anti_spoof_predict.py; its authors call the others fake, and state no threshold: the class
    with the greatest score decides).
    """
    classes = content["embedding_size"]
    scale = _MINIFASNET_SCALES.get(system)
    content |= {"task": Task.PAD.value, "crop": None, "embedding_size": 0}
    if scale is None:
        content["pad"] = {
            "crop_scale": None,
            "classes": classes and [None] * classes,
            "bona_fide": None,
            "scores": None,
            "threshold_score": None,
            "threshold_source": None,
        }
        return
    content["architecture"] = system.value
    content["input"] |= {"color_order": ColorOrder.BGR.value, "mean": 0.0, "std": 1.0}
    content["pad"] = asdict(
        PadSpec(
            crop_scale=scale,
            classes=("attack-0", "bona_fide", "attack-2"),
            bona_fide="bona_fide",
            scores=ClassScores.LOGITS,
            threshold_score=0.5,
            threshold_source="half of all probability; measured on nothing",
        )
    )


_MINIFASNET_SCALES = {PadSystem.MINIFASNET_V2: 2.7, PadSystem.MINIFASNET_V1SE: 4.0}


def _sides(model: Path, net: Net) -> tuple[list[int | None], int | None]:
    """Returns height and width of the image, and length of the embedding; None for a dynamic
    dimension."""
    inputs = [tuple(one.shape) for one in net.inputs]
    outputs = [tuple(one.shape) for one in net.outputs]
    fits = len(inputs) == len(outputs) == 1 and (len(inputs[0]), len(outputs[0])) == (4, 2)
    if not fits or inputs[0][3] not in (DYNAMIC, _COLORS):
        raise ModelMismatchError(
            f"{model} must take one picture, (N, height, width, 3) or (N, 3, height, width), and "
            "give one embedding, (N, D), or as many scores of classes. Received: inputs "
            f"{_listed(inputs)}, outputs {_listed(outputs)}."
        )
    known = [None if side == DYNAMIC else side for side in (*inputs[0][1:3], outputs[0][1])]
    return known[:2], known[2]


def _listed(shapes: list[tuple[int, ...]]) -> str:
    return ", ".join(map(str, shapes)) or "none"


def _variant(model: Path, net: Net) -> str:
    if model.suffix == ONNX_SUFFIX:
        return onnx_variant(Precision.FP32)
    dtype = net.inputs[0].dtype
    return DEFAULT_VARIANT if dtype == "float32" else dtype


def _blanks(content: Mapping[str, Any], within: str = "") -> Iterator[str]:
    for name, value in content.items():
        is_without_crop = name == "crop" and value is None
        if is_without_crop or f"{within}{name}" in _MAY_BE_NULL:
            continue
        if isinstance(value, Mapping):
            yield from _blanks(value, f"{within}{name}.")
        elif value is None or (isinstance(value, list) and None in value):
            yield f"{within}{name}"
