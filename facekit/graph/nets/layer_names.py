"""facenet's names in TensorFlow 1, and what its training graph holds besides variables.

https://github.com/davidsandberg/facenet, src/models/inception_resnet_v1.py with TF-Slim: our
Block8_2_Branch_0_Conv2d_1x1 is InceptionResnetV1/Repeat_2/block8_2/Branch_0/Conv2d_1x1 there.
"""

from __future__ import annotations

import re

from facekit.graph.nets.inception_resnet_v1 import (
    RESIDUAL_SCALE_A,
    RESIDUAL_SCALE_B,
    RESIDUAL_SCALE_C,
)
from facekit.graph.weights import Take, VariableSource
from facekit.system.keras_backend import keras

ROOT = "InceptionResnetV1"
EMBEDDING_KERNEL = f"{ROOT}/Bottleneck/weights"
"""(1792, numbers of an embedding)"""
RESIDUAL_SCALES = {
    f"{ROOT}/Block8/mul/x": 1.0,
    **{f"{ROOT}/Repeat/block35_{k}/mul/x": RESIDUAL_SCALE_A for k in range(1, 6)},
    **{f"{ROOT}/Repeat_1/block17_{k}/mul/x": RESIDUAL_SCALE_B for k in range(1, 11)},
    **{f"{ROOT}/Repeat_2/block8_{k}/mul/x": RESIDUAL_SCALE_C for k in range(1, 6)},
}
"""constants in a graph, by name"""


def variable_rules(net: keras.Model) -> dict[str, VariableSource]:
    """Where each variable of an `inception_resnet_v1` comes from among those that were trained."""
    rules: dict[str, VariableSource] = {}
    for layer in net.layers:
        scope = scope_of(layer.name.removesuffix("_BatchNorm"))
        if isinstance(layer, keras.layers.BatchNormalization):
            for leaf in ("beta", "moving_mean", "moving_variance"):
                rules[f"{layer.name}/{leaf}"] = Take(f"{scope}/BatchNorm/{leaf}")
        elif isinstance(layer, (keras.layers.Conv2D, keras.layers.Dense)):
            rules[f"{layer.name}/kernel"] = Take(f"{scope}/weights")
            if layer.use_bias:
                rules[f"{layer.name}/bias"] = Take(f"{scope}/biases")
    return rules


def scope_of(layer_name: str) -> str:
    """Block8_2_Branch_0_Conv2d_1x1 -> InceptionResnetV1/Repeat_2/block8_2/Branch_0/Conv2d_1x1."""
    scope = re.sub(r"(Branch_\d+|Mixed_\d[a-z])_", r"\1/", layer_name)
    scope = scope.replace("Block8_6_", "Block8/")
    for block, repeat in (("35", "Repeat"), ("17", "Repeat_1"), ("8", "Repeat_2")):
        scope = re.sub(rf"^Block{block}_(\d+)_", rf"{repeat}/block{block}_\1/", scope)
    return f"{ROOT}/{scope}"
