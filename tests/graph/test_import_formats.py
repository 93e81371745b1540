"""Every format of weights: what is whole is read, and what is not is refused by name."""

from __future__ import annotations

import os
import pickle
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from facekit.enums import Architecture
from facekit.errors import ModelBuildError
from facekit.graph.graph import Graph, Operation
from facekit.graph.names import keras_layer_name
from facekit.graph.read import keras_archive
from facekit.graph.read.crc32c import crc32c
from facekit.graph.read.facenet_names import RESIDUAL_SCALES
from facekit.graph.read.facenet_pytorch import read_facenet_pytorch
from facekit.graph.read.formats import find_format
from facekit.graph.read.graph_def import _GRAPH_DEF, read_constants
from facekit.graph.read.keras_archive import _groups
from facekit.graph.read.network import ImportedNetwork
from facekit.graph.read.protobuf import message_class
from facekit.graph.read.torch_file import read_state_dict
from facekit.graph.write.facenet_pytorch import to_facenet_pytorch
from facekit.template.match import unit_length
from facekit.types import Float32Array
from tests.networks.run_graph import answers, require_equal
from tests.networks.weight_files import write_h5, write_keras_weights

KERNEL = "Conv2d_2a_3x3"
TORCH_KERNEL = "conv2d_2a.conv.weight"
SLIM_KERNEL = "InceptionResnetV1/Conv2d_2a_3x3/weights"


@pytest.fixture(scope="module")
def slim_arrays(frozen_graph: Path) -> dict[str, Float32Array]:
    """The default weights as facenet's training would have left them, by TF-Slim's names."""
    from tests.networks.trained_arrays import trained_arrays

    return trained_arrays(read_constants(frozen_graph))


@pytest.fixture(scope="module")
def torch_arrays(facenet: Graph, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    path = tmp_path_factory.mktemp("torch") / "a.pt"
    path.write_bytes(to_facenet_pytorch(facenet))
    return {name: array.copy() for name, array in read_state_dict(path).items()}


def read(path: Path) -> ImportedNetwork:
    found = find_format(path)
    return found.read(path, size=None) if found.whole_network else found.read(path)


def greatest_difference(graph: Graph, wanted: Float32Array, crop: Float32Array) -> float:
    return float(np.abs(unit_length(answers(graph, crop)) - wanted).max())


# ---- facenet, TensorFlow 1


@pytest.mark.tensorflow
def test_the_training_graph_frozen_and_saved(
    slim_arrays: dict[str, Float32Array], crops: Float32Array, tmp_path: Path
) -> None:
    """Both files embed as the graph itself does in a session of TensorFlow 1."""
    from tests.networks.facenet_tf1 import OPTIMIZER_LEFT, TrainingGraph

    graph = TrainingGraph(slim_arrays)
    wanted = graph.embed(crops[:1])
    graph.freeze(tmp_path / "20180408-102900.pb")
    (tmp_path / "saved").mkdir()
    index = graph.save(tmp_path / "saved")

    frozen = read(tmp_path / "20180408-102900.pb")
    assert frozen.architecture is Architecture.INCEPTION_RESNET_V1
    assert greatest_difference(frozen.graph, wanted, crops[:1]) <= 1e-5
    parts = ("/BatchNorm/", "Dropout", "embeddings")
    assert all(any(part in name for part in parts) for name in frozen.ignored)
    for path in (tmp_path / "saved", index):
        saved = read(path)
        assert set(saved.ignored) == set(OPTIMIZER_LEFT)
        require_same_weights(saved.graph, frozen.graph)


def require_same_weights(ours: Graph, theirs: Graph) -> None:
    """But for gammas of one, which a frozen graph has as constants."""
    for a, b in zip(ours.nodes, theirs.nodes, strict=True):
        for role, weight in a.weights.items():
            np.testing.assert_array_equal(weight, b.weights[role], err_msg=f"{a.name} {role}")


def test_statistics_of_batch_norms_are_those_of_training(
    slim_arrays: dict[str, Float32Array], tmp_path: Path
) -> None:
    graph = read(write_graph(with_scales(slim_arrays), tmp_path / "trained.pb")).graph
    norm = next(node for node in graph.nodes if node.operation is Operation.BATCH_NORM)
    scope = "InceptionResnetV1/Conv2d_1a_3x3/BatchNorm"
    for role, name in (("mean", "moving_mean"), ("variance", "moving_variance")):
        np.testing.assert_array_equal(norm.weights[role], slim_arrays[f"{scope}/{name}"])
        assert np.ptp(norm.weights[role]) > 0.1


@pytest.mark.tensorflow
def test_a_checkpoint_is_what_tensorflow_reads(tmp_path: Path) -> None:
    """Every kind of number, names that share their beginnings, and more than one block."""
    import tensorflow as tf

    from facekit.graph.read.tensor_bundle import read_index

    random = np.random.default_rng(1)
    arrays: dict[str, Any] = {
        f"scope_{index // 7}/layer_{index}/weights": random.normal(size=(index % 5, 3)).astype("f")
        for index in range(400)
    }
    for kind in ("float16", "float64", "int8", "int16", "int32", "int64", "uint8", "bool"):
        arrays[kind] = random.integers(0, 2, (2, 1, 3)).astype(kind)
    arrays["scalar"] = np.float32(7)
    folder = write_checkpoint(arrays, tmp_path / "many")
    (index,) = folder.glob("*.index")
    reader = tf.train.load_checkpoint(str(index.with_suffix("")))
    variables = read_index(index)
    assert variables.keys() == set(reader.get_variable_to_shape_map()) == arrays.keys()
    for name, variable in variables.items():
        assert variable is not None
        np.testing.assert_array_equal(variable.read(), reader.get_tensor(name))


def write_checkpoint(arrays: dict[str, Float32Array], folder: Path) -> Path:
    import tensorflow as tf

    folder.mkdir(exist_ok=True)
    tf.raw_ops.SaveV2(
        prefix=str(folder / "model-1.ckpt-7"),
        tensor_names=list(arrays),
        shape_and_slices=[""] * len(arrays),
        tensors=list(arrays.values()),
    )
    return folder


def test_checksums_of_any_length() -> None:
    assert crc32c(b"") == 0
    assert crc32c(b"123456789") == 0xE3069283
    assert crc32c(bytes(32)) == 0x8A9136AA  # RFC 3720, B.4
    data = np.random.default_rng(2).integers(0, 256, 70_001, np.uint8).tobytes()
    state = 0xFFFFFFFF
    for byte in data:  # bit by bit, by the polynomial
        state ^= byte
        for _ in range(8):
            state = state >> 1 ^ (0x82F63B78 if state & 1 else 0)
    assert crc32c(data) == state ^ 0xFFFFFFFF


def test_several_checkpoints_in_a_folder_are_listed(tmp_path: Path) -> None:
    for name in ("model-1.ckpt-7.index", "model-1.ckpt-8.index"):
        (tmp_path / name).write_bytes(b"")
    with pytest.raises(ModelBuildError, match=r"holds 2 checkpoints.*ckpt-7.*ckpt-8"):
        read(tmp_path)


@pytest.mark.tensorflow
def test_a_checkpoint_cut_off_or_changed(tmp_path: Path) -> None:
    arrays = {f"a{index}": np.ones(index, np.float32) for index in range(300)}
    folder = write_checkpoint(arrays, tmp_path / "cut")
    (data,), (index,) = folder.glob("*.data-*"), folder.glob("*.index")
    content, whole = data.read_bytes(), index.read_bytes()
    os.truncate(data, len(content) // 2)
    with pytest.raises(ModelBuildError, match="cannot be read as a checkpoint"):
        read(folder)
    data.write_bytes(content[:700] + b"\x80" + content[701:])
    with pytest.raises(ModelBuildError, match="has another checksum than its index states"):
        read(folder)
    data.write_bytes(content)
    random = np.random.default_rng(4)
    for end in random.integers(0, len(whole), 40):
        index.write_bytes(whole[:end] + whole[-48:])
        with pytest.raises(ModelBuildError):
            read(folder)
    for place in random.integers(0, len(whole) - 8, 200):
        spoilt = bytearray(whole)
        spoilt[place] ^= int(random.integers(1, 256))
        index.write_bytes(spoilt)
        with pytest.raises(ModelBuildError):  # no Bottleneck in it, if nothing else
            read(folder)


def write_graph(arrays: dict[str, Float32Array], path: Path) -> Path:
    graph = message_class(_GRAPH_DEF)()
    for name, array in arrays.items():
        tensor = graph.node.add(name=name, op="Const").attr.add(key="value").value.tensor
        tensor.dtype, tensor.tensor_content = 1, np.asarray(array, np.float32).tobytes()
        for side in np.shape(array):
            tensor.tensor_shape.dim.add(size=side)
    path.write_bytes(graph.SerializeToString())
    return path


def with_scales(arrays: dict[str, Float32Array]) -> dict[str, Float32Array]:
    return arrays | {name: np.array(one, np.float32) for name, one in RESIDUAL_SCALES.items()}


def test_a_gamma_that_is_not_one_is_refused(
    slim_arrays: dict[str, Float32Array], tmp_path: Path
) -> None:
    name = "InceptionResnetV1/Conv2d_2b_3x3/BatchNorm/Const"
    arrays = with_scales(slim_arrays) | {name: np.full(64, 1.5, np.float32)}
    with pytest.raises(ModelBuildError, match=f"{name} must be 1.0 throughout"):
        read(write_graph(arrays, tmp_path / "gamma.pb"))


# ---- facenet-pytorch


@pytest.mark.parametrize("zipped", [True, False], ids=["today's file", "before PyTorch 1.6"])
def test_facenet_pytorch_with_gammas_and_classifier(
    facenet: Graph,
    torch_arrays: dict[str, Any],
    crops: Float32Array,
    tmp_path: Path,
    zipped: bool,
) -> None:
    """gamma (W/gamma x - m/gamma) / s is the same net, for gammas of either sign."""
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(5)
    arrays = dict(torch_arrays)
    for name in [one for one in arrays if one.endswith("running_mean")]:
        norm = name.removesuffix(".running_mean")
        gamma = rng.uniform(0.5, 2, arrays[name].shape) * rng.choice([-1, 1], arrays[name].shape)
        gamma = gamma.astype(np.float32)
        before = "last_linear" if norm == "last_bn" else norm.removesuffix("bn") + "conv"
        kernel = arrays[f"{before}.weight"]
        arrays[f"{before}.weight"] = kernel / gamma.reshape(-1, *(1,) * (kernel.ndim - 1))
        arrays[f"{norm}.weight"] = gamma
        arrays[name] = arrays[name] / gamma
    arrays["logits.weight"], arrays["logits.bias"] = np.ones((7, 512)), np.ones(7)
    state = {f"module.{name}": torch.from_numpy(array) for name, array in arrays.items()}
    path = tmp_path / "vggface2.pt"
    torch.save(state, path, _use_new_zipfile_serialization=zipped)
    found = read(path)
    assert {name for name in found.ignored if "num_batches" not in name} == {
        "logits.weight",
        "logits.bias",
    }
    first = next(node for node in found.graph.nodes if node.operation is Operation.BATCH_NORM)
    np.testing.assert_array_equal(first.weights["gamma"], arrays["conv2d_1a.bn.weight"])
    wanted = unit_length(answers(facenet, crops[:1]))
    assert greatest_difference(found.graph, wanted, crops[:1]) <= 1e-5


@pytest.mark.parametrize("zipped", [True, False], ids=["today's file", "before PyTorch 1.6"])
def test_a_state_dict_is_what_pytorch_reads(tmp_path: Path, zipped: bool) -> None:
    """Tensors that are views, transposed, of other numbers, parameters and empty ones."""
    torch = pytest.importorskip("torch")
    base = torch.arange(60, dtype=torch.float32).reshape(3, 4, 5)
    state: dict[str, Any] = {
        "whole": base,
        "part": base[1:, 2:, ::2],
        "turned": base.permute(2, 0, 1),
        "scalar": torch.tensor(7.0),
        "empty": torch.zeros(0, 3),
        "half": torch.ones(3, dtype=torch.float16),
        "long": torch.arange(3),
        "parameter": torch.nn.Parameter(torch.ones(2, 2)),
    }
    net = torch.nn.Sequential(torch.nn.Conv2d(3, 2, 3), torch.nn.BatchNorm2d(2))
    path = tmp_path / "a.pt"
    for saved in (state, {"state_dict": state}, net.state_dict(), {"one": base}):
        torch.save(saved, path, _use_new_zipfile_serialization=zipped)
        wanted = torch.load(path, weights_only=True)
        wanted = wanted.get("state_dict", wanted)
        found = read_state_dict(path)
        assert found.keys() == wanted.keys()
        for name, tensor in wanted.items():
            theirs = tensor.detach().numpy()
            assert (found[name].shape, found[name].dtype) == (theirs.shape, theirs.dtype)
            np.testing.assert_array_equal(found[name], theirs)


def test_what_facekit_writes_pytorch_reads(
    facenet: Graph, torch_arrays: dict[str, Any], tmp_path: Path, crops: Float32Array
) -> None:
    torch = pytest.importorskip("torch")
    path = tmp_path / "a.pt"
    path.write_bytes(to_facenet_pytorch(facenet))
    theirs = torch.load(path, weights_only=True)
    assert theirs.keys() == torch_arrays.keys()
    assert theirs["last_bn.num_batches_tracked"].dtype == torch.int64
    for name, tensor in theirs.items():
        np.testing.assert_array_equal(tensor.numpy(), torch_arrays[name])
    wanted = unit_length(answers(facenet, crops))
    assert greatest_difference(read_facenet_pytorch(path).graph, wanted, crops) <= 1e-5


def write_torch(arrays: dict[str, Any], path: Path) -> Path:
    torch = pytest.importorskip("torch")
    torch.save({name: torch.from_numpy(array) for name, array in arrays.items()}, path)
    return path


class Harmful:
    """Makes a folder when it is unpickled."""

    def __init__(self, folder: Path) -> None:
        self.folder = str(folder)

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[str]]:
        return os.mkdir, (self.folder,)


@pytest.mark.parametrize("zipped", [True, False], ids=["today's file", "before PyTorch 1.6"])
def test_a_harmful_pickle_is_not_run(tmp_path: Path, zipped: bool) -> None:
    torch = pytest.importorskip("torch")
    path, proof = tmp_path / "evil.pt", tmp_path / "was-run"
    content = {"last_linear.weight": Harmful(proof)}
    torch.save(content, path, _use_new_zipfile_serialization=zipped)
    with pytest.raises(ModelBuildError, match="PyTorch file of tensors alone: the pickle names"):
        read(path)
    assert not proof.exists()


def test_the_harmful_pickle_would_have_run(tmp_path: Path) -> None:
    pickle.loads(pickle.dumps(Harmful(tmp_path / "was-run")))
    assert (tmp_path / "was-run").is_dir()


@pytest.mark.parametrize("zipped", [True, False], ids=["today's file", "before PyTorch 1.6"])
def test_a_pytorch_file_with_any_byte_changed_is_read_or_refused(
    tmp_path: Path, zipped: bool
) -> None:
    torch = pytest.importorskip("torch")
    path = tmp_path / "a.pt"
    state = {"a": torch.ones(2, 3)[:, 1:], "b": torch.arange(4)}
    torch.save(state, path, _use_new_zipfile_serialization=zipped)
    whole, random = path.read_bytes(), np.random.default_rng(6)
    for place in random.permutation(len(whole))[:300]:
        spoilt = bytearray(whole)
        spoilt[place] ^= int(random.integers(1, 256))
        path.write_bytes(spoilt)
        with suppress(ModelBuildError):
            read_state_dict(path)


# ---- Keras


def test_keras_weights_of_our_graph(facenet: Graph, tmp_path: Path) -> None:
    """Of whole models, which Keras itself writes: tests/training/test_keras_graph.py."""
    found = read(write_keras_weights(facenet, tmp_path / "unnamed.bin"))
    assert found.architecture is Architecture.INCEPTION_RESNET_V1
    require_equal(found.graph, facenet)


def test_names_in_a_keras_archive_count_more_than_order() -> None:
    listed = [("Conv2D", "b"), ("BatchNormalization", "n"), ("PReLU", "p"), ("Conv2D", "a")]
    assert dict(_groups(listed)) == {
        "b": "conv2d",
        "n": "batch_normalization",
        "p": "p_re_lu",
        "a": "conv2d_1",
    }


def test_an_archive_that_unpacks_to_too_much(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keras_archive, "MAX_BYTES", 1_000_000)
    with zipfile.ZipFile(tmp_path / "a.keras", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("config.json", "{}")
        archive.writestr("model.weights.h5", bytes(2_000_000))
    with pytest.raises(ModelBuildError, match="unpacks to 2 MB; 1 are allowed"):
        read(tmp_path / "a.keras")


# ---- all of them: missing, surplus, not finite, another shape, cut off


def change_h5(path: Path, kernel: str, change: str) -> None:
    with h5py.File(path, "a") as file:
        value = np.asarray(file[kernel])
        del file[kernel]
        if change != "missing":
            file[kernel] = changed(value, change)
        if change == "surplus":
            if "layers" in file:
                extra = file.require_group("layers/conv2d_999/vars")
                extra.attrs["name"] = "Extra"
                extra["0"] = value
            else:
                file["Extra/Extra/kernel:0"] = value


def changed(value: Float32Array, change: str) -> Float32Array:
    if change == "not finite":
        value = value.copy()
        value.reshape(-1)[3] = np.nan
    return value[..., :-1] if change == "shape" else value


CHANGES = {
    "missing": "lacks the tensor {kernel}",
    "surplus": "tensors with no place in the graph: .*{extra}",
    "not finite": "{kernel} holds values that are not finite",
    "shape": "{kernel}.* does not fit",
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize(
    "kind",
    [
        "deepface",
        "keras",
        "torch",
        "graph",
        pytest.param("checkpoint", marks=pytest.mark.tensorflow),
    ],
)
def test_a_tensor_that_is_wrong_is_named(
    facenet: Graph,
    slim_arrays: dict[str, Float32Array],
    torch_arrays: dict[str, Any],
    tmp_path: Path,
    kind: str,
    change: str,
) -> None:
    path = tmp_path / "weights"
    if kind == "deepface":
        kernel, extra = f"{KERNEL}/kernel", "Extra/kernel"
        change_h5(write_h5(facenet, path), f"{KERNEL}/{KERNEL}/kernel:0", change)
    elif kind == "keras":
        number = [keras_layer_name(node) for node in facenet.nodes].index(KERNEL)
        place, extra = f"layers/conv2d_{number}/vars/0", "layers/conv2d_999/vars/0"
        kernel = f"{KERNEL}/kernel" if change == "missing" else place
        change_h5(write_keras_weights(facenet, path), place, change)
    else:
        base = dict(torch_arrays if kind == "torch" else with_scales(slim_arrays))
        if kind == "checkpoint":
            base = dict(slim_arrays)
        kernel, extra = TORCH_KERNEL if kind == "torch" else SLIM_KERNEL, "Extra/weights"
        value = base.pop(kernel)
        if change != "missing":
            base[kernel] = np.ascontiguousarray(changed(value, change))
        if change == "surplus":
            base[extra] = value
        write = {"torch": write_torch, "graph": write_graph, "checkpoint": write_checkpoint}[kind]
        path = write(base, path)
    with pytest.raises(ModelBuildError, match=CHANGES[change].format(kernel=kernel, extra=extra)):
        read(path)


@pytest.mark.parametrize("kind", ["deepface", "keras", "torch", "graph"])
def test_a_file_cut_off_is_refused(
    facenet: Graph,
    slim_arrays: dict[str, Float32Array],
    torch_arrays: dict[str, Any],
    tmp_path: Path,
    kind: str,
) -> None:
    path = tmp_path / "weights"
    if kind == "deepface":
        write_h5(facenet, path)
    elif kind == "keras":
        write_keras_weights(facenet, path)
    elif kind == "torch":
        write_torch(torch_arrays, path)
    else:
        write_graph(with_scales(slim_arrays), path)
    os.truncate(path, path.stat().st_size // 2)
    with pytest.raises(ModelBuildError, match=r"cannot be read as a|no format that facekit knows"):
        read(path)


@pytest.mark.parametrize("content", [b"", b"<html>404</html>", b"\x08\x01", bytes(2000)])
def test_what_is_no_format_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.pt").write_bytes(content)
    with pytest.raises(ModelBuildError, match=r"a\.pt is in no format that facekit knows"):
        read(tmp_path / "a.pt")
    with pytest.raises(ModelBuildError, match="is in no format that facekit knows"):
        read(tmp_path)
