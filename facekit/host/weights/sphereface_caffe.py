"""wy1iu's SphereFace-20 (sphereface_model.caffemodel) into our graph.

https://github.com/wy1iu/sphereface.  Its net is fed BGR, (x - 127.5) / 128.
"""

from __future__ import annotations

from pathlib import Path

from facekit.host.weights.caffe_model import is_caffe_model, read_caffe_model
from facekit.host.weights.source import SourceWeights, embedding_size_of
from facekit.host.weights.sphereface_layout import CLASSIFIER, fill


def is_sphereface_caffe(path: Path) -> bool:
    return is_caffe_model(path, with_layer="relu1_1")


def read_sphereface_caffe(path: Path) -> SourceWeights:
    """Raises ModelBuildError."""
    tensors = read_caffe_model(path)
    ignored = tuple(name for name in tensors if name.startswith(f"{CLASSIFIER}["))
    kept = {name: tensor for name, tensor in tensors.items() if name not in ignored}
    origin = path.name
    return SourceWeights(
        embedding_size=embedding_size_of(kept, "fc5[0]", axis=0, origin=origin),
        fill=lambda net: fill(net, kept, _name_of, origin=origin),
        ignored=ignored,
    )


def _name_of(layer: str, *, bias: bool) -> str:
    return f"{layer}[{int(bias)}]"
