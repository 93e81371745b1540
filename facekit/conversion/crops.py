"""Creates calibration crops from photos.

Photos are selected and cropped as at run time, and the origin of the crops is recorded.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from facekit.errors import InputError
from facekit.model.store import InstalledModel
from facekit.photo.reading import read_bytes
from facekit.photo.sources import list_pictures
from facekit.pipeline.locate import LocateOptions
from facekit.pipeline.photos import CropPhoto, PhotoFailure, map_photos
from facekit.reporter import SILENT, Reporter
from facekit.system.inputs import InputKind, read_input, reading
from facekit.types import UInt8Array

MIN_CROPS = 16
"""Minimum number of crops.  With fewer crops, the ranges of some activations are too small."""
DEFAULT_CROPS = 400
_LIST = InputKind("a folder of photos or a list of their paths", InputError, max_bytes=100_000_000)
SEED = 20180408  # the date of the default weights; any fixed number makes the selection repeatable


@dataclass(frozen=True, slots=True)
class Origin:
    """The photos on which activation ranges were measured."""

    title: str
    crops: int
    people: int
    list_sha256: str
    """The SHA-256 of the list of the photos' hashes; see `list_sha256`."""
    seed: int
    photos: tuple[str, ...] = ()
    """The names of the photos; () if the photos have no names."""


@dataclass(frozen=True, slots=True, eq=False)
class CropSet:
    """Input images for a model, with their origin."""

    images: UInt8Array = field(repr=False)
    """(N, H, W, 3) uint8, RGB."""
    origin: Origin
    failures: tuple[str, ...] = ()
    """For each photo without a crop, the reason why it has none."""


def photo_crops(
    source: Path,
    model: InstalledModel,
    locate: LocateOptions,
    *,
    count: int = DEFAULT_CROPS,
    seed: int = SEED,
    reporter: Reporter = SILENT,
) -> CropSet:
    """Returns at most `count` crops of the photos in a folder or of those listed in a text file.

    A folder's photos are selected so that each person (subfolder) is used once before anyone is
    used twice; a list is used in its order.  Each crop shows the face that `locate` selects in a
    photo.

    Raises InputError if fewer than MIN_CROPS photos have a face or the list cannot be read, and
    ImageError if a folder has no photos.
    """
    photos = choose_photos(source, count, seed=seed)
    card = model.card
    assert card.crop is not None  # an embedding model's card always has a crop
    job = CropPhoto(locate, card.crop, card.input.height_px, card.input.width_px)
    results = map_photos(job, photos, label="cropping photos", reporter=reporter)
    cropped: list[tuple[Path, UInt8Array]] = []
    failures = []
    for photo, result in zip(photos, results, strict=True):
        if isinstance(result, PhotoFailure):
            failures.append(str(result.error))
        else:
            cropped.append((photo, result))
    if len(cropped) < MIN_CROPS:
        reason = f" First failure: {failures[0]}" if failures else ""
        raise InputError(
            f"Calibration needs at least {MIN_CROPS} photos with a face. {source} has "
            f"{len(photos)} photos, {len(cropped)} of them with one.{reason}"
        )
    used = [photo for photo, _ in cropped]
    origin = Origin(
        title=f"{source.resolve().name}: faces found, cropped by the model's card",
        crops=len(cropped),
        people=len({photo.parent for photo in used}),
        list_sha256=list_sha256([hashlib.sha256(read_bytes(photo)).hexdigest() for photo in used]),
        seed=seed,
        photos=tuple(f"{photo.parent.name}/{photo.name}" for photo in used),
    )
    return CropSet(np.stack([crop for _, crop in cropped]), origin, tuple(failures))


def choose_photos(source: Path, count: int, *, seed: int) -> list[Path]:
    """Returns the paths of at most `count` photos of a folder or a list.

    A folder's photos are distributed over the people.  Of a list, the first photos are used.
    """
    if source.is_dir():
        return sample_across_people(
            [Path(name) for name in list_pictures([str(source)])], count, seed=seed
        )
    return _read_list(source)[:count]


def sample_across_people(photos: Sequence[Path], count: int, *, seed: int) -> list[Path]:
    """Returns at most `count` of the photos, sorted.

    Every folder contributes one photo before any folder contributes a second one.
    """
    random = np.random.default_rng(seed)
    by_person: dict[Path, list[Path]] = {}
    for photo in sorted(photos):
        by_person.setdefault(photo.parent, []).append(photo)
    people = list(by_person.values())
    ranked: list[tuple[int, int, Path]] = []
    for position, person_index in enumerate(random.permutation(len(people))):
        order = random.permutation(len(people[person_index]))
        ranked += [
            (round_, position, people[person_index][index]) for round_, index in enumerate(order)
        ]
    return sorted(photo for _, _, photo in sorted(ranked)[:count])


def list_sha256(photo_sha256s: list[str]) -> str:
    """Returns the SHA-256 of a text with one hash per line, in the order of use."""
    return hashlib.sha256(
        "".join(f"{photo_sha256}\n" for photo_sha256 in photo_sha256s).encode()
    ).hexdigest()


def _read_list(path: Path) -> list[Path]:
    """Returns the photos listed in a text file, one path per line, relative to the file's
    folder."""
    with reading(_LIST, path):
        lines = read_input(path, _LIST).decode().splitlines()
    return [path.parent / line.strip() for line in lines if line.strip()]
