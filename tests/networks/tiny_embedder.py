"""The network of tests/data/tiny as an embedding model: quantized in milliseconds."""

from __future__ import annotations

import hashlib
from pathlib import Path

from facekit.enums import ColorOrder, CropRule, ResizeFilter
from facekit.model.card import Card, Source, Task, bound
from facekit.model.store import InstalledModel
from facekit.types import CropSpec, InputSpec

SPEC = InputSpec(16, 16, ColorOrder.RGB, mean=127.5, std=128.0)


def tiny_embedder(data: Path, folder: Path, *, spec: InputSpec = SPEC) -> InstalledModel:
    """tiny_float32.tflite with its card, in `folder`."""
    return write_embedder(folder, (data / "tiny" / "float32.tflite").read_bytes(), spec=spec)


def write_embedder(folder: Path, content: bytes, *, spec: InputSpec = SPEC) -> InstalledModel:
    """The LiteRT file `content`, which gives 10 numbers, as tiny_float32.tflite with its card."""
    path = folder / "tiny_float32.tflite"
    folder.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    card = Card(
        name="tiny",
        variant="float32",
        task=Task.EMBEDDING,
        architecture="tiny",
        file_name=path.name,
        file_sha256=hashlib.sha256(content).hexdigest(),
        file_size_bytes=len(content),
        source=Source("noise", "", "0" * 64, "MIT"),
        input=spec,
        crop=CropSpec(CropRule.MARGIN, 3.2, ResizeFilter.BILINEAR),
        embedding_size=10,
    )
    card = bound(card)
    path.with_suffix(".json").write_text(card.to_json())
    return InstalledModel(card, path)
