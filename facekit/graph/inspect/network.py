"""The description of a model file's network, whatever its format."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import prod

from facekit.graph.graph import DYNAMIC

VELA_OPERATOR = "ethos-u"
"""The custom operator that contains all operators compiled by Vela."""

_INTEGERS = ("int4", "int8", "uint8", "int16")
_FLOATS = ("float16", "float32", "bfloat16")


@dataclass(frozen=True, slots=True)
class Tensor:
    """A tensor of the network: an input, an output or an operand."""

    name: str
    shape: tuple[int, ...]
    """The size of each dimension; -1 means a dynamic dimension."""
    dtype: str
    """The type's name in LiteRT's schema, in lower case, for an ONNX file too."""
    scales: tuple[float, ...]
    """The quantization scales, with real = scale * (integer - zero point): one for each channel,
    one for the whole tensor, or none."""
    zero_points: tuple[int, ...]
    is_constant: bool

    @property
    def is_integer(self) -> bool:
        """Whether the tensor is quantized to integers, as an integer accelerator requires."""
        return self.dtype in _INTEGERS and bool(self.scales)


@dataclass(frozen=True, slots=True)
class Operator:
    name: str
    """The operator's name in LiteRT's schema or in ONNX, or a custom operator's name."""
    inputs: tuple[Tensor | None, ...]
    """The input tensors; None stands for an optional input that is absent."""
    outputs: tuple[Tensor, ...]
    macs_per_element: int = 0
    """The number of multiplications by weights for each output element."""
    window_elements: int = 0
    """The number of input elements in a pooling window or a mean, for each output element."""


@dataclass(frozen=True, slots=True)
class Macs:
    """Multiply-accumulates of one inference."""

    weighted: int
    """Multiply-accumulates in convolutions and fully connected layers."""
    pooling: int
    """Elements read by pooling windows and means, which Vela counts as well."""

    @property
    def total(self) -> int:
        return self.weighted + self.pooling


@dataclass(frozen=True, slots=True)
class Network:
    """The network in a file, without its card; see ModelInspection."""

    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    operators: tuple[Operator, ...]
    parameters: dict[str, int]
    macs: Macs | None
    """The multiply-accumulates; None if the number is unknown, see `count_macs`."""


def count_parameters(constants: Iterable[Tensor]) -> dict[str, int]:
    """Returns the number of parameters by dtype.

    Parameters are floats, and integers with scales.
    """
    counts: Counter[str] = Counter()
    for tensor in constants:
        if tensor.dtype in _FLOATS or tensor.scales:
            counts[tensor.dtype] += prod(tensor.shape)
    return dict(counts.most_common())


def count_macs(operators: Sequence[Operator]) -> Macs | None:
    """Returns the multiply-accumulates for one image.

    Returns None if a dimension other than the batch is dynamic, if a shape is unknown, or if Vela
    has compiled the operators.
    """
    weighted = pooling = 0
    for operator in operators:
        tensors = (*operator.inputs[:1], *operator.outputs[:1])
        if operator.name == VELA_OPERATOR or not operator.outputs:
            return None
        if any(tensor is not None and DYNAMIC in tensor.shape[1:] for tensor in tensors):
            return None
        elements = abs(prod(operator.outputs[0].shape))  # a dynamic batch counts as one image
        weighted += elements * operator.macs_per_element
        pooling += elements * operator.window_elements
    return Macs(weighted, pooling)
