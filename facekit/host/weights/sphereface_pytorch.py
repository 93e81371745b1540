"""clcarwin's SphereFace-20 (sphere20a_20171020.pth, a state_dict) into our graph.

https://github.com/clcarwin/sphereface_pytorch, net_sphere.py.  Its net is fed what OpenCV reads,
so BGR, (x - 127.5) / 128.  The file is published in a .7z archive: unpack that first.
"""

from __future__ import annotations

from pathlib import Path

from facekit.host.weights.source import SourceWeights, embedding_size_of
from facekit.host.weights.sphereface_layout import CLASSIFIER, fill
from facekit.host.weights.torch_file import is_torch_file, mentions, read_state_dict


def is_sphereface_pytorch(path: Path) -> bool:
    return is_torch_file(path) and mentions(path, "relu1_1.weight")


def read_sphereface_pytorch(path: Path) -> SourceWeights:
    """Raises ModelBuildError, and MissingExtraError without PyTorch."""
    tensors = read_state_dict(path)
    ignored = tuple(name for name in tensors if name.startswith(f"{CLASSIFIER}."))
    kept = {name: tensor for name, tensor in tensors.items() if name not in ignored}
    origin = path.name
    return SourceWeights(
        embedding_size=embedding_size_of(kept, "fc5.weight", axis=0, origin=origin),
        fill=lambda net: fill(net, kept, _name_of, origin=origin),
        ignored=ignored,
    )


def _name_of(layer: str, *, bias: bool) -> str:
    return f"{layer}.{'bias' if bias else 'weight'}"
