"""Writes facekit/graph/golden.json.

python -m tests.networks.make_golden graph_final.pb mtcnn-1.0.0-py3-none-any.whl \\
    face_recognition_sface_2021dec_int8bq.onnx face_detection_yunet_2023mar_int8bq.onnx
"""

from __future__ import annotations

import hashlib
import json
import sys
import tempfile
from pathlib import Path

import numpy as np

import facekit.graph.probe
from facekit.model import registry
from facekit.types import Float32Array
from tests.networks.independent_nets import OpenCvFaceNet, RuntimeNet, expanded, package_net


def main(frozen_graph: Path, wheel: Path, sface: Path, yunet: Path) -> None:
    facenet = registry.entry("facenet512-casia").card.input
    picture = facekit.graph.probe.probe("inception_resnet_v1", facenet)
    embedding = OpenCvFaceNet(frozen_graph).embed(picture)
    detector = registry.entry("mtcnn").card.input
    pixels = facekit.graph.probe.pattern(1, 112, 112).astype(np.float32)  # the file scales itself
    golden = {
        _sha256(frozen_graph): {"inception_resnet_v1": _plain([embedding])},
        _sha256(wheel): {
            net: _plain(package_net(net, facekit.graph.probe.probe(net, detector)))
            for net in ("pnet", "rnet", "onet")
        },
        _sha256(sface): {"sface": _plain([RuntimeNet(sface).run(pixels)])},
        _sha256(yunet): {"yunet": _plain(_expanded_answers(yunet))},
    }
    path = Path(facekit.graph.probe.__file__).with_name("golden.json")
    path.write_text(json.dumps(golden, indent=1) + "\n")


def _expanded_answers(yunet: Path) -> list[Float32Array]:
    """Of the net for images of any size, in ONNX Runtime, which refuses the blocks of int8."""
    picture = facekit.graph.probe.probe("yunet", registry.entry("yunet").card.input)
    with tempfile.TemporaryDirectory() as folder:
        return RuntimeNet(expanded(yunet, Path(folder) / "yunet.onnx")).outputs(picture)


def _plain(outputs: list[Float32Array]) -> list[dict[str, object]]:
    return [
        {"shape": one.shape, "values": " ".join(f"{value:.7g}" for value in one.ravel())}
        for one in outputs
    ]


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
