"""What is known of a model file's network, whatever its format."""

from __future__ import annotations

from dataclasses import dataclass

VELA_OPERATOR = "ethos-u"
"""the custom operator that stands for everything that Vela compiled"""

_INTEGERS = ("int4", "int8", "uint8", "int16")


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
        """Quantised, so that an integer accelerator can take it."""
        return self.dtype in _INTEGERS and bool(self.scales)


@dataclass(frozen=True, slots=True)
class Operator:
    name: str
    """as LiteRT's schema or ONNX calls it; a custom operator by its own name"""
    inputs: tuple[Tensor | None, ...]
    """None for an optional input that is left out"""
    outputs: tuple[Tensor, ...]
    window: int = 0
    """elements that a pooling operator reads for each element it writes"""


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
