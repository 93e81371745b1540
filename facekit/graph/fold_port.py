"""The steps of a file laid on those of our graph, and its kernels taken over.

Two nets are the same where their outputs' signatures are.  Walking from the output to the image
then pairs every kernel of the file with one of ours, whatever either is called.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from math import prod
from typing import Any

import numpy as np

from facekit.errors import ModelBuildError
from facekit.graph.keras_steps import keras_steps
from facekit.graph.steps import Node, Step
from facekit.graph.weights import Fill, Take, VariableSource, port
from facekit.system.keras_backend import keras
from facekit.types import Float32Array


def port_steps(net: keras.Model, source: Node, *, origin: str) -> None:
    """Fills `net` with the kernels that lead to `source`, a file's output.

    A batch norm gets what was folded out of it back as beta, with mean 0 and variance
    1 - epsilon, by which it divides by exactly one.  Raises ModelBuildError naming the tensor
    that does not fit, or that is not finite.
    """
    ours = keras_steps(net)
    if ours.signature != source.signature:
        raise ModelBuildError(
            f"{origin} is not a {net.name} of {ours.shape[2]} numbers: {_difference(ours, source)}."
        )
    tensors: dict[str, Float32Array] = {}
    rules: dict[str, VariableSource] = {}
    zero: dict[str, float] = {}
    for node, theirs in _pairs(ours, source):
        if theirs.step is Step.PRELU and theirs.slope is not None:
            (layer,) = node.layers
            tensors[theirs.name] = theirs.slope
            rules[layer.alpha.path] = Take(
                theirs.name, partial(_reshaped, shape=tuple(layer.alpha.shape))
            )
        elif theirs.offset is not None and theirs.kernel is not None:
            kernel, offset = f"{theirs.name} (kernel)", f"{theirs.name} (offset)"
            tensors |= {kernel: theirs.kernel, offset: theirs.offset}
            found = _rules(node, kernel, offset)
            rules |= found
            if not any(isinstance(rule, Take) and rule.name == offset for rule in found.values()):
                zero[offset] = 0.0
    port(net, tensors, rules, expected=zero, origin=origin)


def _rules(node: Node, kernel: str, offset: str) -> dict[str, VariableSource]:
    """For the variables of a kernel, and of the batch norm and the fixed scale after it."""
    first, *after = node.layers
    norm = after.pop(0) if after and isinstance(after[0], keras.layers.BatchNormalization) else None
    scale = after.pop(0).scale if after and isinstance(after[0], keras.layers.Rescaling) else 1.0
    if after:
        raise ModelBuildError(f"{after[0].name} after {first.name}: such a graph is not read.")
    shape = tuple(first.kernel.shape)
    rules: dict[str, VariableSource] = {
        first.kernel.path: Take(kernel, partial(_divided, scale, shape))
    }
    shift = Take(offset, partial(_divided, scale, (shape[-1],)))
    if norm is None:
        return rules | ({first.bias.path: shift} if first.use_bias else {})
    if first.use_bias:
        rules[first.bias.path] = Fill(0.0)
    if norm.scale:
        rules[norm.gamma.path] = Fill(1.0)
    return rules | {
        norm.beta.path: shift,
        norm.moving_mean.path: Fill(0.0),
        norm.moving_variance.path: Fill(1.0 - norm.epsilon),
    }


def _divided(scale: float, shape: tuple[int, ...], array: Float32Array) -> Float32Array:
    """The array by `scale`, in `shape` where it has as many numbers."""
    quotient: Float32Array = (array.astype(np.float64) / scale).astype(np.float32)
    return _reshaped(quotient, shape=shape)


def _reshaped(array: Float32Array, *, shape: tuple[int, ...]) -> Float32Array:
    """The array in `shape` where it has as many numbers; `port` names one that has not."""
    return array.reshape(shape) if array.size == prod(shape) else array


def _pairs(ours: Node, source: Node) -> Iterator[tuple[Node, Node]]:
    """Each of our nodes once, with the source's; their signatures are equal."""
    pending, seen = [(ours, source)], set()
    while pending:
        node, theirs = pending.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        yield node, theirs
        pending += zip(node.inputs, _in_our_order(node, theirs), strict=True)


def _in_our_order(node: Node, theirs: Node) -> tuple[Node, ...]:
    """A sum's two inputs may stand in either order."""
    swapped = theirs.inputs[::-1]
    if node.step is Step.ADD and [one.signature for one in node.inputs] == [
        one.signature for one in swapped
    ]:
        return swapped
    return theirs.inputs


def _difference(ours: Node, source: Node) -> str:
    """Where two graphs first differ, coming from the image, in words."""
    while True:
        if (ours.step, len(ours.inputs)) != (source.step, len(source.inputs)):
            return f"{ours.name} is {ours.step.value}, {source.name} is {source.step.value}"
        below = _unequal(ours, source)
        if below is None:
            return f"{ours.name} has {_said(ours)}, {source.name} has {_said(source)}"
        ours, source = below


def _unequal(ours: Node, source: Node) -> tuple[Node, Node] | None:
    """The first inputs that differ; a sum's are compared without regard to order."""
    left, right = list(ours.inputs), list(source.inputs)
    if ours.step is Step.ADD:
        common = {one.signature for one in left} & {one.signature for one in right}
        left = [one for one in left if one.signature not in common]
        right = [one for one in right if one.signature not in common]
    pairs: list[Any] = [
        (a, b) for a, b in zip(left, right, strict=False) if a.signature != b.signature
    ]
    return pairs[0] if pairs else None


def _said(node: Node) -> str:
    parts = [f"shape {node.shape}", f"stride {node.stride}", f"padding {node.pads}"]
    return ", ".join([*parts, f"kernel {node.kernel_shape}"] if node.kernel_shape else parts)
