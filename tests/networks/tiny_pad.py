"""A presentation attack detector of a few numbers: it looks at how much redder than blue a face is.

Made-up prints and screens (tests/made_up_attacks.py) have paler or bluer skin than the photos
that they are made of; of real attacks it says nothing.  It is fed as minivision's MiniFASNet is:
0..255, BGR, logits of three classes, of which the second is bona fide.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

from facekit.enums import ClassScores, ColorOrder
from facekit.graph import moves, operations
from facekit.graph.graph import Graph
from facekit.graph.write.litert import to_litert
from facekit.model.card import Card, Source, Task
from facekit.model.variants import ONNX_SUFFIX, file_name, suffix_of
from facekit.types import InputSpec, PadSpec

SIDE_PX = 80
PAD = PadSpec(
    crop_scale=1.0,
    classes=("attack-print", "bona_fide", "attack-other"),
    bona_fide="bona_fide",
    scores=ClassScores.LOGITS,
    threshold_score=0.5,
    threshold_source="nothing: made up",
)
SPEC = InputSpec(SIDE_PX, SIDE_PX, ColorOrder.BGR, mean=0.0, std=1.0)
_LEAST_REDNESS = 55.0
"""Mean difference of red and blue, in gray levels, below which a crop counts as an attack."""


def tiny_pad_graph() -> Graph:
    """(1, 80, 80, 3) BGR -> (1, 3): logits 0 of both attacks, and one that rises with redness."""
    image = operations.graph_input("image", (1, SIDE_PX, SIDE_PX, 3))
    kernel = np.array([-1.0, 0.0, 1.0], np.float32).reshape(1, 1, 3, 1)
    redness = operations.mean(operations.convolution(image, kernel, "red_minus_blue"), "mean")
    vector = redness if len(redness.shape) == 2 else moves.flatten(redness, "vector")
    weights = np.array([[0.0, 1.0, 0.0]], np.float32)
    bias = np.array([0.0, -_LEAST_REDNESS, 0.0], np.float32)
    return Graph("tiny_pad", (operations.dense(vector, weights, "logits", bias=bias),))


def write_pad(
    folder: Path, name: str = "tinypad", variant: str = "float32", *, pad: PadSpec = PAD
) -> Path:
    """The network as <name>_<variant>.tflite or .onnx with its card; returns the model file."""
    content = _content(variant)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / file_name(name, variant)
    path.write_bytes(content)
    card = Card(
        name=name,
        variant=variant,
        task=Task.PAD,
        architecture="red minus blue",
        file_name=path.name,
        file_sha256=hashlib.sha256(content).hexdigest(),
        file_size_bytes=len(content),
        source=Source("made up", "", "0" * 64, "MIT"),
        input=SPEC,
        pad=pad,
    )
    path.with_suffix(".json").write_text(card.to_json())
    return path


def _content(variant: str) -> bytes:
    if suffix_of(variant) != ONNX_SUFFIX:
        return to_litert(tiny_pad_graph())
    from facekit.graph.write.onnx import to_onnx  # needs the package onnx

    return bytes(to_onnx(tiny_pad_graph()).model.SerializeToString())
