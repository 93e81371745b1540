"""The one door through which files from outside come in.

A file is opened only if it is a regular file of a bounded size, so that neither a pipe without a
writer nor an endless device stops the program.  Whatever its reader raises becomes one error of
facekit that names the file.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, NoReturn

from facekit.errors import FacekitError

if TYPE_CHECKING:
    from zipfile import ZipFile  # takes 5 ms

_STDIN = "-"
_CHUNK_BYTES = 1 << 20
_MAX_DIRECTORY_BYTES = 4 << 20
"""The largest list of members of a zip archive in bytes; each member has 50 bytes or more."""


@dataclass(frozen=True, slots=True)
class InputKind:
    """A kind of file that comes from outside."""

    noun: str
    """What the file is, with its article, such as "an embedding file"."""
    error: type[FacekitError]
    """The error of every fault of such a file."""
    max_bytes: int = 0
    """The largest size that `open_input` and `read_input` read.

    0 is for what is no file, or is within another one, of which they read nothing.
    """
    remedy: str = ""
    """A sentence on what to do about a fault, such as "Remove it, or pass --force."."""

    def fault(self, message: str) -> FacekitError:
        """Returns the error with this message, which ends in a full stop, and the remedy."""
        return self.error(f"{message} {self.remedy}".rstrip())


class IrregularFileError(ValueError):
    """What a path is that is no regular file, such as "a device"."""


@contextmanager
def reading(kind: InputKind, name: object) -> Iterator[None]:
    """Turns everything that is raised in this context into the error of the kind.

    Errors of facekit pass unchanged, and so does what is no Exception, such as KeyboardInterrupt.
    The message begins with `name`, which is a path or another name of the source.
    """
    try:
        yield
    except FacekitError:
        raise
    except Exception as error:
        if isinstance(error, OSError) and error.strerror:  # else it is a library's
            raise kind.fault(f"{name} cannot be read: {error.strerror}.") from error
        raise kind.fault(f"{name} cannot be read as {kind.noun}: {_reason(error)}.") from error


@contextmanager
def open_input(path: Path, kind: InputKind) -> Iterator[BinaryIO]:
    """Opens a file for reading and yields it; `reading` holds for all that is done in the context.

    Raises the error of the kind if the path is no regular file, or is larger than `max_bytes`.
    """
    with reading(kind, path):
        try:
            opened = open_regular(path)
        except IrregularFileError as error:
            raise kind.fault(f"{path} is {error}; {kind.noun} is needed.") from error
        with opened as file:
            if os.fstat(file.fileno()).st_size > kind.max_bytes:
                _refuse_size(path, kind)
            yield file


def open_regular(path: str | bytes | os.PathLike[str] | os.PathLike[bytes]) -> BinaryIO:
    """Opens a regular file for reading, at once whatever the path is.

    Raises OSError if it cannot be opened, IrregularFileError if it is no regular file, and
    ValueError for a null character in the path.
    """
    file = open(path, "rb", opener=_without_waiting)  # noqa: SIM115 - the caller closes it
    mode = os.fstat(file.fileno()).st_mode
    if not stat.S_ISREG(mode):
        file.close()
        raise IrregularFileError(_what(mode))
    return file


def _without_waiting(path: str, flags: int) -> int:
    """Opens a path, also a named pipe that nobody writes to, for which open() would wait."""
    return os.open(path, flags | os.O_NONBLOCK)


def read_input(path: Path, kind: InputKind) -> bytes:
    """Returns the content of a file; "-" is standard input, which is read up to `max_bytes`.

    Raises the error of the kind if the file cannot be read, is no regular file, or is too large.
    """
    if str(path) == _STDIN:
        import sys

        with reading(kind, "standard input"):
            if sys.stdin is None:
                raise kind.error("Standard input is closed.")
            return _whole(sys.stdin.buffer, "standard input", kind)
    with open_input(path, kind) as file:
        return _whole(file, path, kind)


def parse_json(content: bytes | str) -> Any:
    """Parses JSON as RFC 8259 has it.

    Raises ValueError for text that is no JSON, for NaN and the infinities, which Python accepts,
    and for a number beyond the range of a double; RecursionError for deep nesting.
    """
    return json.loads(content, parse_constant=_refuse_number, parse_float=_finite)


@contextmanager
def open_zip(file: BinaryIO, *, max_bytes: int) -> Iterator[ZipFile]:
    """Opens a zip archive whose members unpack to `max_bytes` at most, and yields it.

    The sizes are those that the archive states: zipfile never yields more than these.  Read members
    with `read_member`, because zipfile's own `read` may unpack 2 GB of a member before it cuts
    them to the stated size.
    Raises zipfile.BadZipFile for what is no archive, and ValueError if it unpacks to more, has more
    than 4 MiB of names, or is compressed in a way that zipfile unpacks without a limit (bzip2,
    LZMA).
    """
    import zipfile

    with zipfile.ZipFile(_ShortReads(file)) as archive:
        members = archive.infolist()
        total_bytes = sum(member.file_size for member in members)
        if total_bytes > max_bytes:
            raise ValueError(
                f"it unpacks to {total_bytes / 1e6:,.0f} MB; {max_bytes / 1e6:,.0f} are allowed"
            )
        for member in members:
            if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise ValueError(f"{member.filename} is compressed in a way that is not read")
        yield archive


def read_member(archive: ZipFile, name: str) -> bytes:
    """Returns the content of a member of an archive that `open_zip` yielded.

    Raises KeyError if there is none of this name, and zipfile.BadZipFile, zlib.error, EOFError or
    RuntimeError if the member is damaged or encrypted.
    """
    with archive.open(name) as member:
        return b"".join(iter(lambda: member.read(_CHUNK_BYTES), b""))


class _ShortReads:
    """A file that refuses long reads: zipfile reads the whole list of members at once."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def read(self, size: int = -1) -> bytes:
        longest = _MAX_DIRECTORY_BYTES + 1
        content = self._file.read(longest if size < 0 else min(size, longest))
        if len(content) > _MAX_DIRECTORY_BYTES:
            raise ValueError("its list of members is too long")
        return content


def read_at_most(file: BinaryIO, max_bytes: int) -> bytes | None:
    """Returns the rest of a file, None if it has more than `max_bytes`.

    A file may grow after it was measured, and a stream has no size.  Raises TypeError for a file
    that was opened as text.
    """
    chunks = []
    left = max_bytes + 1
    while left > 0 and (chunk := file.read(min(left, _CHUNK_BYTES))):
        if not isinstance(chunk, (bytes, bytearray)):
            raise TypeError(f"it gives {type(chunk).__name__}, not bytes; open it as binary")
        chunks.append(chunk)
        left -= len(chunk)
    return b"".join(chunks) if left > 0 else None


def _whole(file: BinaryIO, name: object, kind: InputKind) -> bytes:
    content = read_at_most(file, kind.max_bytes)
    if content is None:
        _refuse_size(name, kind)
    return content


def _refuse_size(name: object, kind: InputKind) -> NoReturn:
    raise kind.fault(
        f"{name} has more than the {kind.max_bytes / 1e6:,.0f} MB that {kind.noun} may have."
    )


def _refuse_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is no number in JSON")


def _finite(text: str) -> float:
    number = float(text)
    if number in (float("inf"), float("-inf")):
        raise ValueError(f"{text} is beyond the range of numbers")
    return number


def _reason(error: Exception) -> str:
    if isinstance(error, KeyError):
        return f"{error} is missing in it"
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    if isinstance(error, MemoryError):
        return "it needs more memory than there is"
    return str(error).rstrip(".") or type(error).__name__


def _what(mode: int) -> str:
    kinds = (
        (stat.S_ISDIR, "a folder"),
        (stat.S_ISFIFO, "a pipe, which only - can name"),
        (stat.S_ISSOCK, "a socket"),
    )
    return next((name for test, name in kinds if test(mode)), "a device")
