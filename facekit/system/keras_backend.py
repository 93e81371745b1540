"""The one place that imports TensorFlow and Keras, and keeps what they print off the terminal."""

from __future__ import annotations

import io
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout, suppress

from facekit.errors import MissingExtraError, ModelBuildError

_BACKEND_NEEDED = (
    "LiteRT files are made through Keras's TensorFlow backend: unset KERAS_BACKEND, or set it to "
    "tensorflow."
)


@contextmanager
def captured_output() -> Iterator[None]:
    """Holds back whatever is written to file descriptors 1 and 2; on an error stderr gets it.

    TensorFlow's C++ half writes past `sys.stdout` and Python's logging, Keras to `sys.stdout`,
    and stdout is for results.  Affects the whole process while it lasts, so nothing else may
    print inside.
    """
    _flush()
    kept: dict[int, int] = {}
    with (
        tempfile.TemporaryFile(buffering=0) as log,
        io.TextIOWrapper(log, write_through=True) as text,
        redirect_stdout(text),  # where it is not descriptor 1, as in a notebook
    ):
        for descriptor in (1, 2):
            with suppress(OSError):  # started with that one closed: nothing to keep clean
                kept[descriptor] = os.dup(descriptor)
                os.dup2(log.fileno(), descriptor)
        failed = False
        try:
            yield
        except Exception:
            failed = True
            raise
        finally:
            _flush()
            for descriptor, original in kept.items():
                os.dup2(original, descriptor)
                os.close(original)
            if failed and 2 in kept:
                log.seek(0)
                os.write(2, log.read())


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, AttributeError):  # closed, replaced, or None
            stream.flush()


try:
    with captured_output():
        import keras
        import tensorflow as tf

        tf.config.list_physical_devices()  # looks for GPUs here, where its complaints are held back
except ImportError as error:
    if error.name in ("keras", "tensorflow"):
        raise MissingExtraError(error.name, extra="host", needed_for="Building a model") from error
    raise ModelBuildError(f"TensorFlow cannot be imported: {error}. {_BACKEND_NEEDED}") from error

if keras.backend.backend() != "tensorflow":
    raise ModelBuildError(f"Keras runs on {keras.backend.backend()}. {_BACKEND_NEEDED}")

__all__ = ["captured_output", "keras", "tf"]
