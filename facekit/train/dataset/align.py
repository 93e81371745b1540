"""A folder a person to aligned crops, by worker processes; an interrupted run is continued."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from facekit.enums import CropFormat
from facekit.errors import FacekitError, StorageError, UsageError
from facekit.face.align import crop_faces
from facekit.model.registry import DETECTOR
from facekit.model.store import find_all
from facekit.photo.decode import DEFAULT_LIMITS
from facekit.photo.sources import list_people
from facekit.photo.write import write_jpeg, write_png
from facekit.pipeline.locate import LocateOptions, Locator
from facekit.system.processes import Crash, map_processes
from facekit.train.dataset.aligned import (
    SETTINGS_NAME,
    AlignFailure,
    AlignSettings,
    keep_settings,
    read_failures,
    settings_payload,
    write_failures,
)
from facekit.types import CropSpec, UInt8Array

CRASH = "WorkerCrash"
_CLASH = "NameClash"
_FAILURES_BETWEEN_WRITES = 20

Progress = Callable[[Iterator[Any], int], Iterator[Any]]


@dataclass(frozen=True, slots=True)
class AlignReport:
    """What a folder of aligned crops holds after a run."""

    people: int
    photos: int
    aligned: int
    """crops made now"""
    kept: int
    """crops that were there already"""
    failures: tuple[AlignFailure, ...]
    """of this run and of those it continues"""


def align_dataset(
    source: Path,
    output: Path,
    settings: AlignSettings,
    *,
    workers: int,
    redo: bool = False,
    retry_failed: bool = False,
    progress: Progress = lambda results, _total: results,
) -> AlignReport:
    """SOURCE/PERSON/PHOTO.x to OUTPUT/PERSON/PHOTO.png, one face of each photo.

    Photos that have a crop, or a line in failures.csv, are not looked at again; with
    `retry_failed` the failures are, with `redo` all.  A photo without a face, an unreadable one
    and one that ends its worker are failures, not errors.

    Raises InputError for a source without people, UsageError where OUTPUT holds crops of other
    settings or lies in SOURCE, ModelMissingError without a detector, StorageError.
    """
    people = list_people(source)
    if output.resolve().is_relative_to(source.resolve()):
        raise UsageError(f"The aligned crops need a folder outside {source}. Received: {output}")
    payload = settings_payload(settings, (net.card.file_sha256 for net in find_all(DETECTOR)))
    if redo:
        _clear(output)
    keep_settings(output, payload)
    photos = [photo for person in people for photo in person.photos]
    targets, clashes = _targets(photos, source, output, settings.format)
    known = () if retry_failed else read_failures(output)
    failures = {one.photo: one for one in known if _name(source, one.photo) in targets} | clashes
    there = {path for person in people for path in (output / person.name).glob("*")}
    _remove_parts(there)
    waiting = [
        (photo, target)
        for photo, target in targets.items()
        if target not in there and photo.relative_to(source).as_posix() not in failures
    ]
    kept = sum(target in there for target in targets.values())
    aligned, unwritten = 0, 0
    try:
        results = _results(waiting, settings, workers)
        for (photo, _target), failure in zip(waiting, progress(results, len(waiting)), strict=True):
            if failure is None:
                aligned += 1
                continue
            if failure.error == StorageError.__name__:
                raise StorageError(failure.reason)
            name = photo.relative_to(source).as_posix()
            failures[name] = replace(failure, photo=name)
            unwritten += 1
            if unwritten == _FAILURES_BETWEEN_WRITES:
                write_failures(output, failures.values())
                unwritten = 0
    finally:  # Ctrl-C loses nothing, a kill the last few failures, which are then tried again
        write_failures(output, failures.values())
    found = tuple(sorted(failures.values(), key=lambda failure: failure.photo))
    return AlignReport(len(people), len(photos), aligned, kept, found)


def _name(source: Path, photo: str) -> Path:
    return source / photo


def _targets(
    photos: list[Path], source: Path, output: Path, crop_format: CropFormat
) -> tuple[dict[Path, Path], dict[str, AlignFailure]]:
    """Where each photo's crop goes; a second photo of the same stem has no place to go."""
    targets: dict[Path, Path] = {}
    clashes: dict[str, AlignFailure] = {}
    taken: dict[Path, Path] = {}
    for photo in photos:
        name = photo.relative_to(source)
        target = output / name.parent / f"{name.stem}.{crop_format.value}"
        if target in taken:
            reason = f"{taken[target].name} of the same person would have the same crop's name"
            clashes[name.as_posix()] = AlignFailure(name.as_posix(), _CLASH, reason)
        else:
            taken[target] = name
            targets[photo] = target
    return targets, clashes


def _results(
    waiting: list[tuple[Path, Path]], settings: AlignSettings, workers: int
) -> Iterator[AlignFailure | None]:
    if not waiting:
        return
    crew = min(workers, len(waiting))
    for result in map_processes(_MakeAlign(settings), waiting, workers=crew):
        if isinstance(result, Crash):
            reason = f"two processes ended while they worked on it, exit code {result.exit_code}"
            yield AlignFailure("", CRASH, reason)
        else:
            yield result


def photo_crop(
    locator: Locator, photo: Path, crop: CropSpec, *, height_px: int, width_px: int
) -> UInt8Array:
    """The crop of the face that is meant in a photo: (height_px, width_px, 3) RGB uint8.

    Raises ImageError, FaceError, or ValueError where the landmarks all coincide.
    """
    (located,) = locator.locate([photo])
    crops = crop_faces(
        located.picture.pixels,
        located.selected[:1],
        crop,
        height_px=height_px,
        width_px=width_px,
    )
    return np.asarray(crops[0])


@dataclass(frozen=True, slots=True)
class _MakeAlign:
    """Loads the detector in a worker; one thread each, since the workers fill the cores."""

    settings: AlignSettings

    def __call__(self) -> Callable[[tuple[Path, Path]], AlignFailure | None]:
        cv2.setNumThreads(1)
        settings = self.settings
        locator = Locator(
            options=LocateOptions(
                face_policy=settings.face_policy,
                detector=settings.detector,
                limits=replace(DEFAULT_LIMITS, max_pixels=settings.max_pixels),
            )
        )
        write = write_png if settings.format is CropFormat.PNG else write_jpeg

        def align(item: tuple[Path, Path]) -> AlignFailure | None:
            photo, target = item
            try:
                crop = photo_crop(
                    locator,
                    photo,
                    settings.crop,
                    height_px=settings.height_px,
                    width_px=settings.width_px,
                )
                write(target, crop)
            except FacekitError as error:
                return AlignFailure("", type(error).__name__, str(error))
            except ValueError as error:  # landmarks that all coincide
                return AlignFailure("", type(error).__name__, str(error))
            return None

        return align


def _clear(output: Path) -> None:
    """Removes what an earlier run left; a folder that is not one of ours is not touched.

    Raises UsageError, StorageError.
    """
    if not output.is_dir() or not any(output.iterdir()):
        return
    if not (output / SETTINGS_NAME).is_file():
        raise UsageError(
            f"{output} has no {SETTINGS_NAME}: facekit did not make it, and --redo removes only "
            "what facekit made. Pass another folder."
        )
    try:
        for path in output.iterdir():
            if path.is_dir():
                shutil.rmtree(path)
            elif path.name != SETTINGS_NAME:
                path.unlink()
        (output / SETTINGS_NAME).unlink()  # last: a clearing that was interrupted can be repeated
    except OSError as error:
        raise StorageError(f"Cannot clear {output}: {error.strerror or error}") from error


def _remove_parts(paths: set[Path]) -> None:
    """What workers that were killed while they wrote left behind."""
    for path in paths:
        if path.name.startswith(".") and path.suffix == ".part":
            path.unlink(missing_ok=True)
