"""The one place that imports TensorFlow and Keras, and keeps what they print off the terminal."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from facekit.errors import MissingExtraError, ModelBuildError


@contextmanager
def captured_output() -> Iterator[None]:
    """Holds back whatever is written to file descriptors 1 and 2; on an error stderr gets it.

    TensorFlow's C++ half writes past `sys.stdout` and Python's logging, and stdout is for
    results.  Affects the whole process while it lasts, so nothing else may print inside.
    """
    _flush()
    kept: dict[int, int] = {}
    with tempfile.TemporaryFile() as log:
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
except ModuleNotFoundError as error:
    raise MissingExtraError(
        error.name or "tensorflow", extra="host", needed_for="Building a model"
    ) from error

if keras.backend.backend() != "tensorflow":
    raise ModelBuildError(
        "LiteRT files are made through Keras's TensorFlow backend. "
        f"Received: {keras.backend.backend()}. Unset KERAS_BACKEND, or set it to tensorflow."
    )

__all__ = ["captured_output", "keras", "tf"]
