"""Finds photos: files, folders, standard input, a folder per person."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from facekit.errors import ImageError, InputError
from facekit.system.inputs import InputKind, reading

PICTURE_SUFFIXES = frozenset(
    (".jpg", ".jpeg", ".jpe", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif")
)

_AGEDB_NAME = re.compile(r"\d+_(?P<person>.+)_\d+_[fm]\.\w+", re.IGNORECASE)
"""AgeDB names a photo by a number, the person, the age and f or m: 0_MariaCallas_35_f.jpg."""
_CFP_PHOTOS = Path("Data", "Images")
"""Where CFP has its people's folders: 001/frontal/01.jpg, 001/profile/01.jpg."""
_FOLDER = InputKind("a folder of photos", ImageError)


@dataclass(frozen=True, slots=True)
class PersonFolder:
    """A person and the person's photos."""

    name: str
    photos: tuple[Path, ...]
    """Sorted; may be empty."""


def list_pictures(names: Iterable[str]) -> list[str]:
    """Returns files as named, and for a folder the photos below it, sorted.

    A named file may have any suffix; in a folder only PICTURE_SUFFIXES count, without names that
    begin with a dot.  Raises ImageError for a folder without a photo.
    """
    pictures: list[str] = []
    for name in names:
        if name == "-" or not os.path.isdir(name):  # Path.is_dir raises where a name is too long
            pictures.append(name)
            continue
        with reading(_FOLDER, name):  # os.walk calls itself for each folder
            found = sorted(
                os.path.join(folder, file)
                for folder, _, files in os.walk(Path(name))
                for file in files
                if is_photo_file(file) and os.path.isfile(os.path.join(folder, file))
            )
        if not found:
            raise ImageError(
                f"{name}: no photo in this folder ({', '.join(sorted(PICTURE_SUFFIXES))})."
            )
        pictures += found
    return pictures


def people_in(folder: Path) -> Iterator[tuple[str, list[str]]]:
    """Yields (name, photos) for each folder in `folder`, sorted, with photos in subfolders.

    Raises InputError if the folder does not exist, ImageError for a person without a photo.
    """
    try:
        folders = sorted(path for path in folder.iterdir() if path.is_dir())
    except OSError as error:
        raise InputError(f"{folder}: {error.strerror or error}") from error
    folders = [path for path in folders if not path.name.startswith(".")]
    if not folders:
        raise InputError(f"{folder} has no folder in it; one folder a person is needed.")
    for path in folders:
        yield path.name, list_pictures([str(path)])


def is_picture_name(name: str) -> bool:
    """Whether a word names a file: the file exists, or the word ends with a photo's suffix."""
    return Path(name).suffix.lower() in PICTURE_SUFFIXES or os.path.isfile(name)


def is_photo_file(name: str) -> bool:
    """Whether a file of this name counts as a photo where a folder is named."""
    return os.path.splitext(name)[1].lower() in PICTURE_SUFFIXES and not name.startswith(".")


def unique_stems(names: Iterable[str]) -> dict[str, str]:
    """Returns a distinct file stem for each name, for outputs in one folder: a.jpg, b/a.png -> a,
    a-2."""
    stems: dict[str, str] = {}
    taken: set[str] = set()
    for name in dict.fromkeys(names):
        plain = "stdin" if name == "-" else Path(name).stem
        stem, number = plain, 1
        while stem in taken:
            number += 1
            stem = f"{plain}-{number}"
        taken.add(stem)
        stems[name] = stem
    return stems


def list_people(folder: Path) -> tuple[PersonFolder, ...]:
    """Returns the people in `folder` by name, each with the photos right in the person's folder.

    Names that begin with a dot and files without a photo's suffix are skipped.
    Raises InputError if the folder cannot be read or holds no photo of anyone.
    """
    try:
        with os.scandir(folder) as entries:
            names = sorted(
                entry.name for entry in entries if entry.is_dir() and not entry.name.startswith(".")
            )
        people = tuple(PersonFolder(name, _pictures(folder / name)) for name in names)
    except OSError as error:
        raise InputError(f"{folder} cannot be read: {error.strerror or error}") from error
    if not any(person.photos for person in people):
        raise InputError(
            f"{folder} holds no photos as PERSON/PHOTO: one folder a person needed, with photos "
            f"({', '.join(sorted(PICTURE_SUFFIXES))}) right in it."
        )
    return people


def people_of_any_layout(folder: Path) -> tuple[PersonFolder, ...]:
    """Returns the people in `folder` who have photos.

    A person is a folder with photos in it or in its subfolders, as CFP has them, in `folder` or in
    its Data/Images.  If there are none, the photos in `folder` itself are taken whose names are as
    AgeDB has them.
    Raises InputError if the folder cannot be read or holds no photo of anyone.
    """
    if (folder / _CFP_PHOTOS).is_dir():
        folder /= _CFP_PHOTOS
    people: dict[str, list[Path]] = {}
    try:
        for path in sorted(folder.iterdir()):
            if path.name.startswith("."):
                continue
            if path.is_dir():
                with suppress(ImageError):  # a folder without a photo is nobody's
                    people[path.name] = [Path(photo) for photo in list_pictures([str(path)])]
        if not people:
            for path in _pictures(folder):
                if named := _AGEDB_NAME.fullmatch(path.name):
                    people.setdefault(named["person"], []).append(path)
    except OSError as error:
        raise InputError(f"{folder} cannot be read: {error.strerror or error}") from error
    if not people:
        raise InputError(
            f"{folder} holds no photos as PERSON/PHOTO, nor as AgeDB names them: one folder a "
            f"person needed, with photos ({', '.join(sorted(PICTURE_SUFFIXES))}) in it."
        )
    return tuple(PersonFolder(name, tuple(people[name])) for name in sorted(people))


def _pictures(folder: Path) -> tuple[Path, ...]:
    with os.scandir(folder) as entries:
        names = sorted(
            entry.name for entry in entries if is_photo_file(entry.name) and entry.is_file()
        )
    return tuple(folder / name for name in names)
