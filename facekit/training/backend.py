"""The only module that imports TensorFlow and Keras for training and for writing with them."""

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

        tf.config.list_physical_devices()  # looks for GPUs here, where its messages are held back
except ImportError as error:
    if error.name in ("keras", "tensorflow"):
        raise MissingExtraError(
            error.name, extra="train", needed_for="Training, or writing a Keras model,"
        ) from error
    raise ModelBuildError(f"TensorFlow cannot be imported: {error}. {_BACKEND_NEEDED}") from error

if keras.backend.backend() != "tensorflow":
    raise ModelBuildError(f"Keras runs on {keras.backend.backend()}. {_BACKEND_NEEDED}")

__all__ = ["keras", "tf"]
