"""A picture of several people, composed of portraits."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from facekit.photo.decode import read_image
from facekit.photo.write import write_png

_HEIGHT_PX = 800


def write_group(path: Path, *shipped_portraits: Path) -> Path:
    """The portraits side by side, each cut to the same height."""
    write_png(
        path, np.concatenate([read_image(one)[:_HEIGHT_PX] for one in shipped_portraits], axis=1)
    )
    return path
