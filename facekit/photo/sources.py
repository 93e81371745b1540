"""Which pictures a command line names: files, folders and stdin."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from facekit.errors import ImageError

PICTURE_SUFFIXES = frozenset(
    (".jpg", ".jpeg", ".jpe", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif")
)


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
