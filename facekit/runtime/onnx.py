"""Runs an ONNX (.onnx) file with ONNX Runtime through the `Net` protocol that the pipeline uses.

ONNX Runtime is an optional package, imported when the first such file is opened.  ONNX Runtime
ignores unavailable providers and uses the CPU instead, at most with a warning.  In facekit an
unavailable provider is an error.
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facekit.errors import AcceleratorError, ModelMismatchError
from facekit.runtime.devices import CPU_PROVIDER
from facekit.runtime.interpreter import require_model_file
from facekit.runtime.net import (
    DYNAMIC,
    TensorSpec,
    empty_outputs,
    require_batch,
    require_single_input,
)
from facekit.system.extras import require

PACKAGE = "onnxruntime"

_FLOAT32 = "tensor(float)"
# ONNX Runtime's log level for errors; its warnings concern nothing that a user can change
_ERRORS_ONLY = 3
_RECORD_ASSIGNMENT = "session.record_ep_graph_assignment_info"
_COLORS = 3
_MAX_CROPS_PER_CALL = 4
"""The largest number of crops per call on the CPU.  Larger batches are not faster.  On one thread
of a CPU with AVX2, the speed with float32 is the same within 5 %, and the speed with int8 falls
from 30 crops a second with 4 crops per call to 22 with 32.  Larger batches also need more memory:
64 crops in float32 need 740 MB in one call, but 330 MB in calls of 4."""


class OnnxNet:
    """A loaded .onnx file with one float32 input.  Implements `Net`.

    If the file has channels first, (N, 3, H, W), `run` nevertheless receives images with channels
    last, and transposes them.

    Several threads may call `run` at the same time: ONNX Runtime runs calls of one session in
    parallel.

    If the file's batch is dynamic, the CPU gets at most 4 items per call, and any other provider
    gets all items in one call.  A file with a batch of 1 is run once for each item.
    """

    def __init__(
        self, path: Path, *, threads: int = 1, providers: Sequence[str] = (CPU_PROVIDER,)
    ) -> None:
        """Reads the file, optimizes its graph and packs its weights.

        `providers` are ONNX Runtime's execution providers in order of preference.  Operators that
        they do not accept run on the CPU.  Raises ValueError if `threads` is below 1,
        MissingExtraError if ONNX Runtime is not installed, ModelMissingError or StorageError if the
        file cannot be read, ModelMismatchError if it is not a usable ONNX model, and
        AcceleratorError if ONNX Runtime cannot be imported, if a provider is missing or fails, or
        if the first provider executes no operator.
        """
        if threads < 1:
            raise ValueError(f"threads must be at least 1. Received: {threads}")
        self._path = path
        self._providers = tuple(providers)
        self._session = _new_session(path, threads, self._providers)
        counts = _checked_counts(self._session, self._providers, path)
        self.delegated_nodes = sum(counts.values())
        """The number of operators that providers other than the CPU's execute; 0 if the first
        provider is the CPU's."""
        self.idle_providers = tuple(name for name, count in counts.items() if count == 0)
        """Those of `providers`, without the CPU's, that execute no operator, because the ones
        before them or the CPU do; () if the first provider is the CPU's."""
        inputs, outputs = self._session.get_inputs(), self._session.get_outputs()
        self._file_input = require_single_input([_spec(value, path) for value in inputs], path)
        self._channels_first = _has_channels_first(self._file_input.shape)
        self._input = (
            _with_channels_last(self._file_input) if self._channels_first else self._file_input
        )
        self._outputs = tuple(_spec(output, path) for output in outputs)

    @property
    def inputs(self) -> Sequence[TensorSpec]:
        return (self._input,)

    @property
    def outputs(self) -> Sequence[TensorSpec]:
        return self._outputs

    def run(self, batch: NDArray[Any]) -> tuple[NDArray[Any], ...]:
        """Returns every output as float32 (N, ...) for a float32 batch (N, ...).  N may be 0.

        Raises ValueError if the batch is not float32 or does not have the shape of the file's
        input.  If ONNX Runtime fails, raises AcceleratorError if a provider failed or the first
        provider is not the CPU's, else ModelMismatchError.
        """
        require_batch(batch, self._input, name=self._path.name)
        if len(batch) == 0:
            return empty_outputs(self._outputs)
        if self._channels_first:
            batch = np.ascontiguousarray(batch.transpose(0, 3, 1, 2))
        crops_per_call = self._crops_per_call(len(batch))
        parts = [
            self._invoke(batch[start : start + crops_per_call])
            for start in range(0, len(batch), crops_per_call)
        ]
        return tuple(np.concatenate(output) for output in zip(*parts, strict=True))

    def _crops_per_call(self, count: int) -> int:
        if self._input.shape[0] != DYNAMIC:
            return 1
        return _MAX_CROPS_PER_CALL if self._providers[0] == CPU_PROVIDER else count

    def _invoke(self, input_values: NDArray[Any]) -> list[NDArray[Any]]:
        with _translate_errors(self._path, self._providers):
            outputs: list[NDArray[Any]] = self._session.run(
                None, {self._file_input.name: input_values}
            )
        return outputs


def available_providers() -> tuple[str, ...]:
    """Returns the execution providers of the installed ONNX Runtime.

    Raises MissingExtraError if ONNX Runtime is not installed, AcceleratorError if it cannot be
    imported.
    """
    return tuple(_runtime().get_available_providers())


def runtime_version() -> str:
    """Returns ONNX Runtime's version.  Raises the errors of `available_providers`."""
    return str(_runtime().__version__)


def _runtime() -> Any:
    try:
        return require(PACKAGE, extra="onnx", needed_for="Running an .onnx file")
    except ImportError as error:
        raise AcceleratorError(
            f"ONNX Runtime is installed and cannot be imported: {error}. Install it again with: "
            f"python -m pip install --force-reinstall {PACKAGE}"
        ) from error


def _new_session(path: Path, threads: int, providers: tuple[str, ...]) -> Any:
    runtime = _runtime()
    _require_available(providers)
    require_model_file(path)
    options = runtime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1  # no parallel operators: the graphs have few branches
    options.log_severity_level = _ERRORS_ONLY
    options.add_session_config_entry(_RECORD_ASSIGNMENT, "1")
    with _translate_errors(path, providers), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # providers are checked right after the session is created
        return runtime.InferenceSession(
            str(path), options, providers=list(providers), enable_fallback=0
        )


def _require_available(providers: Sequence[str]) -> None:
    available = available_providers()
    missing = [provider for provider in providers if provider not in available]
    if missing:
        raise AcceleratorError(
            f"ONNX Runtime {runtime_version()} here has no {', '.join(missing)}; it has "
            f"{', '.join(available)}. Install the build that brings it, such as onnxruntime-gpu "
            "for CUDAExecutionProvider; --allow-cpu-fallback permits the CPU."
        )


def _checked_counts(session: Any, providers: Sequence[str], path: Path) -> dict[str, int]:
    """Returns the number of operators of each of `providers` but the CPU's.

    Returns {} if the first of `providers` is the CPU's.

    Raises AcceleratorError if the session does not use one of `providers`, or if the first one
    executes no operator.
    """
    in_use = session.get_providers()
    unused = [provider for provider in providers if provider not in in_use]
    if unused:
        raise AcceleratorError(
            f"{', '.join(unused)} cannot be used with {path}: ONNX Runtime went on with "
            f"{', '.join(in_use)}. --allow-cpu-fallback permits the CPU."
        )
    if providers[0] == CPU_PROVIDER:
        return {}
    assigned = _operator_counts(session)
    counts = {one: assigned.get(one, 0) for one in providers if one != CPU_PROVIDER}
    if counts[providers[0]] == 0:
        others = [f"{name} {count}" for name, count in assigned.items() if count]
        raise AcceleratorError(
            f"{providers[0]} took no operator of {path}: all of it would run elsewhere "
            f"({', '.join(others)}). Put first what can run it; --allow-cpu-fallback permits "
            "the CPU."
        )
    return counts


def _operator_counts(session: Any) -> Counter[str]:
    """Returns the number of operators that are assigned to each provider.

    Raises AcceleratorError if ONNX Runtime is too old to report it.
    """
    if not hasattr(session, "get_provider_graph_assignment_info"):
        raise AcceleratorError(
            f"ONNX Runtime {runtime_version()} does not say which operators a provider has "
            "taken, so that the CPU might be used in silence. Install a newer one: "
            f"python -m pip install --upgrade {PACKAGE}"
        )
    counts: Counter[str] = Counter()
    for part in session.get_provider_graph_assignment_info():
        counts[part.ep_name] += len(part.get_nodes())
    return counts


@contextmanager
def _translate_errors(path: Path, providers: Sequence[str]) -> Iterator[None]:
    """Translates the exceptions of ONNX Runtime about the model at `path` into facekit's errors."""
    try:
        yield
    except Exception as error:  # ONNX Runtime's exceptions have no common base class
        if not isinstance(error, RuntimeError) and PACKAGE not in type(error).__module__:
            raise
        message = " ".join(str(error).split())
        if type(error).__name__ == "EPFail" or providers[0] != CPU_PROVIDER:
            raise AcceleratorError(
                f"ONNX Runtime cannot run {path} with {', '.join(providers)}: {message}"
            ) from error
        raise ModelMismatchError(
            f"{path} is not an ONNX model that ONNX Runtime {runtime_version()} can run, or is "
            f"damaged: {message}. Export it again, or copy it again from where it came."
        ) from error


def _has_channels_first(shape: tuple[int, ...]) -> bool:
    return len(shape) == 4 and shape[1] == _COLORS != shape[3]


def _with_channels_last(spec: TensorSpec) -> TensorSpec:
    count, channels, height, width = spec.shape
    return replace(spec, shape=(count, height, width, channels))


def _spec(value: Any, path: Path) -> TensorSpec:
    if value.type != _FLOAT32:
        raise ModelMismatchError(
            f"{path}: tensor {value.name} must be float32, whatever the weights are. "
            f"Received: {value.type}"
        )
    shape = tuple(dimension if isinstance(dimension, int) else DYNAMIC for dimension in value.shape)
    return TensorSpec(name=value.name, shape=shape, dtype="float32")
