"""Calibration crops from photos: chosen by rule, cropped as at run time, and their origin."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from facekit.errors import InputError
from facekit.model.store import InstalledModel
from facekit.photo.sources import list_pictures
from facekit.pipeline.locate import LocateOptions
from facekit.pipeline.photos import CropPhoto, PhotoFailure, map_photos
from facekit.reporter import SILENT, Reporter
from facekit.types import UInt8Array

LEAST_CROPS = 16
"""Fewer say too little about ranges: some activations would keep values they never took."""
DEFAULT_CROPS = 400
SEED = 20180408  # the default weights' date; any number would do, a fixed one repeats


@dataclass(frozen=True, slots=True)
class Origin:
    """Which pictures the ranges were measured on."""

    title: str
    crops: int
    people: int
    list_sha256: str
    """of the list of the photos' hashes; see `list_sha256`"""
    seed: int
    photos: tuple[str, ...] = ()
    """names of the photos, where there are any to name"""


@dataclass(frozen=True, slots=True, eq=False)
class CropSet:
    """Crops that a model can be fed, and where they come from."""

    crops: UInt8Array = field(repr=False)
    """(N, H, W, 3) RGB"""
    origin: Origin
    failures: tuple[str, ...] = ()
    """photos that were asked for and gave no crop, with the reason"""


def photo_crops(
    source: Path,
    model: InstalledModel,
    locate: LocateOptions,
    *,
    count: int = DEFAULT_CROPS,
    seed: int = SEED,
    reporter: Reporter = SILENT,
) -> CropSet:
    """At most `count` crops of the photos in a folder, or of those named in a text file.

    A folder's photos are sorted, and chosen so that each person (the photo's own folder) comes
    once before anyone comes twice; a list is used in its order.  Each gives its selected face.
    Raises InputError where fewer than LEAST_CROPS photos have a face, ImageError for a folder
    without photos.
    """
    photos = chosen_photos(source, count, seed=seed)
    card = model.card
    assert card.crop is not None  # an embedding card always has one
    job = CropPhoto(locate, card.crop, card.input.height_px, card.input.width_px)
    results = map_photos(job, photos, label="cropping photos", reporter=reporter)
    kept: list[tuple[Path, UInt8Array]] = []
    failures = []
    for photo, result in zip(photos, results, strict=True):
        if isinstance(result, PhotoFailure):
            failures.append(str(result.error))
        else:
            kept.append((photo, result))
    if len(kept) < LEAST_CROPS:
        why = f" First failure: {failures[0]}" if failures else ""
        raise InputError(
            f"Calibration needs at least {LEAST_CROPS} photos with a face. {source} has "
            f"{len(photos)} photos, {len(kept)} of them with one.{why}"
        )
    used = [photo for photo, _ in kept]
    origin = Origin(
        title=f"{source.resolve().name}: faces found, cropped by the model's card",
        crops=len(kept),
        people=len({photo.parent for photo in used}),
        list_sha256=list_sha256([hashlib.sha256(one.read_bytes()).hexdigest() for one in used]),
        seed=seed,
        photos=tuple(f"{photo.parent.name}/{photo.name}" for photo in used),
    )
    return CropSet(np.stack([crop for _, crop in kept]), origin, tuple(failures))


def chosen_photos(source: Path, count: int, *, seed: int) -> list[Path]:
    """At most `count` photos of a folder, spread over its people, or the first ones of a list."""
    if source.is_dir():
        return spread([Path(name) for name in list_pictures([str(source)])], count, seed=seed)
    return _listed(source)[:count]


def spread(photos: Sequence[Path], count: int, *, seed: int) -> list[Path]:
    """`count` of the photos, sorted: one of each folder before two of any."""
    random = np.random.default_rng(seed)
    by_person: dict[Path, list[Path]] = {}
    for photo in sorted(photos):
        by_person.setdefault(photo.parent, []).append(photo)
    people = list(by_person.values())
    ranked: list[tuple[int, int, Path]] = []
    for turn, person in enumerate(random.permutation(len(people))):
        order = random.permutation(len(people[person]))
        ranked += [(round_, turn, people[person][one]) for round_, one in enumerate(order)]
    return sorted(photo for _, _, photo in sorted(ranked)[:count])


def list_sha256(photo_sha256s: list[str]) -> str:
    """Of the hashes in the order of use, a line each: what `sha256sum` of such a file says."""
    return hashlib.sha256("".join(f"{one}\n" for one in photo_sha256s).encode()).hexdigest()


def _listed(path: Path) -> list[Path]:
    """Photos named in a text file, a line each, seen from the file's folder."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"A folder of photos, or a text file that names one a line, needed. {path}: {error}"
        ) from error
    return [path.parent / line.strip() for line in lines if line.strip()]
