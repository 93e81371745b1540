"""Sources of a network's weights: the tensors of a file, or initial values for training.

A network (facekit/graph/nets) requests each of its weights once by name, e.g.
"Conv2d_1a_3x3/kernel".  A file format is described by a function from such a name to a tensor of
the file and its layout, or to a constant.  Every weight must have a source, and every tensor of the
file must be used exactly once, except those listed as ignored or expected.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from facekit.errors import ModelBuildError
from facekit.graph.graph import Graph, Node
from facekit.system.inputs import InputKind, reading
from facekit.types import Float32Array

MAX_BYTES = 2 << 30
"""Size limit of a file of weights in bytes, packed or unpacked.  Known networks have 0.1 GB."""

WEIGHTS = InputKind("a network or weights", ModelBuildError, max_bytes=MAX_BYTES)
"""A file whose format is not known yet."""

NODE = InputKind("an operation of a network", ModelBuildError)


@contextmanager
def reading_graph(kind: InputKind, path: Path) -> Iterator[None]:
    """As `reading`, and errors about a tensor or node get the name of the file.

    Values that overflow float32 give no warning: the checks for finite values find them.
    """
    try:
        with np.errstate(all="ignore"), reading(kind, "it"):
            yield
    except ModelBuildError as error:
        raise ModelBuildError(f"{path.name}: {error}") from error


class Weights(Protocol):
    """The source of weights from which a network is built."""

    def has(self, name: str) -> bool:
        """Returns whether a weight of this name can be requested.  A few weights are optional."""
        ...

    def take(self, name: str, shape: tuple[int, ...]) -> Float32Array:
        """Returns the float32 weight of this name and shape.  Each name is requested once.

        Raises ModelBuildError, which names the weight or the tensor, if the weight has no source,
        the tensor is missing, is not float32 or has values that are not finite, or if its shape
        differs from `shape`.
        """
        ...

    def graph(self, name: str, output: Node) -> Graph:
        """Returns the network called `name` that ends in `output`.

        Raises ModelBuildError if a tensor of the file was not used, or was used more than once.
        """
        ...


@dataclass(frozen=True, slots=True)
class Take:
    """The weight is the file's tensor `name`, converted by `change`.

    `change` must return a tensor of an unexpected shape unchanged, so that the error message can
    state that shape.
    """

    name: str
    change: Callable[[Float32Array], Float32Array] | None = None


@dataclass(frozen=True, slots=True)
class Fill:
    """Every element of the weight is `value`.

    The source file does not contain the weight, because it was folded into another weight.
    """

    value: float


SourceOf: TypeAlias = Callable[[str], "Take | Fill | None"]
"""Maps a weight's name to its source, or to None if the format has no such weight."""


class SourceWeights:
    """The tensors of a file.  Implements `Weights`."""

    def __init__(
        self,
        tensors: Mapping[str, NDArray[Any]],
        source_of: SourceOf,
        *,
        origin: str,
        expected: Mapping[str, float] | None = None,
        ignored: Collection[str] = (),
    ) -> None:
        """`origin` names the file in error messages.  `expected` maps the names of tensors that are
        constants in the network, e.g. a residual scale, to the value that all their elements must
        have.  `ignored` lists tensors that the network does not use.

        Raises ModelBuildError if an expected tensor is missing or has another value.
        """
        self._tensors = tensors
        self._source_of = source_of
        self._origin = origin
        self._used = Counter([*(expected or ()), *ignored])
        for name, number in (expected or {}).items():
            tensor = self._tensor(name)
            if not np.array_equal(tensor, np.full(tensor.shape, number, np.float32)):
                raise ModelBuildError(f"{origin}: {name} must be {number} throughout; it is not.")

    def has(self, name: str) -> bool:
        return self._source_of(name) is not None

    def take(self, name: str, shape: tuple[int, ...]) -> Float32Array:
        source = self._source_of(name)
        if source is None:
            raise ModelBuildError(f"{self._origin} has no value for the weight {name}.")
        if isinstance(source, Fill):
            return np.full(shape, source.value, np.float32)
        tensor = self._tensor(source.name)
        self._used[source.name] += 1
        if tensor.dtype != np.float32:
            raise ModelBuildError(
                f"{self._origin}: {source.name} must be float32. Received: {tensor.dtype}."
            )
        if not np.isfinite(tensor).all():
            raise ModelBuildError(
                f"{self._origin}: {source.name} holds values that are not finite."
            )
        value = tensor if source.change is None else source.change(tensor)
        if value.shape != shape:
            raise ModelBuildError(
                f"{self._origin}: {source.name} does not fit {name}: shape {shape} needed, "
                f"received {value.shape}."
            )
        return value

    def graph(self, name: str, output: Node) -> Graph:
        unused = self._tensors.keys() - self._used.keys()
        if unused:
            raise ModelBuildError(
                f"{self._origin} has tensors with no place in the graph: "
                f"{_shorten_list(unused)} (graph {name})."
            )
        if repeated := [tensor for tensor, count in self._used.items() if count > 1]:
            raise ModelBuildError(
                f"{self._origin} gives several places to {_shorten_list(repeated)} (graph {name})."
            )
        return Graph(name, (output,))

    def _tensor(self, name: str) -> NDArray[Any]:
        if name not in self._tensors:
            raise ModelBuildError(f"{self._origin} lacks the tensor {name}.")
        return self._tensors[name]


Initial: TypeAlias = Callable[[np.random.Generator, str, tuple[int, ...]], "NDArray[Any]"]
"""Computes the initial value of a weight from a random generator, its name and its shape."""


class FreshWeights:
    """Initial weights for training, equal for equal seeds.  Implements `Weights`."""

    def __init__(self, initial: Initial, *, seed: int) -> None:
        self._initial = initial
        self._random = np.random.default_rng(seed)

    def has(self, _name: str) -> bool:
        return False

    def take(self, name: str, shape: tuple[int, ...]) -> Float32Array:
        return self._initial(self._random, name, shape).astype(np.float32)

    def graph(self, name: str, output: Node) -> Graph:
        return Graph(name, (output,))


def initial(random: np.random.Generator, name: str, shape: tuple[int, ...]) -> NDArray[Any]:
    """Returns the initial value of the weight `name`, a float64 array.

    A kernel has uniform values of variance 2 / (fan-in + fan-out) (Glorot and Bengio 2010).  A
    `moving_variance` is all ones, and every other weight (bias, beta, moving_mean) is all zeros.
    """
    leaf = name.rpartition("/")[2]
    if leaf == "kernel":
        *window, depth, filters = shape
        return uniform(random, shape, 2 / (np.prod(window) * (depth + filters)))
    return np.full(shape, 1.0 if leaf == "moving_variance" else 0.0)


def uniform(
    random: np.random.Generator, shape: tuple[int, ...], variance: float
) -> NDArray[np.float64]:
    """Returns float64 values of `shape`, uniform in [-limit, limit), limit = sqrt(3 * variance)."""
    limit = np.sqrt(3 * variance)
    return random.uniform(-limit, limit, shape)


def read_embedding_size(
    tensors: Mapping[str, NDArray[Any]], name: str, *, axis: int, origin: str
) -> int:
    """Returns the embedding's length, read from the kernel of the last layer.

    The kernel is the tensor `name`, and the length is the size of its axis `axis`.
    Raises ModelBuildError if the tensor is missing or is not a matrix.
    """
    if name not in tensors:
        raise ModelBuildError(f"{origin} lacks the tensor {name}: it is not of the graph meant.")
    if tensors[name].ndim != 2:
        raise ModelBuildError(
            f"{origin}: {name} must have two dimensions. Received: shape {tensors[name].shape}."
        )
    return int(tensors[name].shape[axis])


def to_hwio(kernel: Float32Array) -> Float32Array:
    """Transposes a kernel from (out, in, height, width) to (height, width, in, out).

    PyTorch and Caffe store kernels as (out, in, height, width).  An array that does not have four
    dimensions is returned unchanged.
    """
    return kernel.transpose(2, 3, 1, 0) if kernel.ndim == 4 else kernel


def _shorten_list(names: Collection[str], at_most: int = 3) -> str:
    first = ", ".join(sorted(names)[:at_most])
    return f"{first} and {len(names) - at_most} more" if len(names) > at_most else first
