"""Makes photos worse in eleven ways, for measuring what quality scores are worth.

Each way takes a photo (H, W, 3) RGB uint8 whose face is in the middle, as LFW's deep-funneled
photos have it, a severity 0..1 and a source of random numbers.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from facekit.photo.write import jpeg_bytes
from facekit.types import UInt8Array

Degrade = Callable[[UInt8Array, float, np.random.Generator], UInt8Array]
CLEAN = "clean"
_SECOND = 0.3  # share of the copies that are degraded in two ways


def degraded(photo: UInt8Array, name: str, copy: int, *, seed: int) -> tuple[UInt8Array, str]:
    """Returns a copy and what was done to it; copy 0 is the photo as it is.

    The same name, copy and seed give the same pixels.
    """
    if copy == 0:
        return photo, CLEAN
    first, second, severity, random = _drawn(name, copy, seed)
    photo = WAYS[first](photo, severity, random)
    if random.uniform() >= _SECOND:
        return photo, first
    return WAYS[second](photo, float(random.uniform()), random), f"{first}+{second}"


def severity_of(name: str, copy: int, *, seed: int) -> float:
    """Returns the severity, 0..1, of the first way in which `degraded` makes a copy worse."""
    return _drawn(name, copy, seed)[2]


def _drawn(name: str, copy: int, seed: int) -> tuple[str, str, float, np.random.Generator]:
    """Returns two ways, the severity of the first, and what draws the rest."""
    random = np.random.default_rng([seed, copy, zlib.crc32(name.encode())])
    first, second = map(str, random.permutation(list(WAYS))[:2])
    return first, second, float(random.uniform()), random


def _blur(photo: UInt8Array, severity: float, _: np.random.Generator) -> UInt8Array:
    return np.asarray(cv2.GaussianBlur(photo, (0, 0), 0.7 + 5 * severity), np.uint8)


def _motion(photo: UInt8Array, severity: float, random: np.random.Generator) -> UInt8Array:
    length = 3 + 22 * severity
    angle, reach = random.uniform(0, np.pi), int(np.ceil(length / 2))
    steps = np.linspace(-length / 2, length / 2, 200)
    kernel = np.zeros((2 * reach + 1, 2 * reach + 1), np.float32)
    rows, columns = (np.rint(steps * part + reach).astype(int) for part in
                     (np.sin(angle), np.cos(angle)))  # fmt: skip
    np.add.at(kernel, (rows, columns), 1 / 200)
    return np.asarray(cv2.filter2D(photo, -1, kernel), np.uint8)


def _noise(photo: UInt8Array, severity: float, random: np.random.Generator) -> UInt8Array:
    return _levels(photo + random.normal(0, 5 + 55 * severity, photo.shape))


def _scale(photo: UInt8Array, severity: float, _: np.random.Generator) -> UInt8Array:
    """Reduced and enlarged again."""
    small = _small(photo, (0.3 + 6 * severity) / 3.2, _)
    size = photo.shape[1], photo.shape[0]
    return np.asarray(cv2.resize(small, size, interpolation=cv2.INTER_LINEAR), np.uint8)


def _small(photo: UInt8Array, severity: float, _: np.random.Generator) -> UInt8Array:
    factor = 1 + 3.2 * severity
    size = round(photo.shape[1] / factor), round(photo.shape[0] / factor)
    return np.asarray(cv2.resize(photo, size, interpolation=cv2.INTER_AREA), np.uint8)


def _dark(photo: UInt8Array, severity: float, random: np.random.Generator) -> UInt8Array:
    """Too little light, with the sensor's noise."""
    return _levels(photo / (1.5 + 14 * severity) + random.normal(0, 1 + severity, photo.shape))


def _bright(photo: UInt8Array, severity: float, _: np.random.Generator) -> UInt8Array:
    return _levels(photo * (1.3 + 4 * severity))


def _side_light(photo: UInt8Array, severity: float, random: np.random.Generator) -> UInt8Array:
    columns = photo.shape[1]
    across = np.linspace(-1, 1, columns) * random.choice([-1, 1])
    share = 1 / (1 + np.exp(-8 * across))
    gain = 1.3 * share + (1 - share) / (1.5 + 12 * severity)
    return _levels(photo * gain[None, :, None])


def _haze(photo: UInt8Array, severity: float, _: np.random.Generator) -> UInt8Array:
    """Little contrast."""
    return _levels(128 + (photo.astype(np.float64) - 128) * (0.6 - 0.56 * severity))


def _jpeg(photo: UInt8Array, severity: float, _: np.random.Generator) -> UInt8Array:
    encoded = np.frombuffer(jpeg_bytes(photo, quality=round(30 - 28 * severity)), np.uint8)
    decoded = cv2.imdecode(encoded, cv2.IMREAD_COLOR)
    assert decoded is not None
    return np.asarray(cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB), np.uint8)


def _cover(photo: UInt8Array, severity: float, random: np.random.Generator) -> UInt8Array:
    """A bar of one color over a part of the face."""
    height, width = photo.shape[:2]
    sides = np.array([0.1 + 0.3 * severity, 0.08 + 0.2 * severity])
    sides = sides[:: random.choice([-1, 1])] * (width, height)
    middle = np.array([0.5, 0.54]) + random.uniform(-0.11, 0.11, 2)
    low = np.maximum(middle * (width, height) - sides / 2, 0).astype(int)
    high = (middle * (width, height) + sides / 2).astype(int)
    covered = photo.copy()
    covered[low[1] : high[1], low[0] : high[0]] = random.integers(0, 256, 3)
    return np.asarray(covered, np.uint8)


WAYS: dict[str, Degrade] = {
    "blur": _blur,
    "motion": _motion,
    "noise": _noise,
    "scale": _scale,
    "small": _small,
    "dark": _dark,
    "bright": _bright,
    "side-light": _side_light,
    "haze": _haze,
    "jpeg": _jpeg,
    "cover": _cover,
}


def _levels(values: NDArray[np.floating]) -> UInt8Array:
    return np.asarray(np.clip(np.rint(values), 0, 255), np.uint8)
