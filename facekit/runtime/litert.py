"""Runs a LiteRT (.tflite) file through the `Net` protocol that the pipeline uses."""

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

from facekit.enums import LiteRtPackage
from facekit.errors import ModelMismatchError
from facekit.runtime.interpreter import (
    allocate,
    count_delegated_nodes,
    new_interpreter,
    translate_errors,
)
from facekit.runtime.net import (
    DYNAMIC,
    TensorSpec,
    empty_outputs,
    require_batch,
    require_single_input,
)
from facekit.runtime.packages import default_package

_INTEGERS = ("int8", "uint8", "int16")

# Limit on the elements of an input whose interpreter is cached.  For larger inputs an interpreter
# needs megabytes, and inference takes much longer than the allocation.
_MAX_CACHED_ELEMENTS = 100_000
_MAX_CACHED_SHAPES = 16  # a photo's pyramid has 8 to 12 levels


def default_threads() -> int:
    """Returns the number of CPU cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class LiteRtNet:
    """A loaded model file with one input.  Implements `Net`.

    The interpreter runs one batch at a time, so that concurrent calls wait for each other.  One
    interpreter per thread would not be faster, and would need 100 MB more for each thread
    (benchmarks/threads.py).

    If the file's batch is dynamic, the input is resized to the number of items in the batch.  A
    file with a batch of 1 is run once for each item.

    If height and width are dynamic too, a small input shape gets a separate interpreter when the
    shape occurs for the second time, because resizing the P-Net costs 0.3 ms each time, but
    creating an interpreter 2.4 ms once.  Resizing a dynamic batch alone takes only 0.01 ms.
    """

    def __init__(
        self,
        path: Path,
        *,
        threads: int = 1,
        delegates: Sequence[Any] = (),
        package: LiteRtPackage | None = None,
    ) -> None:
        """Maps the file into memory and, if its input shape is fixed, allocates the tensors.

        `delegates` are those that `package` has loaded; None means the default package.  Raises
        ValueError if `threads` is below 1, ModelMissingError or StorageError if the file cannot be
        read, ModelMismatchError if it is not a usable LiteRT model, and AcceleratorError if no
        runtime is installed or a delegate fails.
        """
        if threads < 1:
            raise ValueError(f"threads must be at least 1. Received: {threads}")
        self._path = path
        self._threads = threads
        self._delegates = tuple(delegates)
        self._package = package or default_package()
        self._lock = threading.Lock()
        self._interpreter = self._new_interpreter()
        self.delegated_nodes = count_delegated_nodes(self._interpreter) if delegates else 0
        """The number of subgraphs that the delegates execute."""
        self._allocated_shape: tuple[int, ...] | None = None
        self._interpreters: OrderedDict[tuple[int, ...], Any] = OrderedDict()
        self._shapes_seen_once: OrderedDict[tuple[int, ...], None] = OrderedDict()
        with translate_errors(path):  # tensor names that are not UTF-8 raise an error
            inputs = self._interpreter.get_input_details()
            outputs = self._interpreter.get_output_details()
        self._output_indices = [output["index"] for output in outputs]
        self._input = require_single_input([_spec(detail, path) for detail in inputs], path)
        self._input_index = inputs[0]["index"]
        self._outputs = tuple(_spec(output, path) for output in outputs)
        if DYNAMIC not in self._input.shape:
            allocate(self._interpreter, path, delegated=self._has_delegate)
            self._allocated_shape = self._input.shape

    @property
    def inputs(self) -> Sequence[TensorSpec]:
        return (self._input,)

    @property
    def outputs(self) -> Sequence[TensorSpec]:
        return self._outputs

    def run(self, batch: NDArray[Any]) -> tuple[NDArray[Any], ...]:
        """Returns every output as float32 (N, ...) for a float32 batch (N, ...).  N may be 0.

        Raises ValueError if the batch is not float32 or does not have the shape of the file's
        input.  If the model cannot be run, raises AcceleratorError if a delegate executes a part of
        the model or the model is compiled for an Ethos-U, else ModelMismatchError.
        """
        require_batch(batch, self._input, name=self._path.name)
        if len(batch) == 0:
            return empty_outputs(self._outputs)
        input_values = _quantize(batch, self._input)
        if self._input.shape[0] == DYNAMIC or len(input_values) == 1:
            return self._invoke(input_values)
        outputs = [
            self._invoke(input_values[index : index + 1]) for index in range(len(input_values))
        ]
        return tuple(np.concatenate(parts) for parts in zip(*outputs, strict=True))

    def _invoke(self, input_values: NDArray[Any]) -> tuple[NDArray[Any], ...]:
        with self._lock, translate_errors(self._path, delegated=self._has_delegate):
            interpreter = self._interpreter_for(input_values.shape)
            interpreter.set_tensor(self._input_index, input_values)
            interpreter.invoke()
            raw = [interpreter.get_tensor(index) for index in self._output_indices]  # copies
        return tuple(
            _dequantize(array, spec) for array, spec in zip(raw, self._outputs, strict=True)
        )

    def _interpreter_for(self, shape: tuple[int, ...]) -> Any:
        """Returns an interpreter whose tensors are allocated for this input shape."""
        if shape in self._interpreters:
            self._interpreters.move_to_end(shape)
            return self._interpreters[shape]
        if shape == self._allocated_shape:
            return self._interpreter
        if shape in self._shapes_seen_once:
            del self._shapes_seen_once[shape]
            self._interpreters[shape] = self._resize(
                self._new_interpreter(), shape, first_time=True
            )
            _drop_oldest(self._interpreters)
            return self._interpreters[shape]
        if DYNAMIC in self._input.shape[1:] and math.prod(shape) <= _MAX_CACHED_ELEMENTS:
            self._shapes_seen_once[shape] = None
            _drop_oldest(self._shapes_seen_once)
        first_time, self._allocated_shape = self._allocated_shape is None, None
        self._resize(self._interpreter, shape, first_time=first_time)
        self._allocated_shape = shape
        return self._interpreter

    def _resize(self, interpreter: Any, shape: tuple[int, ...], *, first_time: bool) -> Any:
        with translate_errors(self._path, delegated=self._has_delegate):
            interpreter.resize_tensor_input(self._input_index, shape)
            if not first_time:
                interpreter.allocate_tensors()
        if first_time:
            allocate(interpreter, self._path, delegated=self._has_delegate)
        return interpreter

    @property
    def _has_delegate(self) -> bool:
        return self.delegated_nodes > 0

    def _new_interpreter(self) -> Any:
        return new_interpreter(
            self._path,
            threads=self._threads,
            delegates=self._delegates,
            package=self._package,
        )


def _drop_oldest(shapes: OrderedDict[tuple[int, ...], Any]) -> None:
    if len(shapes) > _MAX_CACHED_SHAPES:
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
        shape=tuple(int(dimension) for dimension in detail["shape_signature"]),
        dtype=dtype,
        scale=float(scale),
        zero_point=int(zero_point),
    )


def _quantize(values: NDArray[Any], spec: TensorSpec) -> NDArray[Any]:
    if spec.dtype == "float32":
        return values
    limits = np.iinfo(spec.dtype)
    integers = np.rint(values / np.float32(spec.scale)) + spec.zero_point
    return np.asarray(np.clip(integers, limits.min, limits.max), spec.dtype)


def _dequantize(values: NDArray[Any], spec: TensorSpec) -> NDArray[Any]:
    if spec.dtype == "float32":
        return values
    integers = values.astype(np.float32) - np.float32(spec.zero_point)
    return np.asarray(integers * np.float32(spec.scale))
