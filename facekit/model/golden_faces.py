"""The known answers of facekit's own models to the faces of facekit/face/portraits.py.

`golden_faces.json` has them by the SHA-256 of the source weights.  Of an embedding model it has the
(3, D) embeddings of the faces' crops, of unit length, as OpenCV's DNN module or ONNX Runtime
computes them from the source file.  Of a detector it has (3, 4) boxes, one for each photo, as the
float32 nets find them.  The file was created by

  python -m tests.networks.make_golden_faces graph_final.pb \\
      face_recognition_sface_2021dec_int8bq.onnx
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from facekit.model import registry
from facekit.model.card import Card
from facekit.types import Float32Array, InputSpec

_FILE = Path(__file__).with_suffix(".json")


def golden_embeddings(card: Card) -> Float32Array | None:
    """Returns the (3, D) embeddings, of unit length, that these weights give the shipped crops.

    Returns None for weights that are not in the file, and for a card that feeds or crops otherwise
    than the registry does for these weights.
    """
    for name in registry.names():
        entry = registry.entry(name)
        if entry.source.sha256 == card.source.sha256:
            same = entry.card.crop == card.crop and _is_fed_alike(entry.card.input, card.input)
            return _numbers(card, "embeddings") if same else None
    return None


def golden_boxes(card: Card) -> Float32Array | None:
    """Returns the (3, 4) boxes that the detector with these weights finds in the shipped photos.

    Each box is x1, y1, x2, y2 in pixels of its photo.  Returns None for other weights.
    """
    return _numbers(card, "boxes_xyxy")


def _is_fed_alike(a: InputSpec, b: InputSpec) -> bool:
    """Returns whether two inputs differ by less than a pixel value; integer files round theirs."""
    return (
        (a.height_px, a.width_px, a.color_order) == (b.height_px, b.width_px, b.color_order)
        and abs(a.mean - b.mean) < 1
        and abs(a.std - b.std) < 1
    )


def _numbers(card: Card, kind: str) -> Float32Array | None:
    rows = json.loads(_FILE.read_bytes()).get(card.source.sha256, {}).get(kind)
    return None if rows is None else np.array([row.split() for row in rows], np.float32)
