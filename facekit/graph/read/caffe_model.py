"""Reads the tensors of a .caffemodel by layer, without Caffe.

The file is a protobuf message NetParameter.  Only the fields below of caffe.proto (BVLC/caffe, and
wy1iu/sphereface's copy of it) are declared; protobuf skips the others.  Packed arrays of numbers
are declared as bytes, which have the same encoding, so that no Python object is created per number.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from facekit.errors import ModelBuildError
from facekit.graph.read.protobuf import Messages, parse
from facekit.graph.weights import MAX_BYTES, WEIGHTS
from facekit.system.inputs import InputKind, open_input, reading

_KIND = InputKind("a whole Caffe model", ModelBuildError, max_bytes=MAX_BYTES)
_HEAD_BYTES = 1 << 20
_LAYERS, _LAYER = 2, 100  # fields of NetParameter: the older kind of layers, and the current one
_VARINT, _FIXED64, _LENGTH, _FIXED32 = 0, 1, 2, 5  # protobuf's wire types
_TESTED_FIELDS = 4  # top-level fields that are tested: a name and the first layers come first

_NET_PARAMETER = Messages(
    "NetParameter",
    {
        "BlobShape": {"dim": (1, "int64", True)},
        "BlobProto": {
            "num": (1, "int32", False),
            "channels": (2, "int32", False),
            "height": (3, "int32", False),
            "width": (4, "int32", False),
            "data": (5, "bytes", True),
            "shape": (7, "BlobShape", False),
            "double_data": (8, "bytes", True),
        },
        "LayerParameter": {"name": (1, "string", False), "blobs": (7, "BlobProto", True)},
        "V1LayerParameter": {"name": (4, "string", False), "blobs": (6, "BlobProto", True)},
        "NetParameter": {
            "layers": (_LAYERS, "V1LayerParameter", True),
            "layer": (_LAYER, "LayerParameter", True),
        },
    },
)


def is_caffe_model(path: Path, *, with_layer: str) -> bool:
    """Returns whether the file begins like a NetParameter and contains the layer name `with_layer`.

    Raises ModelBuildError if the file cannot be read.
    """
    with open_input(path, WEIGHTS) as file:
        if with_layer.encode() not in file.read(_HEAD_BYTES):
            return False
        file.seek(0)
        return any(field in (_LAYERS, _LAYER) for field in _first_fields(file))


def read_caffe_model(path: Path) -> dict[str, NDArray[np.float32]]:
    """Returns every tensor by "layer[index]": index 0 is the kernel or the slopes, 1 the bias.

    Older files give every tensor four axes; their leading axes of size 1 are dropped except for
    kernels.  Raises ModelBuildError if the file is not a NetParameter, is truncated or too large,
    or if the number of a tensor's elements does not match its shape.
    """
    net = parse(path, _NET_PARAMETER, _KIND)
    tensors: dict[str, NDArray[np.float32]] = {}
    with reading(_KIND, path):
        for layer in (*net.layers, *net.layer):
            for index, blob in enumerate(layer.blobs):
                name = f"{layer.name}[{index}]"
                if name in tensors:
                    raise ModelBuildError(f"{path.name} has two layers called {layer.name}.")
                tensors[name] = _tensor(blob, name, path.name)
    return tensors


def _tensor(blob: Any, name: str, origin: str) -> NDArray[np.float32]:
    """Returns the tensor in the blob's shape, without the leading axes of size 1 of an
    older file."""
    is_float32 = bool(blob.data)
    content = b"".join(blob.data if is_float32 else blob.double_data)
    dtype: np.dtype[Any] = np.dtype("<f4" if is_float32 else "<f8")
    legacy = not blob.HasField("shape")
    axes = (blob.num, blob.channels, blob.height, blob.width) if legacy else blob.shape.dim
    shape = tuple(axes)
    if min(shape, default=1) < 1 or math.prod(shape) * dtype.itemsize != len(content):
        raise ModelBuildError(
            f"{origin}: {name} must have as many elements as its shape {shape} says. Received: "
            f"{len(content)} bytes of {dtype.name}."
        )
    if legacy:
        while len(shape) > 1 and shape[0] == 1:
            shape = shape[1:]
    return np.frombuffer(content, dtype).reshape(shape).astype(np.float32, copy=False)


def _first_fields(file: IO[bytes]) -> Iterator[int]:
    """Yields the numbers of the first fields that hold a string or a message, as far as they can be
    parsed."""
    for _ in range(_TESTED_FIELDS):
        tag = _varint(file)
        if tag is None:
            return
        field, wire = tag >> 3, tag & 7
        length = {_VARINT: 0, _FIXED64: 8, _FIXED32: 4}.get(wire)
        if wire == _VARINT:
            _varint(file)
        elif wire == _LENGTH:
            length = _varint(file)
            yield field
        if length is None:
            return
        file.seek(length, 1)


def _varint(file: IO[bytes]) -> int | None:
    value = 0
    for shift in range(0, 64, 7):
        byte = file.read(1)
        if not byte:
            return None
        value |= (byte[0] & 0x7F) << shift
        if byte[0] < 0x80:
            return value
    return None
