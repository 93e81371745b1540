"""A network in an ONNX (.onnx) file, run by ONNX Runtime, behind the protocol that stages know.

ONNX Runtime is an extra, imported when the first such file is opened.  It drops providers that
it does not have and falls back to the CPU, with a warning at most; here that is an error.
"""

from __future__ import annotations

import warnings
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
from facekit.runtime.net import DYNAMIC, TensorSpec, only_input, outputs_of_nothing, require_batch
from facekit.system.extras import require

PACKAGE = "onnxruntime"

_FLOAT32 = "tensor(float)"
_ERRORS_ONLY = 3  # of ONNX Runtime's severities: it warns of much that nobody can change
_RECORD_ASSIGNMENT = "session.record_ep_graph_assignment_info"
_COLORS = 3
_PER_CALL = 4
"""Crops that the CPU is given at once.  More are no faster (one thread of an AVX2 core, float32:
the same within 5 %; int8: 30 a second at 4, 22 at 32) and take memory: 740 MB for 64 crops in
float32, 330 MB for 64 in fours."""


class OnnxNet:
    """One loaded .onnx file with one float32 input.  Implements `Net`.

    A file that takes its picture with channels first, (N, 3, H, W), is given channels last here as
    every other net, and turns them itself.

    Many threads may run one: ONNX Runtime runs a session's calls side by side.

    An open batch takes the batch's size, on the CPU a few crops at a time; a file with a batch
    of 1 is run once for each member.
    """

    def __init__(
        self, path: Path, *, threads: int = 1, providers: Sequence[str] = (CPU_PROVIDER,)
    ) -> None:
        """Reads the file, optimizes its graph and packs its weights.

        `providers`: ONNX Runtime's execution providers, the preferred one first; what they do
        not take runs on the CPU.
        Raises MissingExtraError, ModelMissingError, StorageError, ModelMismatchError, and
        AcceleratorError for a provider that is missing, fails, or takes no operator.
        """
        if threads < 1:
            raise ValueError(f"threads must be at least 1. Received: {threads}")
        self._path = path
        self._providers = tuple(providers)
        self._session = _new_session(path, threads, self._providers)
        self.delegated_nodes = _require_used(self._session, self._providers, path)
        """operators that a provider other than the CPU's has taken"""
        inputs, outputs = self._session.get_inputs(), self._session.get_outputs()
        self._fed = only_input([_spec(one, path) for one in inputs], path)
        self._channels_first = _has_channels_first(self._fed.shape)
        self._input = _channels_last(self._fed) if self._channels_first else self._fed
        self._outputs = tuple(_spec(output, path) for output in outputs)

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
        if self._channels_first:
            batch = np.ascontiguousarray(batch.transpose(0, 3, 1, 2))
        step = self._step(len(batch))
        parts = [self._invoke(batch[start : start + step]) for start in range(0, len(batch), step)]
        return tuple(np.concatenate(one) for one in zip(*parts, strict=True))

    def _step(self, count: int) -> int:
        if self._input.shape[0] != DYNAMIC:
            return 1
        return _PER_CALL if self._providers[0] == CPU_PROVIDER else count

    def _invoke(self, fed: NDArray[Any]) -> list[NDArray[Any]]:
        with _translated(self._path, self._providers):
            found: list[NDArray[Any]] = self._session.run(None, {self._fed.name: fed})
        return found


def available_providers() -> tuple[str, ...]:
    """The execution providers of the ONNX Runtime that is installed.

    Raises MissingExtraError, AcceleratorError where it is there and cannot be imported.
    """
    return tuple(_runtime().get_available_providers())


def runtime_version() -> str:
    """Of ONNX Runtime.  Raises as `available_providers`."""
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
    options.inter_op_num_threads = 1  # operators one after the other, as in a straight graph
    options.log_severity_level = _ERRORS_ONLY
    options.add_session_config_entry(_RECORD_ASSIGNMENT, "1")
    with _translated(path, providers), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what they say of providers is asked for right after
        return runtime.InferenceSession(
            str(path), options, providers=list(providers), enable_fallback=0
        )


def _require_available(providers: Sequence[str]) -> None:
    available = available_providers()
    missing = [one for one in providers if one not in available]
    if missing:
        raise AcceleratorError(
            f"ONNX Runtime {runtime_version()} here has no {', '.join(missing)}; it has "
            f"{', '.join(available)}. Install the build that brings it, such as onnxruntime-gpu "
            "for CUDAExecutionProvider; --allow-cpu-fallback permits the CPU."
        )


def _require_used(session: Any, providers: Sequence[str], path: Path) -> int:
    """How many operators the providers have taken that are not the CPU's.

    Raises AcceleratorError where one of `providers` is not the session's, or took nothing.
    """
    in_use = session.get_providers()
    lost = [one for one in providers if one not in in_use]
    if lost:
        raise AcceleratorError(
            f"{', '.join(lost)} cannot be used with {path}: ONNX Runtime went on with "
            f"{', '.join(in_use)}. --allow-cpu-fallback permits the CPU."
        )
    if providers[0] == CPU_PROVIDER:
        return 0
    taken = _taken_nodes(session)
    if taken == 0:
        raise AcceleratorError(
            f"{providers[0]} took no operator of {path}: all of it would run on the CPU. "
            "--allow-cpu-fallback permits that."
        )
    return taken


def _taken_nodes(session: Any) -> int:
    """Raises AcceleratorError where this ONNX Runtime is too old to say."""
    if not hasattr(session, "get_provider_graph_assignment_info"):
        raise AcceleratorError(
            f"ONNX Runtime {runtime_version()} does not say which operators a provider has "
            "taken, so that the CPU might be used in silence. Install a newer one: "
            f"python -m pip install --upgrade {PACKAGE}"
        )
    parts = session.get_provider_graph_assignment_info()
    return sum(len(part.get_nodes()) for part in parts if part.ep_name != CPU_PROVIDER)


@contextmanager
def _translated(path: Path, providers: Sequence[str]) -> Iterator[None]:
    """Turns what ONNX Runtime raises about the model at `path` into facekit's errors."""
    try:
        yield
    except Exception as error:  # its errors have no base of their own
        if not isinstance(error, RuntimeError) and PACKAGE not in type(error).__module__:
            raise
        said = " ".join(str(error).split())
        if type(error).__name__ == "EPFail" or providers[0] != CPU_PROVIDER:
            raise AcceleratorError(
                f"ONNX Runtime cannot run {path} with {', '.join(providers)}: {said}"
            ) from error
        raise ModelMismatchError(
            f"{path} is not an ONNX model that ONNX Runtime {runtime_version()} can run, or is "
            f"damaged: {said}. Export it again, or copy it again from where it came."
        ) from error


def _has_channels_first(shape: tuple[int, ...]) -> bool:
    return len(shape) == 4 and shape[1] == _COLORS != shape[3]


def _channels_last(spec: TensorSpec) -> TensorSpec:
    count, channels, height, width = spec.shape
    return replace(spec, shape=(count, height, width, channels))


def _spec(value: Any, path: Path) -> TensorSpec:
    if value.type != _FLOAT32:
        raise ModelMismatchError(
            f"{path}: tensor {value.name} must be float32, whatever the weights are. "
            f"Received: {value.type}"
        )
    shape = tuple(side if isinstance(side, int) else DYNAMIC for side in value.shape)
    return TensorSpec(name=value.name, shape=shape, dtype="float32")
