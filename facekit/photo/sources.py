"""Which pictures are meant: files, folders, stdin, a folder a person."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from facekit.errors import ImageError, InputError

PICTURE_SUFFIXES = frozenset(
    (".jpg", ".jpeg", ".jpe", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif")
)


@dataclass(frozen=True, slots=True)
class PersonFolder:
    """A person with the photos that are right in their folder."""

    name: str
    photos: tuple[Path, ...]
    """sorted by name; may be empty"""


def list_pictures(names: Iterable[str]) -> list[str]:
    """Files as named, a folder as the pictures below it in sorted order.

    A file is taken whatever it is called; in a folder only PICTURE_SUFFIXES count, and names
    that begin with a dot do not.  Raises ImageError for a folder without a picture.
    """
    pictures: list[str] = []
    for name in names:
        folder = Path(name)
        if name == "-" or not folder.is_dir():
            pictures.append(name)
            continue
        found = sorted(
            str(path)
            for path in folder.rglob("*")
            if path.suffix.lower() in PICTURE_SUFFIXES
            and not path.name.startswith(".")
            and path.is_file()
        )
        if not found:
            raise ImageError(
                f"{name}: no picture in this folder ({', '.join(sorted(PICTURE_SUFFIXES))})."
            )
        pictures += found
    return pictures


def people_in(folder: Path) -> Iterator[tuple[str, list[str]]]:
    """(name, pictures) of each folder in `folder`, sorted; pictures in folders below count too.

    Raises InputError where there is no folder, ImageError for one without a picture.
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
    """Whether a word is a file's name: there is such a file, or it ends as a picture's does."""
    return Path(name).suffix.lower() in PICTURE_SUFFIXES or Path(name).is_file()


def unique_stems(names: Iterable[str]) -> dict[str, str]:
    """A file stem for each name, for outputs in one folder: a.jpg and b/a.png -> a, a-2."""
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
    """The people of `folder` by name, each with the pictures right in their folder.

    Names that begin with a dot are left out, as are files that are no pictures by their suffix.
    Raises InputError where the folder cannot be read or holds no picture of anyone.
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
            f"{folder} holds no photos as PERSON/PHOTO: one folder a person needed, with pictures "
            f"({', '.join(sorted(PICTURE_SUFFIXES))}) right in it."
        )
    return people


def _pictures(folder: Path) -> tuple[Path, ...]:
    with os.scandir(folder) as entries:
        names = sorted(
            entry.name
            for entry in entries
            if not entry.name.startswith(".")
            and os.path.splitext(entry.name)[1].lower() in PICTURE_SUFFIXES
            and entry.is_file()
        )
    return tuple(folder / name for name in names)
