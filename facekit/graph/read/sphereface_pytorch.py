"""clcarwin's SphereFace-20 (sphere20a_20171020.pth, a state_dict) into our graph.

https://github.com/clcarwin/sphereface_pytorch, net_sphere.py.  Its net is fed what OpenCV reads,
so BGR, (x - 127.5) / 128.  The file is published in a .7z archive: unpack that first.
"""

from __future__ import annotations

from pathlib import Path

from facekit.graph.read.sphereface_layout import source_weights
from facekit.graph.read.torch_file import is_torch_file, mentions, read_state_dict
from facekit.graph.source import SourceWeights


def is_sphereface_pytorch(path: Path) -> bool:
    return is_torch_file(path) and mentions(path, "relu1_1.weight")


def read_sphereface_pytorch(path: Path) -> SourceWeights:
    """Raises ModelBuildError, and MissingExtraError without PyTorch."""
    return source_weights(read_state_dict(path), _name_of, origin=path.name)


def _name_of(layer: str, *, bias: bool) -> str:
    return f"{layer}.{'bias' if bias else 'weight'}"
