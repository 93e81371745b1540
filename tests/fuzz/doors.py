"""Every kind of input that comes from outside, by its name."""

from __future__ import annotations

from tests.fuzz.door import Door
from tests.fuzz.file_doors import EMBEDDINGS, PICTURES, REQUESTS
from tests.fuzz.store_doors import EXPORTS, GALLERIES

DOORS: dict[str, Door] = {
    "pictures": PICTURES,
    "embeddings": EMBEDDINGS,
    "requests": REQUESTS,
    "galleries": GALLERIES,
    "exports": EXPORTS,
}
