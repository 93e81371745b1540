"""Where the weights of a net come from: a file's tensors, or numbers to begin training with.

A net (facekit/graph/nets) asks for each of its weights by name, "Conv2d_1a_3x3/kernel", once.  A
format is described by data: which tensor of the file that is, and in what layout.  Nothing is
skipped and nothing is left over, on either side.
"""

from __future__ import annotations

import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from facekit.errors import ModelBuildError
from facekit.graph.graph import Graph, Node
from facekit.types import Float32Array

MAX_BYTES = 2 << 30
"""of a file of weights, packed or unpacked; the graphs here have 0.1 GB"""


UNREADABLE = (zipfile.BadZipFile, zlib.error, OSError, EOFError, ValueError, RuntimeError)
"""what Python raises about a zip archive that is none, or is damaged"""


class Weights(Protocol):
    """What a net is drawn with."""

    def has(self, name: str) -> bool:
        """Whether there is a weight of this name, for the few that a net may lack."""
        ...

    def take(self, name: str, shape: tuple[int, ...]) -> Float32Array:
        """The weight of this name.  Raises ModelBuildError naming the tensor that does not fit."""
        ...

    def graph(self, name: str, output: Node) -> Graph:
        """The net, all of which is drawn.  Raises ModelBuildError where tensors are left over."""
        ...


@dataclass(frozen=True, slots=True)
class Take:
    """The weight is this tensor of the file, after `change`, which hands one of a shape that it
    does not expect on as it is: the misfit is then named."""

    name: str
    change: Callable[[Float32Array], Float32Array] | None = None


@dataclass(frozen=True, slots=True)
class Fill:
    """The weight is this number throughout: the source has folded it away."""

    value: float


SourceOf: TypeAlias = Callable[[str], "Take | Fill | None"]
"""where the weight of a name comes from; None for one that the format does not have"""


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
        """`expected` names tensors that the net has as constants (a residual scale), with the
        value they must hold throughout; `ignored` those that have no place in it.  `origin` names
        the file in errors.  Raises ModelBuildError for a tensor that is not as expected.
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
        left = self._tensors.keys() - self._used.keys()
        if left:
            raise ModelBuildError(
                f"{self._origin} has tensors with no place in the graph: {_some(left)} (graph "
                f"{name})."
            )
        if twice := [one for one, times in self._used.items() if times > 1]:
            raise ModelBuildError(
                f"{self._origin} gives several places to {_some(twice)} (graph {name})."
            )
        return Graph(name, (output,))

    def _tensor(self, name: str) -> NDArray[Any]:
        if name not in self._tensors:
            raise ModelBuildError(f"{self._origin} lacks the tensor {name}.")
        return self._tensors[name]


Initial: TypeAlias = Callable[[np.random.Generator, str, tuple[int, ...]], "NDArray[Any]"]
"""what the weight of a name and shape is before training"""


class FreshWeights:
    """Weights to begin training with, the same for the same seed.  Implements `Weights`."""

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
    """Kernels uniform with a variance of 2 / (fan-in + fan-out) (Glorot and Bengio 2010); batch
    norms and biases at rest."""
    leaf = name.rpartition("/")[2]
    if leaf == "kernel":
        *window, depth, filters = shape
        return uniform(random, shape, 2 / (np.prod(window) * (depth + filters)))
    return np.full(shape, 1.0 if leaf == "moving_variance" else 0.0)


def uniform(
    random: np.random.Generator, shape: tuple[int, ...], variance: float
) -> NDArray[np.float64]:
    limit = np.sqrt(3 * variance)
    return random.uniform(-limit, limit, shape)


def embedding_size_of(
    tensors: Mapping[str, NDArray[Any]], name: str, *, axis: int, origin: str
) -> int:
    """The length of the embedding, by axis `axis` of the last layer's kernel.

    Raises ModelBuildError where that tensor is missing or is no matrix.
    """
    if name not in tensors:
        raise ModelBuildError(f"{origin} lacks the tensor {name}: it is not of the graph meant.")
    if tensors[name].ndim != 2:
        raise ModelBuildError(
            f"{origin}: {name} must have two sides. Received: shape {tensors[name].shape}."
        )
    return int(tensors[name].shape[axis])


def height_width_in_out(kernel: Float32Array) -> Float32Array:
    """PyTorch's and Caffe's (out, in, height, width) -> (height, width, in, out)."""
    return kernel.transpose(2, 3, 1, 0) if kernel.ndim == 4 else kernel


def _some(names: Collection[str], at_most: int = 3) -> str:
    first = ", ".join(sorted(names)[:at_most])
    return f"{first} and {len(names) - at_most} more" if len(names) > at_most else first
