"""How far imported weights embed from the network of the system that they come from.

    .venv/bin/python benchmarks/peer_weights.py .venv-peers/bin/python

Each source file is written by its system's own graph code, filled with the default model's
weights (batch norms with means, variances and gammas of their own), and answered there; facekit
then imports it.  deepface and facenet-pytorch run in the peers' environment
(benchmarks/install_peers.sh), facenet's TensorFlow 1 graph in a session here
(tests/networks/facenet_tf1.py).  Prints the greatest difference between two unit-length embeddings.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

PICTURES = 4
_HERE = Path(__file__).resolve()
_ROOT = _HERE.parent.parent
_ALLOWED = 1e-5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("peers", help="the Python of the peers' environment")
    parser.add_argument("--peer", nargs=2, metavar=("NAME", "FOLDER"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.peer:
        _PEERS[args.peer[0]](Path(args.peer[1]))
        return
    with tempfile.TemporaryDirectory() as folder:
        worst = 0.0
        for title, difference in _measured(args.peers, Path(folder)):
            print(f"{title:60} {difference:.2g}", flush=True)
            worst = max(worst, difference)
    if not worst <= _ALLOWED:
        raise SystemExit(f"{worst:.2g} is more than {_ALLOWED}")


def _measured(peers: str, folder: Path) -> Iterator[tuple[str, float]]:
    sys.path.insert(0, str(_ROOT))
    from facekit.graph.probe import pattern
    from facekit.graph.read.graph_def import read_constants
    from facekit.graph.read.litert import read_litert_graph
    from facekit.graph.write.facenet_pytorch import to_facenet_pytorch
    from facekit.model.store import find, sources_folder
    from facekit.runtime.litert import LiteRtNet
    from tests.networks.facenet_tf1 import TrainingGraph
    from tests.networks.trained_arrays import trained_arrays

    pictures = ((pattern(PICTURES, 160, 160) - 127.5) / 128).astype(np.float32)
    np.save(folder / "pictures.npy", pictures)
    (source,) = sources_folder("facenet512-casia").glob("*.pb")
    slim = trained_arrays(read_constants(source))
    arrays: Any = slim  # numpy's own type hints take its names for options
    np.savez(folder / "slim.npz", **arrays)

    graph = TrainingGraph(slim)
    wanted = graph.embed(pictures)
    graph.freeze(folder / "trained.pb")
    graph.save(folder)
    yield "frozen .pb as trained, facenet's graph", _difference(folder / "trained.pb", wanted)
    (index,) = folder.glob("*.index")
    yield "TF1 checkpoint, facenet's graph", _difference(index, wanted)

    model = find("facenet512-casia")
    exported = to_facenet_pytorch(read_litert_graph(model.path, name=model.card.name))
    (folder / "exported.pt").write_bytes(exported)
    for name in _PEERS:
        command = [peers, str(_HERE), peers, "--peer", name, str(folder)]
        subprocess.run(command, check=True, env=_environment())
    for size in (512, 128):
        own = np.load(folder / f"deepface{size}.npy")
        yield (
            f"deepface .h5, {size} numbers, deepface's network",
            _difference(folder / f"deepface{size}.h5", own),
        )
    for kind in ("plain", "logits"):
        own = np.load(folder / f"facenet_pytorch_{kind}.npy")
        yield (
            f"facenet-pytorch .pt, {kind}, its own network",
            _difference(folder / f"facenet_pytorch_{kind}.pt", own),
        )
    for onnx in sorted(folder.glob("*.onnx")):
        own = np.load(folder / "facenet_pytorch_plain.npy")
        yield f"{onnx.name} of torch.onnx.export", _difference(onnx, own)
    file = LiteRtNet(model.path)
    ours = _unit(np.concatenate([file.run(one[None])[0] for one in pictures]))
    theirs = np.load(folder / "exported.npy")
    yield "exported .pt in facenet-pytorch's network", float(np.abs(ours - theirs).max())


def _difference(source: Path, wanted: Any) -> float:
    """Of the imported model's file, run as facekit runs it, to the source's own answers."""
    from facekit.conversion.import_options import ImportOptions
    from facekit.conversion.import_weights import import_weights
    from facekit.enums import Preprocessing
    from facekit.runtime.litert import LiteRtNet

    with tempfile.TemporaryDirectory() as folder:
        options = ImportOptions(preprocessing=Preprocessing.FACENET)
        made = import_weights(source, "peer", options, Path(folder))
        net = LiteRtNet(made.model.path)
        pictures = np.load(source.parent / "pictures.npy")
        ours = np.concatenate([net.run(one[None])[0] for one in pictures])
    return float(np.abs(_unit(ours) - _unit(wanted)).max())


def _deepface(folder: Path) -> None:
    """Both of its checkpoints; the smaller one's last layer is the first 128 of the 512."""
    import h5py
    from deepface.models.facial_recognition.tf.Facenet import InceptionResNetV1
    from keras.src.legacy.saving import legacy_h5_format

    slim, pictures = _slim(folder), np.load(folder / "pictures.npy")
    for size in (512, 128):
        graph = InceptionResNetV1(dimension=size)
        for layer in graph.layers:
            if layer.weights:
                layer.set_weights([_of_deepface(slim, one, layer, size) for one in layer.weights])
        with h5py.File(folder / f"deepface{size}.h5", "w") as file:
            legacy_h5_format.save_weights_to_hdf5_group(file, graph)
        np.save(folder / f"deepface{size}.npy", _unit(np.asarray(graph(pictures))))


def _of_deepface(slim: dict[str, Any], weight: Any, layer: Any, size: int) -> Any:
    """TF-Slim's variable for one of deepface's, whose second branches are called Branch_K."""
    import re

    name = re.sub(r"^(Block(?:17|8)_(\d+))_Branch_\2_", r"\1_Branch_1_", layer.name)
    leaf = weight.name.rpartition("/")[2].removesuffix(":0")
    scope = _scope(name.removesuffix("_BatchNorm"))
    end = {"kernel": "weights", "bias": "biases"}.get(leaf, f"BatchNorm/{leaf}")
    value = slim[f"{scope}/{end}"]
    return value[..., :size] if name.startswith("Bottleneck") else value


def _scope(layer: str) -> str:
    """Block8_2_Branch_0_Conv2d_1x1 -> InceptionResnetV1/Repeat_2/block8_2/Branch_0/Conv2d_1x1."""
    import re

    scope = re.sub(r"(Branch_\d+|Mixed_\d[a-z])_", r"\1/", layer).replace("Block8_6_", "Block8/")
    for block, repeat in (("35", "Repeat"), ("17", "Repeat_1"), ("8", "Repeat_2")):
        scope = re.sub(rf"^Block{block}_(\d+)_", rf"{repeat}/block{block}_\1/", scope)
    return f"InceptionResnetV1/{scope}"


def _facenet_pytorch(folder: Path) -> None:
    """Its network with the trained variables, then with what facekit exported."""
    import torch

    module = _facenet_pytorch_module()
    pictures = torch.from_numpy(np.load(folder / "pictures.npy")).permute(0, 3, 1, 2)
    for kind, classes in (("plain", None), ("logits", 12)):
        net = module.InceptionResnetV1(classify=classes is not None, num_classes=classes).eval()
        net.load_state_dict(_trained_state(net.state_dict(), _slim(folder)))
        net.classify = False
        torch.save(net.state_dict(), folder / f"facenet_pytorch_{kind}.pt")
        with torch.no_grad():
            np.save(folder / f"facenet_pytorch_{kind}.npy", net(pictures).numpy())
        if kind == "plain":
            torch.onnx.export(
                net,
                (pictures[:1],),
                folder / "facenet_pytorch.onnx",
                input_names=["image"],
                dynamic_axes={"image": {0: "n"}},
                dynamo=False,
            )
    net = module.InceptionResnetV1().eval()
    net.load_state_dict(torch.load(folder / "exported.pt", weights_only=True))
    with torch.no_grad():
        np.save(folder / "exported.npy", net(pictures).numpy())


def _trained_state(state: Any, slim: dict[str, Any]) -> Any:
    """The state with TF-Slim's variables in it; gammas are drawn, and kernels divided by them.

    Both list their layers as the network runs, so its own modules say which is which by shape
    and order within a block; the names of a block's parts differ and are written out here.
    """
    import re

    import torch

    rng = np.random.default_rng(11)
    filled = dict(state)

    def theirs(scope: str) -> str:
        path = scope.removeprefix("InceptionResnetV1/")
        path = re.sub(r"^Repeat/block35_(\d+)", lambda m: f"repeat_1.{int(m[1]) - 1}", path)
        path = re.sub(r"^Repeat_1/block17_(\d+)", lambda m: f"repeat_2.{int(m[1]) - 1}", path)
        path = re.sub(r"^Repeat_2/block8_(\d+)", lambda m: f"repeat_3.{int(m[1]) - 1}", path)
        path = re.sub(r"^(Mixed_\d[a-z]|Block8)", lambda m: m[1].lower(), path)
        path = re.sub(r"/Branch_(\d)", r".branch\1", path)
        if "/" not in path and path.startswith("Conv2d_"):
            return f"conv2d_{path[7:9]}"
        head, _, convolution = path.partition("/")
        if "branch" not in head:
            return f"{head}.conv2d"
        place = {"0a": 0, "0b": 1, "0c": 2}.get(convolution[7:9])
        for one in (head, *(f"{head}.{k}" for k in ((2, 1, 0) if place is None else (place,)))):
            if f"{one}.conv.weight" in state:
                return one
        raise SystemExit(f"facenet-pytorch has no {scope}")

    for name, value in slim.items():
        scope, _, leaf = name.rpartition("/")
        if leaf != "weights":
            continue
        norm_scope = f"{scope}/BatchNorm"
        if scope.endswith("/Bottleneck"):
            conv, norm, kernel = "last_linear", "last_bn", value.T
        else:
            module = theirs(scope)
            plain = f"{module}.weight" in state
            conv, norm = (module, "") if plain else (f"{module}.conv", f"{module}.bn")
            kernel = value.transpose(3, 2, 0, 1)
        if not norm:
            filled[f"{conv}.bias"] = torch.from_numpy(slim[f"{scope}/biases"])
        else:
            gamma = rng.uniform(0.5, 2, kernel.shape[0]).astype(np.float32)
            kernel = kernel / gamma.reshape(-1, *(1,) * (kernel.ndim - 1))
            moved = slim[f"{norm_scope}/moving_mean"] / gamma
            filled[f"{norm}.weight"] = torch.from_numpy(gamma)
            filled[f"{norm}.bias"] = torch.from_numpy(slim[f"{norm_scope}/beta"])
            filled[f"{norm}.running_mean"] = torch.from_numpy(moved)
            spread = slim[f"{norm_scope}/moving_variance"]
            filled[f"{norm}.running_var"] = torch.from_numpy(spread)
        filled[f"{conv}.weight"] = torch.from_numpy(np.ascontiguousarray(kernel))
    return filled


def _facenet_pytorch_module() -> Any:
    """The network's file alone: the package itself imports torchvision, of a fitting version."""
    import importlib
    import importlib.util
    import types

    spec = importlib.util.find_spec("facenet_pytorch")
    if spec is None or spec.submodule_search_locations is None:
        raise SystemExit("facenet-pytorch is not installed: benchmarks/install_peers.sh")
    (root,) = spec.submodule_search_locations
    for name, place in (("facenet_pytorch", root), ("facenet_pytorch.models", f"{root}/models")):
        package = types.ModuleType(name)
        package.__path__ = [place]
        sys.modules[name] = package
    return importlib.import_module("facenet_pytorch.models.inception_resnet_v1")


def _slim(folder: Path) -> dict[str, Any]:
    with np.load(folder / "slim.npz") as arrays:
        return dict(arrays)


def _unit(vectors: Any) -> Any:
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def _environment() -> dict[str, str]:
    import os

    return {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONWARNINGS": "ignore"}


_PEERS = {"facenet-pytorch": _facenet_pytorch, "deepface": _deepface}


if __name__ == "__main__":
    main()
