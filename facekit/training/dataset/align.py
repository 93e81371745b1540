"""A folder a person to aligned crops; an interrupted run is continued."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from facekit.enums import CropFormat
from facekit.errors import InputError, StorageError, UsageError
from facekit.face.detector import DetectorOptions
from facekit.photo.decode import DEFAULT_LIMITS
from facekit.photo.sources import list_people
from facekit.photo.write import write_jpeg, write_png
from facekit.pipeline.locate import LocateOptions
from facekit.pipeline.photos import CropPhoto, PhotoFailure, map_photos
from facekit.reporter import SILENT, Reporter
from facekit.training.dataset.aligned import (
    FAILURES_NAME,
    SETTINGS_NAME,
    AlignSettings,
    keep_settings,
    read_failures,
    settings_payload,
    write_failures,
)

_FAILURES_BETWEEN_WRITES = 20


@dataclass(frozen=True, slots=True)
class AlignReport:
    """What a folder of aligned crops holds after a run."""

    output: Path
    """that folder"""
    people_count: int
    photo_count: int
    aligned_count: int
    """crops made now"""
    kept_count: int
    """crops that were there already"""
    detector: str
    """the name of what found the faces"""
    failures: tuple[PhotoFailure, ...]
    """of this run and of those it continues"""

    @property
    def failures_file(self) -> Path:
        """The list of the failures, CSV."""
        return self.output / FAILURES_NAME

    def to_dict(self) -> dict[str, Any]:
        return {
            "output": str(self.output),
            "detector": self.detector,
            "people_count": self.people_count,
            "photo_count": self.photo_count,
            "aligned_count": self.aligned_count,
            "kept_count": self.kept_count,
            "failed": [failure.to_dict() for failure in self.failures],
        }

    def __repr__(self) -> str:
        return (
            f"AlignReport({self.output}, {self.aligned_count} aligned, {self.kept_count} kept, "
            f"{len(self.failures)} failed)"
        )


def align_dataset(
    source: Path,
    output: Path,
    settings: AlignSettings,
    *,
    workers: int | None = None,
    ray: str | None = None,
    redo: bool = False,
    retry_failed: bool = False,
    reporter: Reporter = SILENT,
) -> AlignReport:
    """SOURCE/PERSON/PHOTO.x to OUTPUT/PERSON/PHOTO.png, one face of each photo.

    Photos that have a crop, or a line in failures.csv, are not looked at again; with
    `retry_failed` the failures are, with `redo` all.  A photo without a face, an unreadable one
    and one that ends its worker are failures, not errors.  `workers` and `ray`: see `map_photos`.

    Raises InputError for a source without people, UsageError where OUTPUT holds crops of other
    settings or lies in SOURCE, ModelMissingError without a detector, StorageError.
    """
    people = list_people(source)
    if output.resolve().is_relative_to(source.resolve()):
        raise UsageError(f"The aligned crops need a folder outside {source}. Received: {output}")
    nets = _locate_options(settings).found_nets
    payload = settings_payload(settings, (net.card.file_sha256 for net in nets))
    if redo:
        _clear(output)
    keep_settings(output, payload)
    photos = [photo for person in people for photo in person.photos]
    targets, clashes = _targets(photos, source, output, settings.format)
    known = () if retry_failed else read_failures(output)
    failures = {one.name: one for one in known if source / one.name in targets} | clashes
    there = {path for person in people for path in (output / person.name).glob("*")}
    _remove_parts(there)
    waiting = [
        photo
        for photo, target in targets.items()
        if target not in there and _name(source, photo) not in failures
    ]
    kept = sum(target in there for target in targets.values())
    aligned, unwritten = 0, 0
    try:
        results = map_photos(
            AlignPhoto(Path(os.path.abspath(source)), Path(os.path.abspath(output)), settings),
            waiting,
            label="aligning",
            workers=workers,
            ray=ray,
            reporter=reporter,
        )
        for photo, result in zip(waiting, results, strict=True):
            if not isinstance(result, PhotoFailure):
                aligned += 1
                continue
            if isinstance(result.error, StorageError):
                raise result.error
            name = _name(source, photo)
            failures[name] = PhotoFailure(name, result.error)
            unwritten += 1
            if unwritten == _FAILURES_BETWEEN_WRITES:
                write_failures(output, failures.values())
                unwritten = 0
    finally:  # Ctrl-C loses nothing, a kill the last few failures, which are then tried again
        write_failures(output, failures.values())
    found = tuple(sorted(failures.values(), key=lambda failure: failure.name))
    return AlignReport(output, len(people), len(photos), aligned, kept, nets[0].card.name, found)


def _name(source: Path, photo: Path) -> str:
    return photo.relative_to(source).as_posix()


def _target(photo: Path, source: Path, output: Path, crop_format: CropFormat) -> Path:
    """Where the photo's crop goes."""
    name = photo.relative_to(source)
    return output / name.parent / f"{name.stem}.{crop_format.value}"


def _targets(
    photos: list[Path], source: Path, output: Path, crop_format: CropFormat
) -> tuple[dict[Path, Path], dict[str, PhotoFailure]]:
    """Where each photo's crop goes; a second photo of the same stem has nowhere to go."""
    targets: dict[Path, Path] = {}
    clashes: dict[str, PhotoFailure] = {}
    taken: dict[Path, Path] = {}
    for photo in photos:
        target = _target(photo, source, output, crop_format)
        if target in taken:
            name = _name(source, photo)
            reason = f"{taken[target].name} of the same person would have the same crop's name"
            clashes[name] = PhotoFailure(name, InputError(reason))
        else:
            taken[target] = photo
            targets[photo] = target
    return targets, clashes


@dataclass(frozen=True, slots=True)
class AlignPhoto:
    """Job: a photo's path to its crop's file."""

    source: Path
    """absolute, as the output: workers may be on other machines"""
    output: Path
    settings: AlignSettings

    def open(self) -> Callable[[Path], Path]:
        settings = self.settings
        locate = _locate_options(settings)
        crop = CropPhoto(locate, settings.crop, settings.height_px, settings.width_px).open()
        write = write_png if settings.format is CropFormat.PNG else write_jpeg

        def align(photo: Path) -> Path:
            absolute = Path(os.path.abspath(photo))
            target = _target(absolute, self.source, self.output, settings.format)
            write(target, crop(photo))
            return target

        return align


def _locate_options(settings: AlignSettings) -> LocateOptions:
    return LocateOptions(
        face_policy=settings.face_policy,
        detector=settings.detector,
        detector_options=DetectorOptions(**asdict(settings.detector_options)),
        limits=replace(DEFAULT_LIMITS, max_pixels=settings.max_pixels),
    )


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
