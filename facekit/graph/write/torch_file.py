"""PyTorch's file of tensors by name, as `torch.save` writes a state_dict, without PyTorch.

A zip archive: data.pkl is a pickle that says what there is, data/KEY the numbers of one tensor;
see `facekit.graph.read.torch_file`.  The pickle is put together instruction by instruction, since
Python's own would have to import what it names.
"""

from __future__ import annotations

import io
import math
import struct
import zipfile
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

_FOLDER = "archive"
_VERSION = b"3\n"  # of the format
_STORAGES = {"float32": "FloatStorage", "int64": "LongStorage"}
_TIME = (1980, 1, 1, 0, 0, 0)  # the earliest of a zip archive: the same bytes on every day
_PROTOCOL, _STOP = b"\x80\x02", b"."
_MARK, _TUPLE, _REDUCE, _PERSISTENT = b"(", b"t", b"R", b"Q"
_FALSE, _EMPTY_TUPLE, _SET_ITEMS = b"\x89", b")", b"u"
_ORDERED_DICT = b"ccollections\nOrderedDict\n" + _EMPTY_TUPLE + _REDUCE


def torch_file(tensors: Mapping[str, NDArray[Any]]) -> bytes:
    """The file's content; the same for the same tensors, which are float32 or int64."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:

        def write(name: str, data: bytes) -> None:
            archive.writestr(zipfile.ZipInfo(f"{_FOLDER}/{name}", _TIME), data)

        write("data.pkl", _pickle(tensors))
        write("byteorder", b"little")
        for key, tensor in enumerate(tensors.values()):
            little = np.ascontiguousarray(tensor, tensor.dtype.newbyteorder("<"))
            write(f"data/{key}", little.tobytes())
        write("version", _VERSION)
    return content.getvalue()


def _pickle(tensors: Mapping[str, NDArray[Any]]) -> bytes:
    parts = [_PROTOCOL, _ORDERED_DICT, _MARK]
    for key, (name, tensor) in enumerate(tensors.items()):
        strides = [math.prod(tensor.shape[axis + 1 :]) for axis in range(tensor.ndim)]

        storage = b"ctorch\n" + _STORAGES[tensor.dtype.name].encode() + b"\n"
        parts += [
            _text(name),
            b"ctorch._utils\n_rebuild_tensor_v2\n",
            _MARK,
            *(_MARK, _text("storage"), storage, _text(str(key)), _text("cpu")),
            *(_integer(tensor.size), _TUPLE, _PERSISTENT),
            _integer(0),  # where in the storage it begins
            _integers(tensor.shape),
            _integers(strides),
            _FALSE,  # no gradient
            _ORDERED_DICT,  # no hooks
            *(_TUPLE, _REDUCE),
        ]
    return b"".join([*parts, _SET_ITEMS, _STOP])


def _text(value: str) -> bytes:
    encoded = value.encode()
    return b"X" + struct.pack("<I", len(encoded)) + encoded


def _integer(value: int) -> bytes:
    return b"J" + struct.pack("<i", value)


def _integers(values: Any) -> bytes:
    return _MARK + b"".join(map(_integer, values)) + _TUPLE
