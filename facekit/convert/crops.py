"""Calibration crops from photos: chosen by rule, cropped as at run time."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from facekit.convert.quantize.progress import Progress, silent
from facekit.convert.quantize.ranges import Origin, list_sha256
from facekit.errors import FacekitError, InputError
from facekit.model.store import InstalledModel
from facekit.photo.sources import list_pictures
from facekit.pipeline.locate import LocateOptions
from facekit.pipeline.pipeline import Pipeline, PipelineOptions
from facekit.system.processes import Crash, available_cores, map_processes
from facekit.types import UInt8Array

LEAST_CROPS = 16
"""Fewer say too little about ranges: some activations would keep values they never took."""
DEFAULT_CROPS = 400
SEED = 20180408  # the default weights' date; any number would do, a fixed one repeats


@dataclass(frozen=True, slots=True, eq=False)
class CropSet:
    """Crops that a model can be fed, and where they come from."""

    crops: UInt8Array
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
    progress: Progress = silent,
) -> CropSet:
    """At most `count` crops of the photos in a folder, or of those named in a text file.

    A folder's photos are sorted, and chosen so that each person (the photo's own folder) comes
    once before anyone comes twice; a list is used in its order.  Each gives its selected face.
    Raises InputError where fewer than LEAST_CROPS photos have a face, ImageError for a folder
    without photos.
    """
    if source.is_dir():
        photos = spread([Path(name) for name in list_pictures([str(source)])], count, seed=seed)
    else:
        photos = _listed(source)[:count]
    make = _MakeCrop(str(model.path), locate)
    workers = min(available_cores(), len(photos)) or 1
    results = map_processes(make, photos, workers=workers)
    kept: list[tuple[Path, UInt8Array]] = []
    failures = []
    for photo, result in zip(
        photos, progress(results, len(photos), "cropping photos"), strict=True
    ):
        if isinstance(result, Crash):
            failures.append(f"{photo}: it ended its process with exit code {result.exit_code}")
        elif isinstance(result, str):
            failures.append(result)
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


def _listed(path: Path) -> list[Path]:
    """Photos named in a text file, a line each, seen from the file's folder."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"A folder of photos, or a text file that names one a line, needed. {path}: {error}"
        ) from error
    return [path.parent / line.strip() for line in lines if line.strip()]


@dataclass(frozen=True, slots=True)
class _MakeCrop:
    """Loads the detector in a worker."""

    model: str
    locate: LocateOptions

    def __call__(self) -> Callable[[Path], UInt8Array | str]:
        from facekit.model.store import find

        cv2.setNumThreads(1)
        pipeline = Pipeline(find(self.model), options=PipelineOptions(self.locate, threads=1))

        def crop(photo: Path) -> UInt8Array | str:
            try:
                (located,) = pipeline.locate([photo])
                return np.asarray(pipeline.crop(located)[0])
            except FacekitError as error:
                return str(error)

        return crop
