"""Crops the face of every photo of a dataset.  An interrupted run can be continued."""

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
from facekit.photo.limits import DEFAULT_LIMITS
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
    """The content of a folder of aligned crops after a run."""

    output: Path
    """Folder of the aligned crops."""
    people_count: int
    photo_count: int
    aligned_count: int
    """Number of crops that this run wrote."""
    kept_count: int
    """Number of crops that existed before this run."""
    detector: str
    """Name of the detector."""
    failures: tuple[PhotoFailure, ...]
    """Photos without a crop, from this run and from the earlier runs that it continued."""

    @property
    def failures_file(self) -> Path:
        """Path of the CSV file that lists the failures."""
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
    force: bool = False,
    retry_failed: bool = False,
    reporter: Reporter = SILENT,
) -> AlignReport:
    """Writes one aligned crop per photo: SOURCE/PERSON/PHOTO.x to OUTPUT/PERSON/PHOTO.png or .jpg.

    Photos that already have a crop or a line in failures.csv are skipped.  `retry_failed`
    processes the failed photos again, and `force` all photos.  A photo without a face, an
    unreadable photo and a photo on which the worker process dies are recorded as failures and raise
    no error.  `workers` and `ray` are as in `map_photos`.

    Raises InputError if the source has no people, or if align.json or failures.csv is not valid;
    UsageError if OUTPUT holds crops of other settings or lies in SOURCE, or if `force` is set and
    facekit did not create OUTPUT; ModelMissingError or ModelMismatchError if the detector cannot be
    opened; and StorageError if a file cannot be written.
    """
    people = list_people(source)
    if output.resolve().is_relative_to(source.resolve()):
        raise UsageError(f"The aligned crops need a folder outside {source}. Received: {output}")
    nets = _locate_options(settings).found_nets
    payload = settings_payload(settings, (net.card.file_sha256 for net in nets))
    if force:
        _clear(output)
    keep_settings(output, payload)
    photos = [photo for person in people for photo in person.photos]
    targets, clashes = _targets(photos, source, output, settings.format)
    earlier = () if retry_failed else read_failures(output)
    failures = {one.name: one for one in earlier if source / one.name in targets} | clashes
    existing = {path for person in people for path in (output / person.name).glob("*")}
    _remove_parts(existing)
    pending = [
        photo
        for photo, target in targets.items()
        if target not in existing and _name(source, photo) not in failures
    ]
    kept = sum(target in existing for target in targets.values())
    aligned, unwritten = 0, 0
    try:
        results = map_photos(
            AlignPhoto(Path(os.path.abspath(source)), Path(os.path.abspath(output)), settings),
            pending,
            label="aligning",
            workers=workers,
            ray=ray,
            reporter=reporter,
        )
        for photo, result in zip(pending, results, strict=True):
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
    finally:  # after Ctrl-C, too; after a kill, photos with unwritten failures are tried again
        write_failures(output, failures.values())
    all_failures = tuple(sorted(failures.values(), key=lambda failure: failure.name))
    detector = nets[0].card.name
    return AlignReport(output, len(people), len(photos), aligned, kept, detector, all_failures)


def _name(source: Path, photo: Path) -> str:
    return photo.relative_to(source).as_posix()


def _target(photo: Path, source: Path, output: Path, crop_format: CropFormat) -> Path:
    """Returns the path of the photo's crop."""
    name = photo.relative_to(source)
    return output / name.parent / f"{name.stem}.{crop_format.value}"


def _targets(
    photos: list[Path], source: Path, output: Path, crop_format: CropFormat
) -> tuple[dict[Path, Path], dict[str, PhotoFailure]]:
    """Returns each photo's crop path, and a failure for each photo whose crop path is in use."""
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
    """A job for `map_photos`: writes a photo's aligned crop and returns the crop's path."""

    source: Path
    """Absolute path, like `output`, because workers may run on other machines."""
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
    """Removes the crops of an earlier run.

    Raises UsageError if facekit did not create the folder, and StorageError if a file cannot be
    removed.
    """
    if not output.is_dir() or not any(output.iterdir()):
        return
    if not (output / SETTINGS_NAME).is_file():
        raise UsageError(
            f"{output} has no {SETTINGS_NAME}: facekit did not make it, and --force removes only "
            "what facekit made. Pass another folder."
        )
    try:
        for path in output.iterdir():
            if path.is_dir():
                shutil.rmtree(path)
            elif path.name != SETTINGS_NAME:
                path.unlink()
        (output / SETTINGS_NAME).unlink()  # last, so that an interrupted removal can be repeated
    except OSError as error:
        raise StorageError(f"Cannot clear {output}: {error.strerror or error}") from error


def _remove_parts(paths: set[Path]) -> None:
    """Deletes temporary .part files left by workers that were killed while writing."""
    for path in paths:
        if path.name.startswith(".") and path.suffix == ".part":
            path.unlink(missing_ok=True)
