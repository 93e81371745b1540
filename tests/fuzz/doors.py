"""Every kind of input that comes from outside, by its name."""

from __future__ import annotations

from tests.fuzz.door import Door
from tests.fuzz.file_doors import EMBEDDINGS, PACKED, PICTURES, REQUESTS
from tests.fuzz.model_doors import ARCHIVES, CARDS
from tests.fuzz.network_doors import CAFFE, CHECKPOINTS, GRAPHS, KERAS, LITERT, ONNX, TORCH
from tests.fuzz.store_doors import EXPORTS, GALLERIES
from tests.fuzz.text_doors import KEYS, PAIRS, SETTINGS

DOORS: dict[str, Door] = {
    "pictures": PICTURES,
    "packed": PACKED,
    "embeddings": EMBEDDINGS,
    "requests": REQUESTS,
    "galleries": GALLERIES,
    "exports": EXPORTS,
    "pairs": PAIRS,
    "settings": SETTINGS,
    "keys": KEYS,
    "cards": CARDS,
    "archives": ARCHIVES,
    "keras": KERAS,
    "torch": TORCH,
    "graphs": GRAPHS,
    "caffe": CAFFE,
    "onnx": ONNX,
    "checkpoints": CHECKPOINTS,
    "litert": LITERT,
}
