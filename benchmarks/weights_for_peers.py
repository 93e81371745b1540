"""Puts facekit's own weights where the peers look, so that all compute the same networks.

    .venv-peers/bin/python benchmarks/weights_for_peers.py .venv-peers

deepface's Facenet512 graph is filled with the default model's weights, for TensorFlow, and the same
network is written as ONNX, for its ONNX engine; so are SFace and YuNet, with their weights expanded
to float32.  facenet-pytorch gets a state_dict.  Needs the models facenet512-casia, sface and yunet
with their sources (facekit models build NAME).
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import sys
from pathlib import Path
from typing import Any

from facekit.graph.graph import Graph
from facekit.graph.names import keras_layer_name
from facekit.graph.read.facenet_pb import read_frozen_graph
from facekit.graph.write.facenet_pytorch import to_facenet_pytorch
from facekit.graph.write.onnx import to_onnx
from facekit.model import registry
from facekit.model.fetch import fetch

REPOSITORY = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(REPOSITORY))
from tests.networks.independent_nets import expanded  # noqa: E402  # by the path above

_SECOND_BRANCH = re.compile(r"^(Block(?:17|8)_(\d+))_Branch_\2_")
_LEAVES = {"mean": "moving_mean", "variance": "moving_variance"}


def deepface_folder(home: Path) -> Path:
    """Where deepface looks for weights when DEEPFACE_HOME is `home`."""
    return home / ".deepface" / "weights"


def facenet_pytorch_file(home: Path) -> Path:
    """The state_dict for facenet-pytorch's InceptionResnetV1."""
    return home / "facenet_pytorch.pt"


def nms_library(home: Path) -> Path:
    """torchvision's one compiled operator that is needed; see `write_nms`."""
    return home / "torchvision_nms.so"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("home", type=Path, help="the peers' environment, also DEEPFACE_HOME")
    home = parser.parse_args().home.resolve()
    folder = deepface_folder(home)
    folder.mkdir(parents=True, exist_ok=True)
    (source,) = fetch(registry.entry("facenet512-casia"))
    graph = read_frozen_graph(source).graph
    facenet_pytorch_file(home).write_bytes(to_facenet_pytorch(graph))
    (folder / "facenet512_weights.onnx").write_bytes(to_onnx(graph).model.SerializeToString())
    for name, file in (
        ("sface", "face_recognition_sface_2021dec.onnx"),
        ("yunet", "face_detection_yunet_2023mar.onnx"),
    ):
        only_picture_as_input(expanded(fetch(registry.entry(name))[0], folder / file))
    write_deepface(home, graph)
    write_nms(home)


def only_picture_as_input(path: Path) -> None:
    """Takes the names of weights from the file's inputs, which older files list there too."""
    import onnx

    model = onnx.load(path)
    del model.graph.input[1:]
    onnx.save(model, path)


def write_deepface(home: Path, ours: Graph) -> None:
    """deepface's own graph in TensorFlow, filled with `ours`, in the layout that it loads."""
    os.environ["DEEPFACE_HOME"] = str(home)
    import h5py
    from deepface.models.facial_recognition.tf.Facenet import InceptionResNetV1
    from keras.src.legacy.saving import legacy_h5_format

    arrays: dict[str, Any] = {
        f"{keras_layer_name(node)}/{_LEAVES.get(role, role)}": weight
        for node in ours.nodes
        for role, weight in node.weights.items()
        if role != "constant"
    }
    graph = InceptionResNetV1(dimension=512)
    for layer in graph.layers:
        if not layer.weights:
            continue
        name = _SECOND_BRANCH.sub(r"\1_Branch_1_", layer.name)
        leaves = [weight.name.rpartition("/")[2].removesuffix(":0") for weight in layer.weights]
        layer.set_weights([arrays.pop(f"{name}/{leaf}") for leaf in leaves])
    if arrays:
        raise SystemExit(f"deepface's graph has no place for {', '.join(arrays)}")
    # The old layout of HDF5 files, which Keras reads under this name and no longer writes.
    with h5py.File(deepface_folder(home) / "facenet512_weights.h5", "w") as file:
        legacy_h5_format.save_weights_to_hdf5_group(file, graph)


def write_nms(home: Path) -> None:
    """Compiles non-maximum suppression for a torchvision whose own operators do not load.

    That of a CUDA build beside a CPU-only PyTorch does not; facenet-pytorch's MTCNN needs it.
    """
    from torch.utils.cpp_extension import load

    built = load(
        "torchvision_nms",
        [str(Path(__file__).with_name("torchvision_nms.cpp"))],
        extra_cflags=["-O3"],
    )
    shutil.copy(built.__file__, nms_library(home))


def load_nms(home: Path) -> None:
    """For torchvision, which is then imported without its own operators."""
    import torch

    torch.ops.load_library(str(nms_library(home)))  # type: ignore[no-untyped-call]  # torch has no types
    import torchvision.extension

    torchvision.extension._has_ops = lambda: True


if __name__ == "__main__":
    main()
