"""Makes tests/data/tiny: networks of a few kilobytes, for tests that must not wait for TensorFlow.

    python -m tests.networks.make_tiny_nets

Weights are seeded noise; only shapes, types and operators matter.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from facekit.system.native_output import captured_output
from facekit.training.backend import keras, tf

FOLDER = Path(__file__).resolve().parents[1] / "data" / "tiny"
SHAPE = (16, 16, 3)


def small_net(*, cosines: int = 0) -> keras.Model:
    """Convolutions, pooling, a sum and a dense layer; then operators that no Ethos-U has."""
    noise = {"bias_initializer": "random_normal"}  # equal biases would share one tensor
    image = keras.Input(SHAPE, batch_size=1, name="image")
    x = keras.layers.Conv2D(8, 3, strides=2, activation="relu", name="stem", **noise)(image)
    y = keras.layers.DepthwiseConv2D(3, padding="same", name="depthwise", **noise)(
        x
    )  # (1, 7, 7, 8)
    x = keras.layers.Add(name="sum")([x, y])
    x = keras.layers.MaxPooling2D(2, name="pool")(x)  # (1, 3, 3, 8)
    x = keras.layers.GlobalAveragePooling2D(name="mean")(x)
    for _ in range(cosines):
        x = keras.ops.cos(x)
    return keras.Model(image, keras.layers.Dense(10, name="dense", **noise)(x), name="tiny")


def samples() -> Iterator[list[np.ndarray]]:
    generator = np.random.default_rng(0)
    for _ in range(8):
        yield [generator.uniform(-1, 1, (1, *SHAPE)).astype(np.float32)]


def integer(model: keras.Model) -> bytes:
    """int8 in, int8 out."""
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = samples
    converter.target_spec.supported_ops = [
        tf.lite.OpsSet.TFLITE_BUILTINS_INT8,
        tf.lite.OpsSet.TFLITE_BUILTINS,
    ]
    converter.inference_input_type = converter.inference_output_type = tf.int8
    return bytes(converter.convert())


def main() -> None:
    keras.utils.set_random_seed(0)
    FOLDER.mkdir(exist_ok=True)
    tiny, mostly_cpu = small_net(), small_net(cosines=4)
    with captured_output():
        contents = {
            "float32": bytes(tf.lite.TFLiteConverter.from_keras_model(tiny).convert()),
            "int8": integer(tiny),
            "cosines_int8": integer(mostly_cpu),
        }
    for name, content in contents.items():
        (FOLDER / f"{name}.tflite").write_bytes(content)


if __name__ == "__main__":
    main()
