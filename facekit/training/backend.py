"""Imports TensorFlow and Keras for training, and for writing Keras and TensorFlow files.

No other module of facekit imports them for these purposes.  Importing this module raises
MissingExtraError if Keras or TensorFlow is not installed, and ModelBuildError if TensorFlow cannot
be imported or Keras uses another backend.
"""

from __future__ import annotations

from facekit.errors import MissingExtraError, ModelBuildError
from facekit.system.native_output import captured_output

_BACKEND_NEEDED = (
    "Training runs on Keras's TensorFlow backend: unset KERAS_BACKEND, or set it to tensorflow."
)


try:
    with captured_output():
        import keras
        import tensorflow as tf

        tf.config.list_physical_devices()  # searches for GPUs now, while messages are suppressed
except ImportError as error:
    if error.name in ("keras", "tensorflow"):
        raise MissingExtraError(
            error.name, extra="train", needed_for="Training, or writing a Keras model,"
        ) from error
    raise ModelBuildError(f"TensorFlow cannot be imported: {error}. {_BACKEND_NEEDED}") from error

if keras.backend.backend() != "tensorflow":
    raise ModelBuildError(f"Keras runs on {keras.backend.backend()}. {_BACKEND_NEEDED}")

__all__ = ["keras", "tf"]
