"""What is known of a model file's network, whatever its format."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import prod

from facekit.graph.graph import OPEN

VELA_OPERATOR = "ethos-u"
"""the custom operator that stands for everything that Vela compiled"""

_INTEGERS = ("int4", "int8", "uint8", "int16")
_FLOATS = ("float16", "float32", "bfloat16")


@dataclass(frozen=True, slots=True)
class Tensor:
    """An input, an output, or an operand."""

    name: str
    shape: tuple[int, ...]
    """a side of -1 is open"""
    dtype: str
    """as LiteRT's schema calls it, in lower case; of an ONNX file too"""
    scales: tuple[float, ...]
    """real = scale * (integer - zero point); one for each channel, one for all, or none"""
    zero_points: tuple[int, ...]
    is_constant: bool

    @property
    def is_integer(self) -> bool:
        """Quantized, so that an integer accelerator can take it."""
        return self.dtype in _INTEGERS and bool(self.scales)


@dataclass(frozen=True, slots=True)
class Operator:
    name: str
    """as LiteRT's schema or ONNX calls it; a custom operator by its own name"""
    inputs: tuple[Tensor | None, ...]
    """None for an optional input that is left out"""
    outputs: tuple[Tensor, ...]
    products: int = 0
    """by weights, for each number that it writes"""
    reads: int = 0
    """numbers in a window, or that a mean is taken of, for each number that it writes"""


@dataclass(frozen=True, slots=True)
class Macs:
    """Multiply-accumulates of one inference."""

    weighted: int
    """in convolutions and fully connected layers"""
    pooling: int
    """elements read by pooling windows and means, which Vela counts as well"""

    @property
    def total(self) -> int:
        return self.weighted + self.pooling


@dataclass(frozen=True, slots=True)
class Network:
    """What a file holds, without its card; see ModelInspection."""

    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    operators: tuple[Operator, ...]
    parameters: dict[str, int]
    macs: Macs | None


def parameters(constants: Iterable[Tensor]) -> dict[str, int]:
    """How many numbers were trained, by dtype: floats, and the integers that have scales."""
    counts: Counter[str] = Counter()
    for tensor in constants:
        if tensor.dtype in _FLOATS or tensor.scales:
            counts[tensor.dtype] += prod(tensor.shape)
    return dict(counts.most_common())


def macs(operators: Sequence[Operator]) -> Macs | None:
    """For one picture.  None where a side other than the batch is open, a tensor's shape is not
    known, or Vela has compiled the operators."""
    weighted = pooling = 0
    for operator in operators:
        ends = (*operator.inputs[:1], *operator.outputs[:1])
        if operator.name == VELA_OPERATOR or not operator.outputs:
            return None
        if any(end is not None and OPEN in end.shape[1:] for end in ends):
            return None
        written = abs(prod(operator.outputs[0].shape))  # an open batch counts as one picture
        weighted += written * operator.products
        pooling += written * operator.reads
    return Macs(weighted, pooling)
