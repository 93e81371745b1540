"""Writes a .tar or .tar.gz whose bytes depend only on names, contents and order of the members."""

from __future__ import annotations

import gzip
import os
import tarfile
import tempfile
from collections.abc import Iterable
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from facekit.errors import StorageError
from facekit.system.fields import PLAIN_NAME

_GZIP_SUFFIXES = (".gz", ".tgz")


@dataclass(frozen=True, slots=True)
class Member:
    """A file, and its name in the archive.

    The name consists of plain names with / between them, with a dot before it or not; otherwise
    ValueError is raised.
    """

    name: str
    path: Path
    executable: bool = False

    def __post_init__(self) -> None:
        if not all(map(PLAIN_NAME.fullmatch, self.name.removeprefix(".").split("/"))):
            raise ValueError(
                f"A member's name is made of letters, digits and ._- only. Received: {self.name!r}"
            )


def write_tar(members: Iterable[Member], output: Path) -> None:
    """Writes the members in this order, compressed if the output's name ends in .gz or .tgz.

    Raises StorageError if a member cannot be read or the archive cannot be written.  An existing
    file at `output` is then unchanged.
    """
    try:
        handle, name = tempfile.mkstemp(dir=output.parent, prefix=f".{output.name}.")
        part = Path(name)
        try:
            with os.fdopen(handle, "wb") as file:
                _write(members, file, compress=output.name.endswith(_GZIP_SUFFIXES))
            part.chmod(0o644)  # mkstemp creates files with mode 0600
            part.replace(output)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise StorageError(f"Cannot write {output}: {error.strerror or error}") from error


def _write(members: Iterable[Member], file: IO[bytes], *, compress: bool) -> None:
    """Writes the members to `file` without owner and time of the files."""
    zipped = gzip.GzipFile("", "wb", fileobj=file, mtime=0) if compress else nullcontext(file)
    with (
        zipped as target,
        tarfile.open(fileobj=target, mode="w", format=tarfile.USTAR_FORMAT) as tar,
    ):
        for member in members:
            info = tarfile.TarInfo(member.name)
            info.size = member.path.stat().st_size
            info.mode = 0o755 if member.executable else 0o644
            with member.path.open("rb") as content:
                tar.addfile(info, content)
