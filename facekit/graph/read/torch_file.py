"""PyTorch's files of tensors, read without PyTorch and without running what is pickled in them.

Today's file is a zip archive: NAME/data.pkl is a pickle that says what there is, NAME/data/KEY the
numbers of one storage.  Before PyTorch 1.6 it was a row of pickles: a magic number, a version, the
machine, what there is, the keys of the storages; behind them each storage, its length before it.
"""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from facekit.errors import ModelBuildError
from facekit.graph.read.pickled import MISFITS, Made, Stored, read_pickle
from facekit.graph.weights import MAX_BYTES, UNREADABLE

LEGACY_MAGIC = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."
"""how PyTorch before 1.6 begins a file: a pickled number"""
_HEAD_BYTES = 1 << 20
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
    """Whether PyTorch wrote it, today's way or the older one."""
    return _pickle_member(path) is not None or _head(path).startswith(LEGACY_MAGIC)


def mentions(path: Path, key: str) -> bool:
    """Whether a tensor is called so, by the bytes of the pickle, which is not opened."""
    member = _pickle_member(path)
    if member is None:
        return key.encode() in _head(path)
    with zipfile.ZipFile(path) as archive, archive.open(member) as file:
        return key.encode() in file.read(_HEAD_BYTES)


def read_state_dict(path: Path) -> dict[str, NDArray[Any]]:
    """Every tensor by its name, without the "module." that training on several devices adds.

    Raises ModelBuildError for a file that holds more than tensors, is damaged or huge.
    """
    _require_small(path)
    try:
        member = _pickle_member(path)
        content, storages = _legacy(path) if member is None else _zipped(path, member)
        for wrapped in _WRAPPED:
            if isinstance(content, dict) and isinstance(content.get(wrapped), dict):
                content = content[wrapped]
        if not isinstance(content, dict):
            raise ModelBuildError(f"a state_dict needed, received a {type(content).__name__}.")
        return {
            str(name).removeprefix("module."): _tensor(value, storages, str(name))
            for name, value in content.items()
        }
    except (ModelBuildError, struct.error, *UNREADABLE, *MISFITS) as error:
        raise ModelBuildError(
            f"{path} is not a PyTorch file of tensors alone, or is damaged; nothing in it was "
            f"run: {error}"
        ) from error


def _zipped(path: Path, member: str) -> tuple[Any, dict[str, NDArray[Any]]]:
    with zipfile.ZipFile(path) as archive:
        folder = member.removesuffix("data.pkl")
        if f"{folder}byteorder" in archive.namelist() and (
            archive.read(f"{folder}byteorder") != b"little"
        ):
            raise ValueError("numbers with their highest byte first")
        content = _pickle(io.BytesIO(archive.read(member)))
        storages = {
            name.removeprefix(f"{folder}data/"): np.frombuffer(archive.read(name), np.uint8)
            for name in archive.namelist()
            if name.startswith(f"{folder}data/")
        }
    return content, storages


def _legacy(path: Path) -> tuple[Any, dict[str, NDArray[Any]]]:
    with path.open("rb") as file:
        if file.read(len(LEGACY_MAGIC)) != LEGACY_MAGIC:
            raise ValueError("neither a zip archive nor PyTorch's older format")
        _version, machine, content = (_pickle(file) for _ in range(3))
        if not machine.get("little_endian", True):
            raise ValueError("numbers with their highest byte first")
        types = dict(_references(content))
        storages = {}
        for key in _pickle(file):
            count = _LENGTH.unpack(file.read(_LENGTH.size))[0]
            size = count * np.dtype(_STORAGES[types[key]]).itemsize
            if not 0 <= size <= path.stat().st_size:
                raise ValueError(f"storage {key} cannot have {count} numbers")
            storages[key] = np.frombuffer(file.read(size), np.uint8)
            if len(storages[key]) != size:
                raise ValueError(f"it ends within the numbers of storage {key}")
    return content, storages


def _references(content: Any) -> list[tuple[str, str]]:
    """Key and type of every storage that is named."""
    pending, found = [content], []
    while pending:
        one = pending.pop()
        if isinstance(one, Stored):
            _, (_module, kind), key, *_ = one.reference
            found.append((key, kind))
        elif isinstance(one, Made):
            pending += one.arguments
        elif isinstance(one, dict):
            pending += one.values()
        elif isinstance(one, (list, tuple)):
            pending += one
    return found


def _pickle(stream: BinaryIO) -> Any:
    return read_pickle(stream, _NAMES, calls=_CALLED, mappings=(_ORDERED_DICT,))


def _tensor(value: Any, storages: Mapping[str, NDArray[Any]], name: str) -> NDArray[Any]:
    """The numbers in their own order of axes.  Raises ModelBuildError naming the tensor."""
    if isinstance(value, Made) and value.kind == _PARAMETER:
        value = value.arguments[0]
    if not isinstance(value, Made):
        raise ModelBuildError(f"{name} is a {type(value).__name__}, no tensor.")
    stored, offset, shape, strides, *_ = value.arguments
    word, (_module, kind), key, _device, _count, *view = stored.reference
    if word != "storage" or any(one is not None for one in view):
        raise ModelBuildError(f"{name} is part of a storage in a way that is not known.")
    numbers = storages[key].view(_STORAGES[kind])
    last = offset + sum((side - 1) * stride for side, stride in zip(shape, strides, strict=True))
    fits = min((offset, *shape, *strides), default=0) >= 0 and prod(shape) <= len(numbers)
    if not fits or (prod(shape) and last >= len(numbers)):
        raise ModelBuildError(f"{name} of shape {shape} does not lie within its storage.")
    size = numbers.itemsize
    view_of = np.lib.stride_tricks.as_strided(
        numbers[offset:], shape, [stride * size for stride in strides], writeable=False
    )
    return np.asarray(view_of, order="C")


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_HEAD_BYTES)


def _pickle_member(path: Path) -> str | None:
    """NAME/data.pkl, which every zip archive of PyTorch's has."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except UNREADABLE:
        return None
    return next((name for name in names if name.rpartition("/")[2] == "data.pkl"), None)


def _require_small(path: Path) -> None:
    size = path.stat().st_size
    if _pickle_member(path) is not None:
        with zipfile.ZipFile(path) as archive:
            size = max(size, sum(member.file_size for member in archive.infolist()))
    if size > MAX_BYTES:
        raise ModelBuildError(f"{path} has {size} bytes unpacked; {MAX_BYTES} are allowed.")
