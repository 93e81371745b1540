"""SphereFace-20 as others publish it, written here: weights, files, and an own forward pass.

Nothing of facekit is used: the Caffe file is put together byte by byte after caffe.proto, and the
net is run by PyTorch from the tensors' names, as wy1iu's prototxt draws it.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Tensors: TypeAlias = dict[str, NDArray[np.float32]]

LAST_OF_STAGE = {1: 3, 2: 5, 3: 9, 4: 3}
FILTERS = {1: 64, 2: 128, 3: 256, 4: 512}


def numbers() -> list[str]:
    """1_1, 1_2, 1_3, 2_1, ..."""
    return [f"{i}_{k}" for i, last in LAST_OF_STAGE.items() for k in range(1, last + 1)]


def random_tensors(seed: int = 20) -> Tensors:
    """clcarwin's names, PyTorch's layout; values that keep a picture's signal alive.

    One layer has slopes above 1, and each some below 0.
    """
    random = np.random.default_rng(seed)
    tensors: Tensors = {}
    channels = 3
    for number in numbers():
        filters = FILTERS[int(number[0])]
        spread = np.sqrt(2 / (9 * channels)) * (1.0 if number.endswith("_1") else 0.4)
        tensors[f"conv{number}.weight"] = normal(random, (filters, channels, 3, 3), spread)
        tensors[f"conv{number}.bias"] = normal(random, (filters,), 0.1)
        slopes = random.uniform(-0.2, 1.5 if number == "3_1" else 0.9, filters)
        tensors[f"relu{number}.weight"] = slopes.astype(np.float32)
        channels = filters
    tensors["fc5.weight"] = normal(random, (512, 512 * 7 * 6), 0.01)
    tensors["fc5.bias"] = normal(random, (512,), 0.1)
    return tensors


def normal(random: np.random.Generator, shape: tuple[int, ...], spread: float) -> Any:
    return random.standard_normal(shape, np.float32) * np.float32(spread)


def embed_by_torch(tensors: Mapping[str, NDArray[np.float32]], pictures: Any) -> Any:
    """(N, 112, 96, 3) float32 input -> (N, 512)."""
    import torch
    from torch.nn import functional

    weights = {name: torch.from_numpy(tensor) for name, tensor in tensors.items()}

    def conv(x: Any, number: str, stride: int) -> Any:
        x = functional.conv2d(
            x, weights[f"conv{number}.weight"], weights[f"conv{number}.bias"], stride, padding=1
        )
        return functional.prelu(x, weights[f"relu{number}.weight"])

    with torch.no_grad():
        x = torch.from_numpy(np.ascontiguousarray(pictures.transpose(0, 3, 1, 2)))
        for stage, last in LAST_OF_STAGE.items():
            x = conv(x, f"{stage}_1", 2)
            for first in range(2, last, 2):
                x = x + conv(conv(x, f"{stage}_{first}", 1), f"{stage}_{first + 1}", 1)
        return functional.linear(x.flatten(1), weights["fc5.weight"], weights["fc5.bias"]).numpy()


def caffe_model(tensors: Mapping[str, NDArray[Any]], *, old: bool = False) -> bytes:
    """A NetParameter: `layer` with BlobShapes, or (`old`) `layers` with blobs of four sides."""
    by_layer: dict[str, list[NDArray[Any]]] = {}
    for name, tensor in tensors.items():
        layer, _, kind = name.rpartition(".")
        by_layer.setdefault(layer, [])
        if kind == "bias":
            by_layer[layer].append(tensor)
        else:
            by_layer[layer].insert(0, tensor)
    content = member(1, b"SpherefaceNet-20")
    content += member(2 if old else 100, b"".join([member(4 if old else 1, b"data")]))
    for layer, blobs in by_layer.items():
        inside = member(4 if old else 1, layer.encode())
        inside += b"".join(member(6 if old else 7, blob(tensor, old=old)) for tensor in blobs)
        content += member(2 if old else 100, inside)
    return content


def blob(tensor: NDArray[Any], *, old: bool) -> bytes:
    if old:
        sides = (1,) * (4 - tensor.ndim) + tensor.shape
        shape = b"".join(varint(number << 3) + varint(side) for number, side in enumerate(sides, 1))
    else:
        shape = member(7, member(1, b"".join(map(varint, tensor.shape))))
    if tensor.dtype == np.float64:
        return member(8, tensor.astype("<f8").tobytes()) + shape
    return member(5, tensor.astype("<f4").tobytes()) + shape


def member(number: int, content: bytes) -> bytes:
    """A field of wire type 2: tag, length, bytes."""
    return varint(number << 3 | 2) + varint(len(content)) + content


def varint(value: int) -> bytes:
    content = b""
    while value > 0x7F:
        content += struct.pack("B", value & 0x7F | 0x80)
        value >>= 7
    return content + struct.pack("B", value)


def prototxt() -> str:
    """wy1iu's deploy net, for OpenCV-DNN."""
    lines = ['input: "data"', "input_dim: 1", "input_dim: 3", "input_dim: 112", "input_dim: 96"]

    def layer(name: str, kind: str, bottoms: list[str], inside: str = "") -> str:
        named = " ".join(f'bottom: "{one}"' for one in bottoms)
        lines.append(f'layer {{ name: "{name}" type: "{kind}" {named} top: "{name}" {inside} }}')
        return name

    def conv(x: str, number: str, filters: int, stride: int) -> str:
        inside = f"num_output: {filters} kernel_size: 3 stride: {stride} pad: 1"
        x = layer(f"conv{number}", "Convolution", [x], f"convolution_param {{ {inside} }}")
        return layer(f"relu{number}", "PReLU", [x])

    x = "data"
    for stage, last in LAST_OF_STAGE.items():
        x = conv(x, f"{stage}_1", FILTERS[stage], 2)
        for first in range(2, last, 2):
            y = conv(x, f"{stage}_{first}", FILTERS[stage], 1)
            y = conv(y, f"{stage}_{first + 1}", FILTERS[stage], 1)
            x = layer(
                f"res{stage}_{first + 1}", "Eltwise", [x, y], "eltwise_param { operation: 1 }"
            )
    layer("fc5", "InnerProduct", [x], "inner_product_param { num_output: 512 }")
    return "\n".join(lines) + "\n"
