"""Detectors whose cards are right, and which end LiteRT's process by a signal."""

from __future__ import annotations

from pathlib import Path

from facekit.model.card import Task
from tests.model.made_up_model import write_model

WHEN_OPENED = {16: 0, 18: 0, 796: 1, 797: 0, 798: 0, 799: 0}
"""Bytes of open_sides.tflite by their offsets, with which LiteRT 2 reads outside the file."""
WHEN_RUN = dict.fromkeys(range(684, 688), 0xFF)
"""The same in a file that facekit's own reader takes.  What LiteRT reads is chance: where that is
harmless, in about one process of three, it goes on."""


def crashing(data: Path, folder: Path, changes: dict[int, int]) -> Path:
    """A detector that ends LiteRT's process by SIGSEGV."""
    content = bytearray((data / "nets" / "open_sides.tflite").read_bytes())
    for offset, value in changes.items():
        content[offset] = value
    return write_detector(folder, bytes(content))


def write_detector(folder: Path, content: bytes) -> Path:
    """A detector's file of any content, with its card."""
    return write_model(folder, content=content, task=Task.DETECTION, crop=None, embedding_size=0)
