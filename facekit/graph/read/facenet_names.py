"""The variable names of facenet in TensorFlow 1, and the constants of its training graph.

The source is https://github.com/davidsandberg/facenet, src/models/inception_resnet_v1.py, which
uses TF-Slim.  facekit's Block8_2_Branch_0_Conv2d_1x1 is called
InceptionResnetV1/Repeat_2/block8_2/Branch_0/Conv2d_1x1 there.
"""

from __future__ import annotations

import re

from facekit.graph.nets.inception_resnet_v1 import (
    RESIDUAL_SCALE_A,
    RESIDUAL_SCALE_B,
    RESIDUAL_SCALE_C,
)
from facekit.graph.weights import Take

ROOT = "InceptionResnetV1"
EMBEDDING_KERNEL = f"{ROOT}/Bottleneck/weights"
"""The kernel of the last layer, (1792, embedding length)."""
RESIDUAL_SCALES = {
    f"{ROOT}/Block8/mul/x": 1.0,
    **{f"{ROOT}/Repeat/block35_{k}/mul/x": RESIDUAL_SCALE_A for k in range(1, 6)},
    **{f"{ROOT}/Repeat_1/block17_{k}/mul/x": RESIDUAL_SCALE_B for k in range(1, 11)},
    **{f"{ROOT}/Repeat_2/block8_{k}/mul/x": RESIDUAL_SCALE_C for k in range(1, 6)},
}
"""The constants of the graph, by name."""
_LEAVES = {"kernel": "weights", "bias": "biases"}


def variable_source(ours: str) -> Take | None:
    """Returns the source of a weight of `inception_resnet_v1` in a file with trained variables."""
    layer, _, leaf = ours.rpartition("/")
    scope = scope_name(layer.removesuffix("_BatchNorm"))
    if not layer.endswith("_BatchNorm"):
        return Take(f"{scope}/{_LEAVES[leaf]}")
    return None if leaf == "gamma" else Take(f"{scope}/BatchNorm/{leaf}")


def scope_name(layer_name: str) -> str:
    """Returns facenet's scope of a layer.

    Block8_2_Branch_0_Conv2d_1x1 -> InceptionResnetV1/Repeat_2/block8_2/Branch_0/Conv2d_1x1.
    """
    scope = re.sub(r"(Branch_\d+|Mixed_\d[a-z])_", r"\1/", layer_name)
    scope = scope.replace("Block8_6_", "Block8/")
    for block, repeat in (("35", "Repeat"), ("17", "Repeat_1"), ("8", "Repeat_2")):
        scope = re.sub(rf"^Block{block}_(\d+)_", rf"{repeat}/block{block}_\1/", scope)
    return f"{ROOT}/{scope}"
