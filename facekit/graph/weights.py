"""Source tensors into a graph's variables: total and checked.

A reader of weights gives SourceWeights: tensors at hand, and the way into our graph.  A format is
described by data: where the value of each of our variables comes from.  Nothing is skipped and
nothing is left over, on either side.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from facekit.errors import ModelBuildError
from facekit.types import Float32Array

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


@dataclass(frozen=True, slots=True)
class Take:
    """The variable is this source tensor, after `change`."""

    name: str
    change: Callable[[Float32Array], Float32Array] | None = None


@dataclass(frozen=True, slots=True)
class Fill:
    """The variable is this number throughout: the source has folded it away."""

    value: float


VariableSource: TypeAlias = Take | Fill
"""where the value of one of our variables comes from"""


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


def port(
    model: keras.Model,
    source: Mapping[str, NDArray[Any]],
    rules: Mapping[str, VariableSource],
    *,
    expected: Mapping[str, float] | None = None,
    ignored: Collection[str] = (),
    origin: str,
) -> None:
    """Assigns every variable of `model` exactly once; none where an error is raised.

    `rules` is keyed by variable, "Conv2d_1a_3x3/kernel".  `expected` names source tensors that
    the graph has as constants (a residual scale), with the value they must hold throughout;
    `ignored` those that have no place in it.  `origin` names the source in errors.

    Raises ModelBuildError naming the variables or tensors: no rule, no such variable, a tensor
    missing, surplus or used twice, another shape or kind, not finite, not as expected.
    """
    expected = expected or {}
    variables = {variable.path: variable for variable in model.variables}
    taken = [rule.name for rule in rules.values() if isinstance(rule, Take)]
    used = Counter([*taken, *expected, *ignored])
    for names, wrong in (
        (variables.keys() - rules.keys(), "has no value for the variables"),
        (rules.keys() - variables.keys(), "has values for variables that the graph has not:"),
        (used.keys() - source.keys(), "lacks the tensors"),
        (source.keys() - used.keys(), "has tensors with no place in the graph:"),
        ({name for name, times in used.items() if times > 1}, "gives several places to"),
    ):
        if names:
            raise ModelBuildError(f"{origin} {wrong} {_some(names)} (graph {model.name}).")
    for name, number in expected.items():
        if not np.array_equal(source[name], np.full(source[name].shape, number, np.float32)):
            raise ModelBuildError(f"{origin}: {name} must be {number} throughout; it is not.")
    values = {
        path: _value(rules[path], source, path, tuple(variable.shape), origin)
        for path, variable in variables.items()
    }
    for path, value in values.items():
        variables[path].assign(value)


def _value(
    rule: VariableSource,
    source: Mapping[str, NDArray[Any]],
    path: str,
    shape: tuple[int, ...],
    origin: str,
) -> Float32Array:
    if isinstance(rule, Fill):
        return np.full(shape, rule.value, np.float32)
    tensor = source[rule.name]
    if tensor.dtype != np.float32:
        raise ModelBuildError(f"{origin}: {rule.name} must be float32. Received: {tensor.dtype}.")
    if not np.isfinite(tensor).all():
        raise ModelBuildError(f"{origin}: {rule.name} holds values that are not finite.")
    value = tensor if rule.change is None else rule.change(tensor)
    if value.shape != shape:
        raise ModelBuildError(
            f"{origin}: {rule.name} does not fit {path}: "
            f"shape {shape} needed, received {value.shape}."
        )
    return value


def _some(names: Collection[str], at_most: int = 3) -> str:
    first = ", ".join(sorted(names)[:at_most])
    return f"{first} and {len(names) - at_most} more" if len(names) > at_most else first
