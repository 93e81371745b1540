"""Short videos made of the photos in tests/data, with the truth about every frame.

A person is the head of a photo, cut out by an ellipse and pasted onto a still, textured
background; where one stands before another, the later one of `Scene.people` is in front.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import cv2
import numpy as np

from facekit.face.geometry import Overlap, overlaps
from facekit.photo.decode import load_picture
from facekit.types import Float32Array, UInt8Array

DATA = Path(__file__).parents[1] / "data"
WIDTH, HEIGHT, FPS = 640, 480, 25.0

FACE_BOXES = {
    "obama": (380, 86, 613, 415),
    "obama2": (191, 222, 464, 626),
    "biden": (432, 169, 711, 562),
}
"""x1, y1, x2, y2 in the photo, as `facekit detect --face largest tests/data/*.jpg` says"""


@dataclass(frozen=True)
class Place:
    """Where the middle of a face box is, and how wide the box is, in pixels of the frame."""

    x: float
    y: float
    face_px: float


@dataclass(frozen=True)
class Person:
    photo: str
    path: Callable[[int], Place | None]
    """frame number -> place; None: not there"""


@dataclass(frozen=True)
class Scene:
    people: tuple[Person, ...]
    frames: int
    pillar: tuple[int, int] | None = None
    """x from, to of an upright beam before everybody"""

    def truth(self, number: int) -> list[Float32Array | None]:
        """(4,) face boxes, one a person; None where less than two thirds of it can be seen."""
        boxes: list[Float32Array | None] = []
        for person in reversed(self.people):  # from the front to the back
            place = person.path(number)
            box = None if place is None else _box(person.photo, place)
            boxes.append(None if box is None or self._hidden(box, boxes) else box)
        return boxes[::-1]

    def _hidden(self, box: Float32Array, in_front: list[Float32Array | None]) -> bool:
        before = [other for other in in_front if other is not None]
        if self.pillar is not None:
            before.append(np.array([self.pillar[0], 0, self.pillar[1], HEIGHT], np.float32))
        if not before:
            return False
        covered = overlaps(box[None], np.stack(before), Overlap.SMALLER)
        return float(covered.max()) > 1 / 3

    def pictures(self) -> Iterator[UInt8Array]:
        """(480, 640, 3) RGB"""
        for number in range(self.frames):
            picture = background().copy()
            for person in self.people:
                place = person.path(number)
                if place is not None:
                    _paste(picture, person.photo, place)
            if self.pillar is not None:
                picture[:, slice(*self.pillar)] = (70, 60, 50)
            yield picture

    def write(self, path: Path, codec: str = "MJPG") -> Path:
        writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*codec), FPS, (WIDTH, HEIGHT))
        assert writer.isOpened()
        for picture in self.pictures():
            writer.write(cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
        writer.release()
        return path


@cache
def background() -> UInt8Array:
    noise = np.random.default_rng(5).integers(60, 200, (HEIGHT // 8, WIDTH // 8, 3), np.uint8)
    return np.asarray(cv2.resize(noise, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC), np.uint8)


@cache
def _head(photo: str) -> tuple[UInt8Array, Float32Array]:
    """(H, W, 3) RGB of twice the face box's sides about its middle, (H, W) opacity 0..1."""
    pixels = load_picture(str(DATA / f"{photo}.jpg")).pixels
    x1, y1, x2, y2 = FACE_BOXES[photo]
    half_width, half_height = (x2 - x1) // 2, (y2 - y1) // 2
    padded = cv2.copyMakeBorder(
        pixels, half_height, half_height, half_width, half_width, cv2.BORDER_REPLICATE
    )
    head = padded[y1 : y2 + 2 * half_height, x1 : x2 + 2 * half_width]
    opacity = np.zeros(head.shape[:2], np.float32)
    middle = (head.shape[1] // 2, head.shape[0] // 2)
    cv2.ellipse(
        opacity, middle, (round(middle[0] * 0.8), round(middle[1] * 0.85)), 0, 0, 360, 1, -1
    )
    return np.asarray(head, np.uint8), np.asarray(cv2.GaussianBlur(opacity, (0, 0), 4), np.float32)


def _box(photo: str, place: Place) -> Float32Array:
    x1, y1, x2, y2 = FACE_BOXES[photo]
    half = np.array([place.face_px, place.face_px * (y2 - y1) / (x2 - x1)]) / 2
    middle = np.array([place.x, place.y])
    return np.concatenate([middle - half, middle + half]).astype(np.float32)


def _paste(picture: UInt8Array, photo: str, place: Place) -> None:
    """With subpixel shifts, as motion has them."""
    head, opacity = _head(photo)
    x1, _, x2, _ = FACE_BOXES[photo]
    scale = place.face_px / (x2 - x1)
    small = cv2.resize(head, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    height, width = small.shape[:2]
    mask = cv2.resize(opacity, (width, height), interpolation=cv2.INTER_AREA)
    corner = np.array([place.x - width / 2, place.y - height / 2])
    whole = np.floor(corner).astype(int)
    shift = np.column_stack((np.eye(2), corner - whole))
    size = (width + 1, height + 1)
    moved, weight = (cv2.warpAffine(part, shift, size) for part in (small, mask))
    left, top = np.maximum(whole, 0)
    right, bottom = np.minimum(whole + size, (WIDTH, HEIGHT))
    part = slice(top - whole[1], bottom - whole[1]), slice(left - whole[0], right - whole[0])
    under = picture[top:bottom, left:right]
    share = weight[part][:, :, None]
    under[:] = np.rint(under * (1 - share) + moved[part] * share).astype(np.uint8)


def across(
    start: float, end: float, frames: int, *, y: float = 220, face_px: float = 90
) -> Callable[[int], Place]:
    """Walks from x = start to x = end."""
    return lambda number: Place(start + (end - start) * number / (frames - 1), y, face_px)


def still(x: float, *, y: float = 220, face_px: float = 90) -> Callable[[int], Place]:
    return lambda _: Place(x, y, face_px)


def nearer(
    x: float, frames: int, *, smallest_px: float = 40, largest_px: float = 160
) -> Callable[[int], Place]:
    """Comes closer, as in a zoom."""
    ratio = largest_px / smallest_px
    return lambda number: Place(x, 230, smallest_px * ratio ** (number / (frames - 1)))


CROSSING = Scene(
    (Person("biden", across(110, 530, 120, y=210)), Person("obama", across(530, 110, 120, y=230))),
    frames=120,
)
"""two people walk past each other, one wholly before the other for a while"""
PAN = Scene((Person("obama", across(80, 560, 75)),), frames=75)
ZOOM = Scene((Person("obama2", nearer(320, 75)),), frames=75)
OCCLUSION = Scene((Person("obama", across(80, 560, 100)),), frames=100, pillar=(250, 390))
"""behind a pillar and out again"""
