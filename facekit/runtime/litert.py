"""A network in a LiteRT (.tflite) file, behind the one protocol that stages know."""

from __future__ import annotations

import math
import os
import threading
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facekit.errors import ModelMismatchError
from facekit.runtime.interpreter import (
    allocate,
    delegated_nodes,
    new_interpreter,
    translated,
)
from facekit.runtime.net import DYNAMIC, TensorSpec, only_input, outputs_of_nothing, require_batch

_INTEGERS = ("int8", "uint8", "int16")

_KEPT_VALUES = 100_000  # in an input: larger ones hold megabytes each and take long anyway
_KEPT_SHAPES = 16  # a photo's pyramid has 8 to 12 levels


def default_threads() -> int:
    """The cores that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class LiteRtNet:
    """One loaded model file with one input.  Implements `Net`.

    An interpreter runs one batch at a time: of several threads each waits for its turn.  That is
    as fast as an interpreter for each of them, which takes 100 MB more a thread
    (benchmarks/threads.py).

    An open batch takes the batch's size; a file with a batch of 1 is run once for each member.

    Where height and width are open too, a small input shape that comes for the second time gets
    an interpreter of its own: planning the P-Net's tensors anew costs 0.3 ms each time, making an
    interpreter 2.4 ms once.  An open batch alone is planned in 0.01 ms.
    """

    def __init__(self, path: Path, *, threads: int = 1, delegates: Sequence[Any] = ()) -> None:
        """Maps the file and, where its input's shape is fixed, plans its tensors.

        `delegates`: loaded delegates, of the runtime's own type.
        Raises ModelMissingError, StorageError, ModelMismatchError, AcceleratorError.
        """
        if threads < 1:
            raise ValueError(f"threads must be at least 1. Received: {threads}")
        self._path = path
        self._threads = threads
        self._delegates = tuple(delegates)
        self._turn = threading.Lock()
        self._interpreter = self._new()
        self.delegated_nodes = delegated_nodes(self._interpreter) if delegates else 0
        """parts of the graph that the delegates have taken"""
        self._planned_shape: tuple[int, ...] | None = None
        self._kept: OrderedDict[tuple[int, ...], Any] = OrderedDict()
        self._seen: OrderedDict[tuple[int, ...], None] = OrderedDict()
        with translated(path):  # names that are no UTF-8
            inputs = self._interpreter.get_input_details()
            outputs = self._interpreter.get_output_details()
        self._output_indices = [output["index"] for output in outputs]
        self._input = only_input([_spec(one, path) for one in inputs], path)
        self._input_index = inputs[0]["index"]
        self._outputs = tuple(_spec(output, path) for output in outputs)
        if DYNAMIC not in self._input.shape:
            allocate(self._interpreter, path, delegated=self._delegated)
            self._planned_shape = self._input.shape

    @property
    def inputs(self) -> Sequence[TensorSpec]:
        return (self._input,)

    @property
    def outputs(self) -> Sequence[TensorSpec]:
        return self._outputs

    def run(self, batch: NDArray[Any]) -> tuple[NDArray[Any], ...]:
        """(N, ...) float32 -> every output as float32 (N, ...); N = 0 is legal.

        Raises ValueError for a batch of another shape or dtype than the file's input.
        """
        require_batch(batch, self._input, name=self._path.name)
        if len(batch) == 0:
            return outputs_of_nothing(self._outputs)
        fed = _quantized(batch, self._input)
        if self._input.shape[0] == DYNAMIC or len(fed) == 1:
            return self._invoke(fed)
        members = [self._invoke(fed[index : index + 1]) for index in range(len(fed))]
        return tuple(np.concatenate(parts) for parts in zip(*members, strict=True))

    def _invoke(self, fed: NDArray[Any]) -> tuple[NDArray[Any], ...]:
        with self._turn, translated(self._path, delegated=self._delegated):
            interpreter = self._interpreter_for(fed.shape)
            interpreter.set_tensor(self._input_index, fed)
            interpreter.invoke()
            raw = [interpreter.get_tensor(index) for index in self._output_indices]  # copies
        return tuple(
            _dequantized(array, spec) for array, spec in zip(raw, self._outputs, strict=True)
        )

    def _interpreter_for(self, shape: tuple[int, ...]) -> Any:
        """An interpreter whose tensors are planned for this input shape."""
        if shape in self._kept:
            self._kept.move_to_end(shape)
            return self._kept[shape]
        if shape == self._planned_shape:
            return self._interpreter
        if shape in self._seen:
            del self._seen[shape]
            self._kept[shape] = self._resized(self._new(), shape, first_time=True)
            _keep_latest(self._kept)
            return self._kept[shape]
        if DYNAMIC in self._input.shape[1:] and math.prod(shape) <= _KEPT_VALUES:
            self._seen[shape] = None
            _keep_latest(self._seen)
        first_time, self._planned_shape = self._planned_shape is None, None
        self._resized(self._interpreter, shape, first_time=first_time)
        self._planned_shape = shape
        return self._interpreter

    def _resized(self, interpreter: Any, shape: tuple[int, ...], *, first_time: bool) -> Any:
        with translated(self._path, delegated=self._delegated):
            interpreter.resize_tensor_input(self._input_index, shape)
            if not first_time:
                interpreter.allocate_tensors()
        if first_time:
            allocate(interpreter, self._path, delegated=self._delegated)
        return interpreter

    @property
    def _delegated(self) -> bool:
        return self.delegated_nodes > 0

    def _new(self) -> Any:
        return new_interpreter(self._path, threads=self._threads, delegates=self._delegates)


def _keep_latest(shapes: OrderedDict[tuple[int, ...], Any]) -> None:
    if len(shapes) > _KEPT_SHAPES:
        shapes.popitem(last=False)


def _spec(detail: dict[str, Any], path: Path) -> TensorSpec:
    dtype = np.dtype(detail["dtype"]).name
    scale, zero_point = detail["quantization"]
    if dtype != "float32" and not (dtype in _INTEGERS and scale > 0):
        raise ModelMismatchError(
            f"{path}: tensor {detail['name']} must be float32, or quantized as one of "
            f"{', '.join(_INTEGERS)}. Received: {dtype} with scale {scale}"
        )
    return TensorSpec(
        name=detail["name"],
        shape=tuple(int(side) for side in detail["shape_signature"]),
        dtype=dtype,
        scale=float(scale),
        zero_point=int(zero_point),
    )


def _quantized(values: NDArray[Any], spec: TensorSpec) -> NDArray[Any]:
    if spec.dtype == "float32":
        return values
    limits = np.iinfo(spec.dtype)
    steps = np.rint(values / np.float32(spec.scale)) + spec.zero_point
    return np.asarray(np.clip(steps, limits.min, limits.max), spec.dtype)


def _dequantized(values: NDArray[Any], spec: TensorSpec) -> NDArray[Any]:
    if spec.dtype == "float32":
        return values
    steps = values.astype(np.float32) - np.float32(spec.zero_point)
    return np.asarray(steps * np.float32(spec.scale))
