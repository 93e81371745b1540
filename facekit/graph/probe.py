"""A fixed test image, the expected outputs of known networks, and a comparison of two outputs.

`golden.json` stores outputs that other implementations computed, by the SHA-256 of the source
weights, then by network.  Each output is {"shape": [...], "values": "numbers separated by blanks"}.
The file was created by

  python -m tests.networks.make_golden graph_final.pb mtcnn-1.0.0-py3-none-any.whl \\
      face_recognition_sface_2021dec_int8bq.onnx face_detection_yunet_2023mar_int8bq.onnx

which runs the frozen graph in OpenCV's DNN module, MTCNN in the mtcnn package itself, and SFace and
YuNet in ONNX Runtime, YuNet with its weights expanded to float32.
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

MAX_DIFFERENCE = 1e-5
"""The largest difference allowed between any two elements of two unit-length embeddings."""
_FILE = Path(__file__).with_name("golden.json")
_PROBE_SHAPES = {
    "inception_resnet_v1": (1, 160, 160, 3),
    "pnet": (1, 16, 20, 3),
    "rnet": (2, 24, 24, 3),
    "onet": (2, 48, 48, 3),
    "yunet": (1, 64, 96, 3),
}


def probe(net: str, spec: InputSpec) -> Float32Array:
    """Returns the test image, normalized by `spec`, as (N, H, W, 3) float32 of the input size."""
    default_shape = (1, spec.height_px, spec.width_px, 3)
    count, height, width, _ = _PROBE_SHAPES.get(net, default_shape)
    return model_input(
        pattern(count, height, width), replace(spec, height_px=height, width_px=width)
    )


def pattern(count: int, height: int, width: int) -> UInt8Array:
    """Returns test images, (count, height, width, 3) uint8.

    Only integer arithmetic is used, so the images are the same on every machine.  Colored rings
    widen from the upper left corner and differ from image to image.  A mirrored, transposed or
    wrongly colored input therefore leads to a different output.
    """
    n, y, x, channel = np.ogrid[:count, :height, :width, :3]
    rings: NDArray[np.int64] = (
        (x * x + 2 * y * y) // (24 + 8 * channel) + (3 + n) * x + 5 * channel * y
    )
    return (rings % 256).astype(np.uint8)


def golden_outputs(weights_sha256: str, net: str) -> tuple[Float32Array, ...] | None:
    """Returns the stored outputs for `probe`, or None if none are stored for these weights."""
    outputs = json.loads(_FILE.read_bytes()).get(weights_sha256, {}).get(net)
    if outputs is None:
        return None
    return tuple(
        np.array(output["values"].split(), np.float32).reshape(output["shape"])
        for output in outputs
    )


def require_same_answer(ours: Float32Array, theirs: Float32Array, title: str) -> None:
    """Raises ModelBuildError if the embeddings of two networks differ by more than MAX_DIFFERENCE.

    `ours` and `theirs` are (N, D).  They are scaled to unit length and compared element by element.
    """
    difference = (
        float(np.abs(_unit_rows(ours) - _unit_rows(theirs)).max())
        if ours.shape == theirs.shape
        else np.nan
    )
    if not difference <= MAX_DIFFERENCE:  # also for NaN
        raise ModelBuildError(
            f"{title} and the graph that was filled from it do not agree on a test image: "
            f"greatest difference {difference:.2g}, {MAX_DIFFERENCE} allowed."
        )


def _unit_rows(vectors: Float32Array) -> Float32Array:
    """Scales each row of (N, D) to unit length.  A row of zeros becomes NaN."""
    with np.errstate(invalid="ignore"):
        return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))
