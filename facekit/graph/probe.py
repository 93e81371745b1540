"""A known picture, what the nets answer to it, and whether two answers agree.

`golden.json` has answers that other people's code computed once.  It is keyed by the sha256 of the
source weights, then by net, and lists each output as
{"shape": [...], "values": "numbers between blanks"}.  It was made by

    python -m tests.networks.make_golden graph_final.pb mtcnn-1.0.0-py3-none-any.whl \\
        face_recognition_sface_2021dec_int8bq.onnx face_detection_yunet_2023mar_int8bq.onnx

which runs the frozen graph in OpenCV's DNN module, MTCNN in the mtcnn package itself, SFace in
ONNX Runtime, and YuNet there too, with its weights expanded.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facekit.errors import ModelBuildError
from facekit.runtime.preprocess import model_input
from facekit.types import Float32Array, InputSpec, UInt8Array

GREATEST_DIFFERENCE = 1e-5
"""between two unit-length embeddings of one picture, in any of their numbers"""
_FILE = Path(__file__).with_name("golden.json")
_PROBE_SHAPES = {
    "inception_resnet_v1": (1, 160, 160, 3),
    "pnet": (1, 16, 20, 3),
    "rnet": (2, 24, 24, 3),
    "onet": (2, 48, 48, 3),
    "yunet": (1, 64, 96, 3),
}


def probe(net: str, spec: InputSpec) -> Float32Array:
    """The known picture at the net's size, scaled by `spec`: (N, H, W, 3) float32."""
    usual = (1, spec.height_px, spec.width_px, 3)
    count, height, width, _ = _PROBE_SHAPES.get(net, usual)
    return model_input(
        pattern(count, height, width), replace(spec, height_px=height, width_px=width)
    )


def pattern(count: int, height: int, width: int) -> UInt8Array:
    """(count, height, width, 3) uint8, from integers alone: the same on every machine.

    Colored rings that widen from the upper left and differ from picture to picture, so that
    mirrored, transposed or wrongly colored input is answered differently.
    """
    n, y, x, channel = np.ogrid[:count, :height, :width, :3]
    rings: NDArray[np.int64] = (
        (x * x + 2 * y * y) // (24 + 8 * channel) + (3 + n) * x + 5 * channel * y
    )
    return (rings % 256).astype(np.uint8)


def golden_outputs(weights_sha256: str, net: str) -> tuple[Float32Array, ...] | None:
    """The net's outputs for `probe`, or None for weights that no value is known for."""
    outputs = json.loads(_FILE.read_bytes()).get(weights_sha256, {}).get(net)
    if outputs is None:
        return None
    return tuple(
        np.array(one["values"].split(), np.float32).reshape(one["shape"]) for one in outputs
    )


def require_same_answer(ours: Float32Array, theirs: Float32Array, which: str) -> None:
    """Raises ModelBuildError where two nets' embeddings, (N, D) each, differ in direction."""
    difference = (
        float(np.abs(_directions(ours) - _directions(theirs)).max())
        if ours.shape == theirs.shape
        else np.nan
    )
    if not difference <= GREATEST_DIFFERENCE:  # also for NaN
        raise ModelBuildError(
            f"{which} and the graph that was filled from it do not agree on a known picture: "
            f"greatest difference {difference:.2g}, {GREATEST_DIFFERENCE} allowed."
        )


def _directions(vectors: Float32Array) -> Float32Array:
    """(N, D), each row of unit length; a row of zeros is NaN, which agrees with nothing."""
    with np.errstate(invalid="ignore"):
        return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))
