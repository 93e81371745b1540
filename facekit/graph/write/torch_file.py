"""Writes PyTorch's file of named tensors, as `torch.save` writes a state_dict, without PyTorch.

The file is a zip archive: data.pkl is a pickle that describes the tensors, data/KEY has the
elements of one tensor; see `facekit.graph.read.torch_file`.  The pickle is composed of instructions
here, because Python's pickle module would have to import the functions that it names.
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
# the earliest time in a zip archive, so that the bytes do not depend on the date
_TIME = (1980, 1, 1, 0, 0, 0)
_PROTOCOL, _STOP = b"\x80\x02", b"."
_MARK, _TUPLE, _REDUCE, _PERSISTENT = b"(", b"t", b"R", b"Q"
_FALSE, _EMPTY_TUPLE, _SET_ITEMS = b"\x89", b")", b"u"
_ORDERED_DICT = b"ccollections\nOrderedDict\n" + _EMPTY_TUPLE + _REDUCE


def write_torch_file(tensors: Mapping[str, NDArray[Any]]) -> bytes:
    """Returns the content of the file for float32 or int64 tensors by name.

    Equal tensors lead to equal bytes.
    """
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
            _integer(0),  # offset in the storage
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
