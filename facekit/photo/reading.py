"""Reads the bytes of an encoded photo from wherever it is, and names photos in messages."""

from __future__ import annotations

import io
import os
import sys
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, TypeAlias

import numpy as np

from facekit.errors import ImageError, ImageTooLargeError, UsageError
from facekit.photo.limits import DEFAULT_LIMITS, ImageLimits
from facekit.photo.pillow import PillowPicture, is_pillow
from facekit.system.inputs import IrregularFileError, open_regular, read_at_most
from facekit.types import UInt8Array

_Path: TypeAlias = "str | os.PathLike[str] | os.PathLike[bytes]"


@dataclass(frozen=True, slots=True)
class PhotoInFile:
    """An encoded photo that is a part of a larger file."""

    name: str
    """Its name for people, such as "lfw.bin#00012"."""
    path: Path
    """The file that holds it."""
    offset: int
    """The number of bytes before it."""
    size_bytes: int

    def __str__(self) -> str:
        return self.name


PhotoFile: TypeAlias = "Path | PhotoInFile"
"""Where a stored photo is."""
EncodedSource: TypeAlias = "_Path | PhotoInFile | bytes | BinaryIO"
"""The path of a regular file, "-" for standard input, a photo within a file, the bytes of an
encoded photo, or a binary file object, which is read to its end."""
PictureSource: TypeAlias = "EncodedSource | UInt8Array | PillowPicture"
"""An encoded source, or pixels: uint8 (H, W, 3) RGB, or a Pillow image."""

_STDIN = "-"


class NamedBytes(bytes):
    """The bytes of an encoded photo, with the name that whoever sent it gave it."""

    name: str

    def __new__(cls, content: bytes, name: str) -> NamedBytes:
        made = super().__new__(cls, content)
        made.name = name
        return made


def read_bytes(source: EncodedSource, *, limits: ImageLimits = DEFAULT_LIMITS) -> bytes:
    """Returns the bytes of the encoded photo.

    Stops reading soon after `limits.max_bytes`, even if a pipe has no end.  Raises ImageError if
    the source cannot be read, ImageTooLargeError above the limit, and UsageError for an invalid
    source.
    """
    if isinstance(source, (bytes, bytearray, memoryview)):
        is_small = memoryview(source).nbytes <= limits.max_bytes
        data = bytes(source) if is_small else None
    elif not isinstance(source, (str, os.PathLike, PhotoInFile)) and not hasattr(source, "read"):
        raise no_source(type(source).__name__)
    else:
        shown = shown_name(source)
        try:
            with _opened(source) as file:
                if _size_bytes(source, file) > limits.max_bytes:
                    raise _over_bytes(source, limits)
                if isinstance(source, PhotoInFile):
                    file.seek(source.offset)
                    file = io.BytesIO(file.read(source.size_bytes))
                data = read_at_most(file, limits.max_bytes)
        except TypeError as error:
            raise no_source(f"a file object that cannot be read: {error}") from error
        except IsADirectoryError as error:
            raise ImageError(
                f"Cannot read {shown}: it is a directory. Name the photos in it."
            ) from error
        except IrregularFileError as error:
            raise ImageError(
                f"Cannot read {shown}: it is {error}; a regular file is needed. What comes "
                "through a pipe is read from standard input: pass - for it."
            ) from error
        except OSError as error:
            raise ImageError(f"Cannot read {shown}: {error.strerror or error}") from error
        except ValueError as error:  # a null character in the name, or standard input is closed
            raise ImageError(f"Cannot read {shown}: {error}") from error
    if data is None:
        raise _over_bytes(source, limits)
    return data


def _over_bytes(source: EncodedSource, limits: ImageLimits) -> ImageTooLargeError:
    return ImageTooLargeError(
        f"Cannot read {shown_name(source)}: it has more bytes than the limit of "
        f"{limits.max_bytes / 1e6:g} MB. Make it smaller."
    )


def _opened(source: _Path | PhotoInFile | BinaryIO) -> AbstractContextManager[BinaryIO]:
    if isinstance(source, PhotoInFile):
        return open_regular(source.path)
    if not isinstance(source, (str, os.PathLike)):
        return nullcontext(source)
    if source != _STDIN:
        return open_regular(source)
    if sys.stdin is None:
        raise ValueError("it is closed")
    return nullcontext(sys.stdin.buffer)


def _size_bytes(source: _Path | PhotoInFile | BinaryIO, file: BinaryIO) -> int:
    """Returns the size of a photo in a file; 0 for a stream, which has none."""
    if isinstance(source, PhotoInFile):
        return source.size_bytes
    is_path = isinstance(source, (str, os.PathLike)) and source != _STDIN
    return os.fstat(file.fileno()).st_size if is_path else 0


def no_source(received: str) -> UsageError:
    return UsageError(
        'A photo is a path, "-" for standard input, bytes, a binary file object, a uint8 RGB '
        f"array of shape (H, W, 3), or a Pillow image. Received: {received}"
    )


def source_name(source: PictureSource) -> str:
    """Returns `Picture.name` of a source, but "<picture>" for every Pillow image."""
    if isinstance(source, (str, os.PathLike)):
        return os.fsdecode(source)
    if isinstance(source, NamedBytes):
        return source.name
    if isinstance(source, (bytes, bytearray, memoryview)):
        return "<bytes>"
    if isinstance(source, np.ndarray):
        return "<array>"
    if is_pillow(source):
        return "<picture>"
    name = getattr(source, "name", None)  # a number if the file was opened by its descriptor
    return name if isinstance(name, str) else "<file>"


def shown_name(source: EncodedSource) -> str:
    """Returns the source's name for error messages, with unprintable characters escaped."""
    if source == _STDIN:
        return "standard input"
    return printable(source_name(source))


def printable(name: str) -> str:
    return "".join(
        one if one.isprintable() else one.encode("unicode_escape").decode() for one in name
    )
