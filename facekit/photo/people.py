"""A folder of labelled photos: one folder a person, named after them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from facekit.errors import InputError
from facekit.photo.sources import PICTURE_SUFFIXES


@dataclass(frozen=True, slots=True)
class Person:
    """One class of a data set."""

    name: str
    photos: tuple[Path, ...]
    """sorted by name; may be empty"""


def list_people(folder: Path) -> tuple[Person, ...]:
    """The people of `folder` by name, each with the pictures right in their folder.

    Names that begin with a dot are left out, as are files that are no pictures by their suffix.
    Raises InputError where the folder cannot be read or holds no picture of anyone.
    """
    try:
        with os.scandir(folder) as entries:
            names = sorted(
                entry.name for entry in entries if entry.is_dir() and not entry.name.startswith(".")
            )
        people = tuple(Person(name, _pictures(folder / name)) for name in names)
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
