"""Makes photos that look as presentation attacks do, for tests of the machinery.

These are drawings, neither photographed prints nor screens: error rates on them say nothing about
real attacks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import cv2
import numpy as np

from facekit.photo.decode import read_image
from facekit.photo.write import write_png
from facekit.types import UInt8Array

_BONA_FIDE = "bona-fide"


def made_up_print(photo: UInt8Array, seed: int) -> UInt8Array:
    """A halftone print of (H, W, 3): less contrast, paler colors, and dots in three screens."""
    random = np.random.default_rng(seed)
    rows, columns = np.mgrid[: photo.shape[0], : photo.shape[1]].astype(np.float32)
    pitch_px = random.uniform(3.0, 4.0)
    pale = 70 + 0.55 * photo.astype(np.float32)
    for channel, degrees in enumerate(random.uniform(0, 30) + np.array([15.0, 45.0, 75.0])):
        u = (columns * np.cos(np.radians(degrees)) + rows * np.sin(np.radians(degrees))) / pitch_px
        v = (rows * np.cos(np.radians(degrees)) - columns * np.sin(np.radians(degrees))) / pitch_px
        pale[..., channel] += 28 * np.cos(2 * np.pi * u) * np.cos(2 * np.pi * v)
    return _pixels(pale)


def made_up_replay(photo: UInt8Array, seed: int) -> UInt8Array:
    """A screen that plays (H, W, 3): columns of subpixels, a moire of bands, bluer and brighter."""
    random = np.random.default_rng(seed)
    rows, columns = np.mgrid[: photo.shape[0], : photo.shape[1]].astype(np.float32)
    shown = photo.astype(np.float32) * np.array([0.92, 0.97, 1.08], np.float32) + 12
    angle = random.uniform(-0.3, 0.3)
    fine = np.cos(2 * np.pi * (columns * np.cos(angle) + rows * np.sin(angle)) / 2.2)
    wave = np.cos(2 * np.pi * (columns + rows * random.uniform(0.3, 0.8)) / random.uniform(9, 16))
    return _pixels(shown + 16 * fine[..., None] + 14 * wave[..., None])


def made_up_cut(photo: UInt8Array, seed: int) -> UInt8Array:
    """A photo of (H, W, 3) cut out along an oval and held before a plain wall, with its shadow."""
    random = np.random.default_rng(seed)
    rows, columns = photo.shape[:2]
    center = (columns / 2 + random.uniform(-3, 3), rows / 2 + random.uniform(-3, 3))
    size = (columns * 0.62, rows * 0.8)
    mask, shadow = np.zeros((2, rows, columns), np.uint8)
    cv2.ellipse(mask, (center, size, random.uniform(-8, 8)), 255, -1)
    moved = (center[0] + 0.02 * columns, center[1] + 0.02 * rows)
    cv2.ellipse(shadow, (moved, size, 0.0), 255, -1)
    wall = np.full(photo.shape, random.uniform(120, 200), np.float32)
    dark = cv2.GaussianBlur(shadow, (0, 0), 0.015 * rows)[..., None] / 255.0
    behind = wall * (1 - 0.4 * dark)
    edge = cv2.morphologyEx(mask, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8))
    paper = np.where(edge[..., None] > 0, 245.0, 60 + 0.6 * photo.astype(np.float32))
    return _pixels(np.where(mask[..., None] > 0, paper, behind))


ATTACKS: Mapping[str, Callable[[UInt8Array, int], UInt8Array]] = {
    "print": made_up_print,
    "replay": made_up_replay,
    "cut": made_up_cut,
}


def write_made_up(photos: list[Path], folder: Path, *, seed: int = 0) -> None:
    """Writes each photo into folder/bona-fide, and each attack into the folder of its species."""
    for number, path in enumerate(photos):
        pixels = read_image(path)
        made = {_BONA_FIDE: pixels}
        made |= {name: attack(pixels, seed + number) for name, attack in ATTACKS.items()}
        for name, shown in made.items():
            (folder / name).mkdir(parents=True, exist_ok=True)
            write_png(folder / name / f"{number:04}_{path.stem}.png", shown)


def _pixels(values: np.ndarray) -> UInt8Array:
    return np.asarray(np.clip(np.rint(values), 0, 255), np.uint8)
