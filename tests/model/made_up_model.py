"""Model files with a valid card: bytes that are no network, and for what runs one a small one.

Also the cards that facekit makes, and such a card with made-up figures.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from facekit.enums import ColorOrder, CropRule, ResizeFilter
from facekit.model import registry
from facekit.model.card import Card, Source, Task, parse_card
from facekit.model.shipped_calibrations import recognized, shipped_calibration
from facekit.model.variants import ONNX_SUFFIX, file_name, suffix_of
from facekit.types import CropSpec, InputSpec

SHA256 = "0123456789abcdef" * 4

CARD = Card(
    name="toy",
    variant="float32",
    task=Task.EMBEDDING,
    architecture="none",
    file_name="toy_float32.tflite",
    file_sha256=SHA256,
    file_size_bytes=0,
    source=Source("made up", "https://example.org/toy", SHA256, "MIT"),
    input=InputSpec(4, 4, ColorOrder.RGB, 127.5, 128.0),
    crop=CropSpec(CropRule.MARGIN, 32.0, ResizeFilter.BILINEAR),
    embedding_size=2,
)

NETWORK: dict[str, Any] = {
    "input": replace(CARD.input, height_px=16, width_px=16),
    "embedding_size": 10,
}
"""Members of the card of tests/data/tiny's network."""
_TINY = Path(__file__).resolve().parents[1] / "data" / "tiny" / "float32.tflite"


def write_model(
    folder: Path,
    name: str = "toy",
    variant: str = "float32",
    content: bytes = b"not a network",
    **changes: Any,
) -> Path:
    """`<name>_<variant>.tflite`, or .onnx, with its card; returns the model file.

    changes: members of the card that differ from CARD's.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / file_name(name, variant)
    path.write_bytes(content)
    card = replace(
        CARD,
        name=name,
        variant=variant,
        file_name=path.name,
        file_sha256=hashlib.sha256(content).hexdigest(),
        file_size_bytes=len(content),
        **changes,
    )
    path.with_suffix(".json").write_text(card.to_json())
    return path


def write_network(
    folder: Path, name: str = "toy", variant: str = "float32", **changes: Any
) -> Path:
    """The network of tests/data/tiny with its card; files of two variants differ in a last word.

    A variant of ONNX needs the package onnx.
    """
    content = _TINY.read_bytes() + variant.encode()
    if suffix_of(variant) == ONNX_SUFFIX:
        from facekit.graph.read.litert import read_litert_graph  # images of boards lack its schema
        from facekit.graph.write.onnx import to_onnx

        content = to_onnx(read_litert_graph(_TINY, name="tiny")).model.SerializeToString()
    return write_model(folder, name, variant, content=content, **NETWORK, **changes)


def shipped_card(name: str = "sface", variant: str = "float32") -> Card:
    """The card of a variant as facekit builds it, read back from JSON as a stranger's would be."""
    shipped = shipped_calibration(name, variant)
    assert shipped is not None
    entry = registry.entry(name)
    card = replace(
        CARD,
        name=name,
        variant=variant,
        file_sha256=shipped.model_sha256,
        source=entry.source,
        input=entry.card.input,
        crop=entry.card.crop,
        embedding_size=entry.card.embedding_size,
        detector=entry.card.detector,
        calibration=shipped.calibration,
    )
    return reread(card)


def reread(card: Card) -> Card:
    return parse_card(json.loads(card.to_json()), origin="test")


def loosened(card: Card) -> Card:
    """Any two faces are one person's, at an FMR of 1 in 10,000: nothing in it contradicts itself.

    Every threshold is -0.5, and the curve agrees.
    """
    points = tuple(
        replace(one, threshold_similarity=-0.5, fmr=1e-4)
        for one in card.calibration.operating_points
    )
    calibration = replace(
        card.calibration, operating_points=points, fmr_curve=((-0.5, 1e-4),), others=()
    )
    return recognized(reread(replace(card, calibration=calibration)))
