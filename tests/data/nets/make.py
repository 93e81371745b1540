"""Makes the small LiteRT files beside it, which tests/runtime reads.  Needs TensorFlow.

python tests/data/nets/make.py
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

HERE = Path(__file__).parent


def converter(function: Any, *shapes: tuple[int | None, ...]) -> Any:
    concrete = tf.function(function).get_concrete_function(
        *(tf.TensorSpec(shape, tf.float32) for shape in shapes)
    )
    return tf.lite.TFLiteConverter.from_concrete_functions([concrete], tf.Module())


def quantized(function: Any, shape: tuple[int, ...], *, input_type: Any, output_type: Any) -> bytes:
    """Full-integer: -1..1 in, calibrated on its two ends."""
    one = converter(function, shape)
    one.optimizations = [tf.lite.Optimize.DEFAULT]
    ends = [np.full(shape, end, np.float32) for end in (-1.0, 1.0)]
    one.representative_dataset = lambda: ([end] for end in ends)
    one.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    one.inference_input_type, one.inference_output_type = input_type, output_type
    return bytes(one.convert())


def double_and_sum(x: Any) -> tuple[Any, Any]:
    """NB: the converter stores the two outputs the other way round."""
    return 2.0 * x, tf.reduce_sum(x, axis=[1, 2, 3])


def brighten(x: Any) -> Any:
    """A convolution, since Vela compiles nothing smaller: 1x1, identity, plus a half."""
    return tf.nn.conv2d(x, tf.eye(4)[None, None], 1, "VALID") + 0.5


def main() -> None:
    files = {
        "open_sides": converter(double_and_sum, (None, None, None, 3)).convert(),
        "open_batch": converter(lambda x: 2.0 * x, (None, 4)).convert(),
        "one_by_one": converter(lambda x: 2.0 * x, (1, 4)).convert(),
        "batch_of_four": converter(lambda x: 2.0 * x, (4, 4)).convert(),
        "two_inputs": converter(lambda x, y: x + y, (1, 4), (1, 4)).convert(),
        "integer_ids": converter(lambda x: tf.cast(x, tf.int64), (1, 4)).convert(),
        "int8": quantized(brighten, (1, 2, 2, 4), input_type=tf.int8, output_type=tf.int8),
        "uint8": quantized(brighten, (1, 2, 2, 4), input_type=tf.uint8, output_type=tf.float32),
    }
    for name, content in files.items():
        (HERE / f"{name}.tflite").write_bytes(content)
    with tempfile.TemporaryDirectory() as folder:
        vela = [sys.executable, "-m", "ethosu.vela", str(HERE / "int8.tflite")]
        target = ["--accelerator-config", "ethos-u65-256", "--output-dir", folder]
        subprocess.run([*vela, *target], check=True)
        compiled = Path(folder) / "int8_vela.tflite"
        (HERE / compiled.name).write_bytes(compiled.read_bytes())


if __name__ == "__main__":
    main()
