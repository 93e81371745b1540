"""Model files that are none: bytes with a valid card, for all that does not run a model."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

from facekit.enums import ColorOrder, CropRule, ResizeFilter
from facekit.model.card import Card, Source, Task
from facekit.model.variants import file_name
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
