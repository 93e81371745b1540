"""Creates interpreters of a LiteRT package, and translates the package's errors."""

from __future__ import annotations

import ctypes
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from facekit.enums import LiteRtPackage
from facekit.errors import (
    AcceleratorError,
    ModelMismatchError,
    ModelMissingError,
    StorageError,
)
from facekit.runtime.packages import default_package, module_of
from facekit.system.inputs import IrregularFileError, open_regular
from facekit.system.native_output import captured

_CREATE_DELEGATE = "tflite_plugin_create_delegate"
_MADV_DONTNEED = 4  # Linux, <bits/mman-linux.h>


@contextmanager
def translate_errors(path: Path, *, delegated: bool = False) -> Iterator[None]:
    """Translates the exceptions of LiteRT about the model at `path` into facekit's errors.

    `delegated` states that a delegate executes the model, so that a failure to run is an
    AcceleratorError.  Otherwise a failure is a ModelMismatchError, or an AcceleratorError if the
    model is compiled for an Ethos-U.
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
                "NXP's delegate. On this machine, and with Mesa's delegate, use the model it was "
                "compiled from."
            ) from error
        raise ModelMismatchError(f"{path} cannot be run by LiteRT: {error}") from error


def require_model_file(path: Path) -> None:
    """Raises ModelMissingError if the file does not exist, StorageError if it cannot be read."""
    try:
        open_regular(path).close()
    except FileNotFoundError as error:
        raise ModelMissingError(f"There is no model file {path}.") from error
    except OSError as error:
        raise StorageError(f"Model file {path} cannot be read: {error.strerror}") from error
    except IrregularFileError as error:
        raise StorageError(f"Model file {path} is {error}; a regular file is needed.") from error


def new_interpreter(
    path: Path,
    *,
    threads: int,
    delegates: Sequence[Any] = (),
    package: LiteRtPackage | None = None,
) -> Any:
    """Returns an interpreter for the file at `path`, without allocating its tensors.

    The file is memory-mapped.  `delegates` are those that `load_delegate` has loaded with the same
    `package`; None means the default package.

    Raises ModelMissingError or StorageError if the file cannot be read, ModelMismatchError if it is
    not a LiteRT model, AcceleratorError if no runtime is installed or a delegate fails.
    """
    runtime = module_of(package or default_package())
    require_model_file(path)
    with translate_errors(path, delegated=bool(delegates)), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r"\s*Warning: tf\.lite\.Interpreter")
        return runtime.Interpreter(
            model_path=str(path),
            num_threads=threads,
            experimental_delegates=list(delegates) or None,
        )


def _is_chatter(line: bytes) -> bool:
    return line.startswith(b"INFO: ")  # LiteRT's warnings and errors have other prefixes


def load_delegate(library: Path, options: Mapping[str, str], *, package: LiteRtPackage) -> Any:
    """Loads a delegate for `new_interpreter`.  Raises AcceleratorError if it cannot be loaded."""
    runtime = module_of(package)
    try:
        # This is tested first, because the runtime's loader fails in its finalizer if the library
        # is missing.
        if not hasattr(ctypes.CDLL(str(library)), _CREATE_DELEGATE):
            raise ValueError(f"it has no function {_CREATE_DELEGATE}: it is no LiteRT delegate")
        return runtime.load_delegate(str(library), dict(options))
    except (OSError, ValueError, RuntimeError) as error:
        message = " ".join(str(error).split())
        raise AcceleratorError(
            f"Delegate {library} cannot be loaded by {package.value}: {message}. A delegate is "
            "built for one processor and one runtime; `facekit doctor` lists what is here."
        ) from error


def count_delegated_nodes(interpreter: Any) -> int:
    """Returns the number of subgraphs that delegates execute; each replaces one or more operators.

    The function must be called before `allocate`, which adds LiteRT's own CPU delegate.
    """
    operators = interpreter._get_ops_details()  # not public, but present in every runtime since 2.5
    return sum(operator["op_name"] == "DELEGATE" for operator in operators)


def allocate(interpreter: Any, path: Path, *, delegated: bool = False) -> list[str]:
    """Allocates a new interpreter's tensors, and returns LiteRT's log lines about its delegates.

    Raises the errors of `translate_errors`.
    """
    with translate_errors(path, delegated=delegated), captured(_is_chatter) as lines:
        interpreter.allocate_tensors()
    release_pages(path)
    return lines


def release_pages(path: Path) -> None:
    """Releases the resident pages of every read-only mapping of `path`, on Linux only.

    When tensors are allocated, XNNPACK copies the weights into its own layout, and the file is not
    read again.  The release saves half of a float32 model's memory.  If a page is needed
    nevertheless, the system reloads it from the file.
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
