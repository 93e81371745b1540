"""What every reader of weights gives: tensors at hand, and the way into our graph."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from facekit.errors import ModelBuildError

if TYPE_CHECKING:
    from facekit.system.keras_backend import keras

MAX_BYTES = 2 << 30
"""of a file of weights, packed or unpacked; the graphs here have 0.1 GB"""


@dataclass(frozen=True, slots=True)
class SourceWeights:
    """A file of weights that has been read, not yet checked against a graph."""

    embedding_size: int
    fill: Callable[[keras.Model], None]
    """all of a graph's variables; raises ModelBuildError naming the tensor"""
    ignored: tuple[str, ...] = ()
    """tensors that have no place in an embedding net, by a rule of the format"""


def embedding_size_of(
    tensors: Mapping[str, NDArray[Any]], name: str, *, axis: int, origin: str
) -> int:
    """The length of the embedding, by the side `axis` of the last layer's kernel.

    Raises ModelBuildError where that tensor is missing or is no matrix.
    """
    if name not in tensors:
        raise ModelBuildError(f"{origin} lacks the tensor {name}: it is not of the graph meant.")
    if tensors[name].ndim != 2:
        raise ModelBuildError(
            f"{origin}: {name} must have two sides. Received: shape {tensors[name].shape}."
        )
    return int(tensors[name].shape[axis])
