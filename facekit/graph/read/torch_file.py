"""Reads PyTorch's files of tensors without PyTorch, and without running the pickle in them.

The current format is a zip archive.  NAME/data.pkl is a pickle that describes the tensors, and
NAME/data/KEY has the bytes of one storage.  The format before PyTorch 1.6 is a sequence of pickles:
a magic number, a format version, a description of the writing machine (byte order, type sizes), the
tensors, and the storage keys.  The storages follow, each preceded by its length.
"""

from __future__ import annotations

import io
import os
import struct
import sys
from collections.abc import Mapping
from contextlib import suppress
from math import prod
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from facekit.errors import ModelBuildError
from facekit.graph.weights import MAX_BYTES, WEIGHTS
from facekit.system.inputs import InputKind, open_input, open_zip, read_member
from facekit.system.pickled import BuiltObject, PersistentReference, read_pickle

LEGACY_MAGIC = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."
"""The first bytes of a file that PyTorch before 1.6 wrote: a pickled number."""
_HEAD_BYTES = 1 << 20
_TENSORS = InputKind("a PyTorch file of tensors alone", ModelBuildError, max_bytes=MAX_BYTES)
_WRAPPED = ("state_dict", "model_state_dict")
_STORAGES = {
    "FloatStorage": "<f4",
    "DoubleStorage": "<f8",
    "HalfStorage": "<f2",
    "LongStorage": "<i8",
    "IntStorage": "<i4",
    "ShortStorage": "<i2",
    "CharStorage": "<i1",
    "ByteStorage": "<u1",
    "BoolStorage": "?",
}
_ORDERED_DICT = ("collections", "OrderedDict")
_TENSOR = (("torch._utils", "_rebuild_tensor"), ("torch._utils", "_rebuild_tensor_v2"))
_PARAMETER = ("torch._utils", "_rebuild_parameter")
_CALLED = (*_TENSOR, _PARAMETER)
_NAMES = (_ORDERED_DICT, *_CALLED, *(("torch", name) for name in _STORAGES))
_LENGTH = struct.Struct("<q")


def is_torch_file(path: Path) -> bool:
    """Returns whether the file has PyTorch's current or older format.

    Raises ModelBuildError if the file cannot be read.
    """
    with open_input(path, WEIGHTS) as file:
        return _pickle_member(file) is not None or _head(file).startswith(LEGACY_MAGIC)


def mentions_tensor(path: Path, key: str) -> bool:
    """Returns whether `key` occurs in the first megabyte of the pickle.

    The pickle is data.pkl, or the file itself in the older format.  The pickle is not executed.
    False if the pickle is damaged.  Raises ModelBuildError if the file cannot be read.
    """
    with open_input(path, WEIGHTS) as file:
        member = _pickle_member(file)
        if member is None:
            return key.encode() in _head(file)
        with suppress(Exception), open_zip(file, max_bytes=MAX_BYTES) as archive:
            return key.encode() in archive.open(member).read(_HEAD_BYTES)
    return False


def read_state_dict(path: Path) -> dict[str, NDArray[Any]]:
    """Returns every tensor by its name, without the prefix "module." of multi-device training.

    If the file holds a dictionary with the key "state_dict" or "model_state_dict", the tensors of
    that entry are returned, and the other entries of the dictionary are dropped.  The arrays are in
    C order, may be read-only, and have one of the types in `_STORAGES`.
    Raises ModelBuildError if the tensors' dictionary holds anything except tensors, or if the file
    cannot be read, is damaged or is too large.
    """
    with open_input(path, _TENSORS) as file:
        member = _pickle_member(file)
        content, storages = _read_legacy(file) if member is None else _read_zip(file, member)
        for wrapped in _WRAPPED:
            if isinstance(content, dict) and isinstance(content.get(wrapped), dict):
                content = content[wrapped]
        if not isinstance(content, dict):
            raise ValueError(f"a state_dict needed, received a {type(content).__name__}")
        tensors: dict[str, NDArray[Any]] = {}
        total_bytes = 0
        for name, value in content.items():
            tensor = _tensor(value, storages, str(name))
            tensors[str(name).removeprefix("module.")] = tensor
            total_bytes += tensor.nbytes
            if total_bytes > MAX_BYTES:  # many tensors may share the bytes of one storage
                raise ValueError(f"its tensors have more than {MAX_BYTES} bytes")
        return tensors


def _read_zip(file: BinaryIO, member: str) -> tuple[Any, dict[str, NDArray[Any]]]:
    with open_zip(file, max_bytes=MAX_BYTES) as archive:
        folder = member.removesuffix("data.pkl")
        if f"{folder}byteorder" in archive.namelist() and (
            read_member(archive, f"{folder}byteorder") != b"little"
        ):
            raise ValueError("a big-endian byte order")
        content = _pickle(io.BytesIO(read_member(archive, member)))
        storages = {
            name.removeprefix(f"{folder}data/"): np.frombuffer(read_member(archive, name), np.uint8)
            for name in archive.namelist()
            if name.startswith(f"{folder}data/")
        }
    return content, storages


def _read_legacy(file: BinaryIO) -> tuple[Any, dict[str, NDArray[Any]]]:
    file.seek(0)
    if file.read(len(LEGACY_MAGIC)) != LEGACY_MAGIC:
        raise ValueError("neither a zip archive nor PyTorch's older format")
    _version, machine, content = (_pickle(file) for _ in range(3))
    if not machine.get("little_endian", True):
        raise ValueError("a big-endian byte order")
    types = dict(_references(content))
    storages = {}
    for key in _pickle(file):
        count = _LENGTH.unpack(file.read(_LENGTH.size))[0]
        size = count * np.dtype(_STORAGES[types[key]]).itemsize
        if not 0 <= size <= os.fstat(file.fileno()).st_size:
            raise ValueError(f"storage {key} cannot have {count} numbers")
        storages[key] = np.frombuffer(file.read(size), np.uint8)
        if len(storages[key]) != size:
            raise ValueError(f"it ends within the numbers of storage {key}")
    return content, storages


def _references(content: Any) -> list[tuple[str, str]]:
    """Returns (key, name of the storage class) for every reference to a storage in `content`."""
    pending, found = [content], []
    seen: set[int] = set()  # a pickle may put a list into itself
    while pending:
        item = pending.pop()
        if id(item) in seen:
            continue
        seen.add(id(item))
        if isinstance(item, PersistentReference):
            _, (_module, kind), key, *_ = item.reference
            found.append((key, kind))
        elif isinstance(item, BuiltObject):
            pending += item.arguments
        elif isinstance(item, dict):
            pending += item.values()
        elif isinstance(item, (list, tuple)):
            pending += item
    return found


def _pickle(stream: BinaryIO) -> Any:
    return read_pickle(stream, _NAMES, calls=_CALLED, mappings=(_ORDERED_DICT,))


def _tensor(value: Any, storages: Mapping[str, NDArray[Any]], name: str) -> NDArray[Any]:
    """Returns a tensor in C order.  Raises ValueError, naming the tensor, if it is not supported,
    and the exceptions of Python if its description is malformed."""
    if isinstance(value, BuiltObject) and value.kind == _PARAMETER:
        value = value.arguments[0]
    if not isinstance(value, BuiltObject):
        raise ValueError(f"{name} is a {type(value).__name__}, no tensor")
    stored, offset, shape, strides, *_ = value.arguments
    # ("storage", storage class, key, device, number of elements[, view of another storage])
    word, (_module, kind), key, _device, _count, *view = stored.reference
    if word != "storage" or any(item is not None for item in view):
        raise ValueError(f"{name} is part of a storage in a way that is not known")
    values = storages[key].view(_STORAGES[kind])
    last = offset + sum((size - 1) * stride for size, stride in zip(shape, strides, strict=True))
    is_valid = min((offset, *shape, *strides), default=0) >= 0 and prod(shape) <= len(values)
    if not is_valid or (prod(shape) and last >= len(values)):
        raise ValueError(f"{name} of shape {shape} does not lie within its storage")
    size = values.itemsize
    view_of = np.lib.stride_tricks.as_strided(
        values[offset:], shape, [stride * size for stride in strides], writeable=False
    )
    return np.asarray(view_of, order="C")


def _head(file: BinaryIO) -> bytes:
    file.seek(0)
    return file.read(_HEAD_BYTES)


def _pickle_member(file: BinaryIO) -> str | None:
    """Returns the name of the member NAME/data.pkl.

    Returns None if the file is no zip archive, cannot be read, or has no such member.
    """
    names: list[str] = []
    with suppress(Exception), open_zip(file, max_bytes=sys.maxsize) as archive:
        names = archive.namelist()
    return next((name for name in names if name.rpartition("/")[2] == "data.pkl"), None)
