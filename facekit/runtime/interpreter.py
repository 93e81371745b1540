"""Which LiteRT is used, how one is opened, and the one place where its errors become facekit's."""

from __future__ import annotations

import ctypes
import importlib
import os
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from facekit.errors import (
    AcceleratorError,
    ModelMismatchError,
    ModelMissingError,
    StorageError,
    UsageError,
)
from facekit.system.native_output import captured

RUNTIME_VARIABLE = "FACEKIT_RUNTIME"

# In the order in which they are tried.  TensorFlow is named, never imported by statement: only
# a machine that has nothing lighter, or that asks for it, pays for it.
_MODULES = {
    "ai_edge_litert": "ai_edge_litert.interpreter",
    "tflite_runtime": "tflite_runtime.interpreter",
    "tensorflow": "tensorflow.lite.python.interpreter",
}
_PACKAGES = {
    "ai_edge_litert": "ai-edge-litert",
    "tflite_runtime": "tflite-runtime",
    "tensorflow": "tensorflow",
}

_CREATE_DELEGATE = "tflite_plugin_create_delegate"
_MADV_DONTNEED = 4  # Linux, <bits/mman-linux.h>


@cache
def _module(name: str) -> Any:
    return importlib.import_module(_MODULES[name])


def runtime_name() -> str:
    """The runtime in use: the one FACEKIT_RUNTIME names, or the first that is installed.

    Raises UsageError for a name that is none of them, AcceleratorError where it is missing.
    """
    asked = os.environ.get(RUNTIME_VARIABLE)
    if asked and asked not in _MODULES:
        raise UsageError(
            f"{RUNTIME_VARIABLE} must be one of {', '.join(_MODULES)}. Received: {asked!r}"
        )
    failures = []
    for name in [asked] if asked else _MODULES:
        try:
            _module(name)
        except ImportError as error:
            failures.append(f"{name}: {error}")
        else:
            return name
    package = _PACKAGES[asked or "ai_edge_litert"]
    raise AcceleratorError(
        f"No LiteRT runtime can be imported ({'; '.join(failures)}). "
        f"Install one with: python -m pip install {package}"
    )


@contextmanager
def translated(path: Path, *, delegated: bool = False) -> Iterator[None]:
    """Turns what the runtime raises about the model at `path` into facekit's errors.

    `delegated`: a delegate works on it, so a failure to run is the accelerator's.
    """
    try:
        yield
    except ValueError as error:
        raise ModelMismatchError(
            f"{path} is not a LiteRT model, or is damaged: {error}. "
            "Build it again, or copy it again from where it came."
        ) from error
    except RuntimeError as error:
        if delegated:
            raise AcceleratorError(f"The delegate cannot run {path}: {error}") from error
        if "ethos-u" in str(error):
            raise AcceleratorError(
                f"{path} is compiled by Vela for an Ethos-U NPU and runs only there, through "
                "the board's delegate. On this machine use the model it was compiled from."
            ) from error
        raise ModelMismatchError(f"{path} cannot be run by {runtime_name()}: {error}") from error


def require_model_file(path: Path) -> None:
    """Raises ModelMissingError for a file that is not there, StorageError for one not readable."""
    try:
        path.open("rb").close()
    except FileNotFoundError as error:
        raise ModelMissingError(f"There is no model file {path}.") from error
    except OSError as error:
        raise StorageError(f"Model file {path} cannot be read: {error.strerror}") from error


def new_interpreter(path: Path, *, threads: int, delegates: Sequence[Any] = ()) -> Any:
    """An interpreter on the file at `path`, which is memory-mapped; tensors not yet allocated.

    Raises ModelMissingError, StorageError, ModelMismatchError, AcceleratorError.
    """
    runtime = _module(runtime_name())
    require_model_file(path)
    with translated(path, delegated=bool(delegates)), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r"\s*Warning: tf\.lite\.Interpreter")
        return runtime.Interpreter(
            model_path=str(path),
            num_threads=threads,
            experimental_delegates=list(delegates) or None,
        )


def _is_chatter(line: bytes) -> bool:
    return line.startswith(b"INFO: ")  # LiteRT's warnings and errors have other prefixes


def load_delegate(library: Path, options: Mapping[str, str]) -> Any:
    """A delegate for `new_interpreter`.  Raises AcceleratorError, which says what is wrong."""
    runtime = _module(runtime_name())
    try:
        # Asked here first: where it is missing, the runtime's own loader fails in its finalizer.
        if not hasattr(ctypes.CDLL(str(library)), _CREATE_DELEGATE):
            raise ValueError(f"it has no function {_CREATE_DELEGATE}: it is no LiteRT delegate")
        return runtime.load_delegate(str(library), dict(options))
    except (OSError, ValueError, RuntimeError) as error:
        said = " ".join(str(error).split())
        raise AcceleratorError(
            f"Delegate {library} cannot be loaded by {runtime_name()}: {said}. A delegate is "
            f"built for one processor and one runtime; {RUNTIME_VARIABLE}=tflite_runtime chooses "
            "the runtime that came with the board."
        ) from error


def delegated_nodes(interpreter: Any) -> int:
    """How many parts of the graph its delegates have taken; each replaces one or more operators.

    Only right before `allocate`: then LiteRT adds a delegate of its own, for the CPU.
    """
    operators = interpreter._get_ops_details()  # public nowhere; in every runtime since 2.5
    return sum(operator["op_name"] == "DELEGATE" for operator in operators)


def allocate(interpreter: Any, path: Path, *, delegated: bool = False) -> list[str]:
    """Plans a new interpreter's tensors; returns what LiteRT says about its delegates."""
    with translated(path, delegated=delegated), captured(_is_chatter) as lines:
        interpreter.allocate_tensors()
    release_pages(path)
    return lines


def release_pages(path: Path) -> None:
    """Drops the resident pages of every read-only mapping of `path`; a no-op but on Linux.

    When tensors are planned, XNNPACK copies the weights into its own layout and the file is
    not read again: half of a float32 model's memory.  A page that is needed after all comes
    back from the file by itself.
    """
    if not sys.platform.startswith("linux"):
        return
    name = str(path.resolve())
    madvise = ctypes.CDLL(None).madvise
    with open("/proc/self/maps", encoding="utf-8", errors="surrogateescape") as maps:
        for line in maps:
            span, rights, *_ = line.split(maxsplit=2)
            if "w" in rights or not line.rstrip("\n").endswith(name):
                continue
            start, end = (int(edge, 16) for edge in span.split("-"))
            madvise(ctypes.c_void_p(start), ctypes.c_size_t(end - start), _MADV_DONTNEED)
