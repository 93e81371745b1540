"""Reads pairs of photos from a .bin file of insightface, without running the pickle in it.

Such a file is a pickled pair (photos, labels): 2 N encoded photos, of which 2 k and 2 k + 1 are
pair k, and N labels, true for a pair of one person.  insightface's lfw2pack.py writes it, and its
arcface_torch/eval/verification.py reads it.  LFW, CFP-FP, AgeDB-30, CALFW and CPLFW are published
so.  A photo is bytes, which Python 2 wrote as a string, or a NumPy array of bytes.
"""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from facekit.errors import PairListError
from facekit.photo.reading import PhotoInFile
from facekit.system.inputs import InputKind, read_input, reading
from facekit.system.pickled import BuiltObject, Name, read_pickle

SUFFIX = ".bin"
_BIN = InputKind("a .bin file of photo pairs", PairListError, max_bytes=1 << 30)
_NUMPY_ROOMS = ("numpy.core.multiarray", "numpy._core.multiarray")  # before and since NumPy 2
_RECONSTRUCT = tuple((room, "_reconstruct") for room in _NUMPY_ROOMS)
_SCALAR = tuple((room, "scalar") for room in _NUMPY_ROOMS)
_FROM_BUFFER = (("numpy.core.numeric", "_frombuffer"), ("numpy._core.numeric", "_frombuffer"))
_DTYPE = ("numpy", "dtype")
_CALLS: tuple[Name, ...] = (*_RECONSTRUCT, *_SCALAR, *_FROM_BUFFER, _DTYPE)
_NAMES: tuple[Name, ...] = (*_CALLS, ("numpy", "ndarray"))


@dataclass(frozen=True, slots=True)
class PackedPairs:
    """The photos and labels of a .bin file."""

    photos: tuple[PhotoInFile, ...]
    """(2 N,): photos 2 k and 2 k + 1 are pair k."""
    same: tuple[bool, ...]
    """(N,) whether the photos of each pair are of one person."""
    md5: str
    """The MD5 of the file."""


@dataclass(frozen=True, slots=True)
class _Span:
    """The place of a bytes object in the file."""

    offset: int
    size_bytes: int


def read_packed_pairs(path: Path) -> PackedPairs:
    """Returns where the photos are, without decoding them, and the labels.

    The photos are named after the file and their index, such as "lfw.bin#00000".
    Raises PairListError if the file cannot be read, has more than 1 GiB, is no such pickle, or its
    numbers of photos and labels do not match.
    """
    content = read_input(path, _BIN)
    stream = io.BytesIO(content)

    def span(size_bytes: int) -> _Span:
        return _Span(stream.tell() - size_bytes, size_bytes)

    with reading(_BIN, path):
        held = read_pickle(stream, _NAMES, calls=_CALLS, on_bytes=span)
        if not isinstance(held, (tuple, list)) or len(held) != 2:
            raise ValueError("a list of photos and a list of labels are needed")
        photos, labels = held
        same = _labels(labels, content)
        if not isinstance(photos, list) or not same or len(photos) != 2 * len(same):
            raise ValueError(
                f"two photos for each label are needed; it has {_count(photos)} photos and "
                f"{len(same)} labels"
            )
        spans = [_span_of(photo) for photo in photos]
    return PackedPairs(
        tuple(
            PhotoInFile(f"{path.name}#{index:05d}", path.absolute(), one.offset, one.size_bytes)
            for index, one in enumerate(spans)
        ),
        same,
        hashlib.md5(content, usedforsecurity=False).hexdigest(),
    )


def _span_of(item: Any) -> _Span:
    """Returns the place of bytes, or of a NumPy array's bytes.  Raises ValueError for the rest."""
    if isinstance(item, BuiltObject) and item.kind in _RECONSTRUCT and len(item.state or ()) == 5:
        _version, shape, _dtype, _is_fortran, item = item.state
    elif isinstance(item, BuiltObject) and item.kind in _FROM_BUFFER and len(item.arguments) == 4:
        item, _dtype, shape, _order = item.arguments
    else:
        shape = None
    if not isinstance(item, _Span):
        raise ValueError(f"a photo's bytes are needed; it has a {type(item).__name__}")
    if shape is not None and shape != (item.size_bytes,):
        raise ValueError("a photo's bytes are needed; it has an array of something else")
    return item


def _labels(labels: Any, content: bytes) -> tuple[bool, ...]:
    """Returns the labels of a list or of a NumPy array of one byte each."""
    if isinstance(labels, BuiltObject):
        span = _span_of(labels)
        values: list[Any] = list(content[span.offset : span.offset + span.size_bytes])
    elif isinstance(labels, (list, tuple)):
        values = [_label(label, content) for label in labels]
    else:
        raise ValueError(f"a list of labels is needed; it has a {type(labels).__name__}")
    if any(value not in (0, 1) for value in values):
        raise ValueError("a label that is neither true nor false")
    return tuple(map(bool, values))


def _label(label: Any, content: bytes) -> Any:
    if isinstance(label, BuiltObject) and label.kind in _SCALAR:
        span = label.arguments[-1]
        if isinstance(span, _Span) and span.size_bytes == 1:
            return content[span.offset]
    return label if isinstance(label, int) else None


def _count(photos: Any) -> int:
    return len(photos) if isinstance(photos, list) else 0
