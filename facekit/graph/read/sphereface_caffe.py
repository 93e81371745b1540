"""wy1iu's SphereFace-20 (sphereface_model.caffemodel) into our graph.

https://github.com/wy1iu/sphereface.  Its net is fed BGR, (x - 127.5) / 128.
"""

from __future__ import annotations

from pathlib import Path

from facekit.graph.read.caffe_model import is_caffe_model, read_caffe_model
from facekit.graph.read.sphereface_layout import source_weights
from facekit.graph.source import SourceWeights


def is_sphereface_caffe(path: Path) -> bool:
    return is_caffe_model(path, with_layer="relu1_1")


def read_sphereface_caffe(path: Path) -> SourceWeights:
    """Raises ModelBuildError."""
    return source_weights(read_caffe_model(path), _name_of, origin=path.name)


def _name_of(layer: str, *, bias: bool) -> str:
    return f"{layer}[{int(bias)}]"
