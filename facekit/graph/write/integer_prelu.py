"""PReLU in operators that integer kernels and NPUs know.

ai-edge-quantizer leaves PRELU in float32, between a DEQUANTIZE and a QUANTIZE each, which no NPU
takes.  For slopes a <= 1

    prelu(x) = max(x, a x)

channel by channel; for a layer with any larger slope

    prelu(x) = relu(x) + a (x - relu(x))

Both are exact in float32 up to rounding.  docs/sphereface.md has what each form costs.
"""

from __future__ import annotations

from typing import Any

from facekit.system.keras_backend import keras


class _Maximum(keras.layers.PReLU):  # type: ignore[misc]  # Keras has no types
    def call(self, inputs: Any) -> Any:
        return keras.ops.maximum(inputs, self.alpha * inputs)


class _Sum(keras.layers.PReLU):  # type: ignore[misc]
    def call(self, inputs: Any) -> Any:
        positive = keras.ops.relu(inputs)
        return positive + self.alpha * (inputs - positive)


def without_prelu(model: keras.Model) -> keras.Model:
    """The same function of the same weights and layer names; `model` itself where it has none.

    A net with an open side is left as it is: it is never quantised.
    """
    layers = [layer for layer in model.layers if isinstance(layer, keras.layers.PReLU)]
    if not layers or any(None in one.shape for one in model.inputs):
        return model

    def clone(layer: keras.Layer) -> keras.Layer:
        kind = type(layer)
        if layer in layers:
            (slopes,) = layer.get_weights()
            kind = _Maximum if slopes.max() <= 1 else _Sum
        return kind.from_config(layer.get_config())

    rewritten = keras.models.clone_model(model, clone_function=clone)
    rewritten.set_weights(model.get_weights())
    return rewritten
