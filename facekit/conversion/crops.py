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
from facekit.photo.bin_file import SUFFIX as BIN_SUFFIX
from facekit.photo.bin_file import read_packed_pairs
from facekit.photo.pair_table import has_pair_header, parse_pair_table
from facekit.photo.reading import PhotoFile, read_bytes
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
    """The number of folders that the photos are in."""
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
    """Returns at most `count` crops of the photos that `choose_photos` chooses from `source`.

    Each crop shows the face that `locate` selects in a photo.
    Raises InputError if fewer than MIN_CROPS photos have a face, and the errors of `choose_photos`.
    """
    photos = choose_photos(source, count, seed=seed)
    card = model.card
    assert card.crop is not None  # an embedding model's card always has a crop
    job = CropPhoto(locate, card.crop, card.input.height_px, card.input.width_px)
    results = map_photos(job, photos, label="cropping photos", reporter=reporter)
    cropped: list[tuple[PhotoFile, UInt8Array]] = []
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
        people=folder_count(used),
        list_sha256=list_sha256([hashlib.sha256(read_bytes(photo)).hexdigest() for photo in used]),
        seed=seed,
        photos=photo_names(used),
    )
    return CropSet(np.stack([crop for _, crop in cropped]), origin, tuple(failures))


def choose_photos(source: Path, count: int, *, seed: int) -> Sequence[PhotoFile]:
    """Returns at most `count` photos of a folder, a list, a pair list or a .bin file.

    A folder's photos are distributed over the people: each subfolder is used once before any is
    used twice.  Of the others the first photos are used, each once.  A list names a photo in each
    line, a pair list (facekit.photo.pair_table) two, relative to the list's folder.
    Raises InputError if a list cannot be read, PairListError for a pair list or a .bin file that
    is not valid, and ImageError if a folder has no photos.
    """
    if source.is_dir():
        return sample_across_people(
            [Path(name) for name in list_pictures([str(source)])], count, seed=seed
        )
    if source.suffix.lower() == BIN_SUFFIX:
        return read_packed_pairs(source).photos[:count]
    return _read_list(source)[:count]


def folder_count(photos: Sequence[PhotoFile]) -> int:
    return len({Path(str(photo)).parent for photo in photos})


def photo_names(photos: Sequence[PhotoFile]) -> tuple[str, ...]:
    """Returns each photo's name with its folder's; a photo in a .bin file is named after that."""
    return tuple(
        f"{photo.parent.name}/{photo.name}" if isinstance(photo, Path) else photo.name
        for photo in photos
    )


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
    """Returns the photos of a text file with one path per line, or of a pair list, each once."""
    with reading(_LIST, path):
        text = read_input(path, _LIST).decode("utf-8-sig")
    if has_pair_header(text):
        names = [name for row in parse_pair_table(text, path).rows for name in (row.a, row.b)]
    else:
        names = [line.strip() for line in text.splitlines() if line.strip()]
    return [path.parent / name for name in dict.fromkeys(names)]
