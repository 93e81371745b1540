"""Every format of weights: what is whole is read, and what is not is refused by name."""

from __future__ import annotations

import os
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
import pytest

from facekit.errors import ModelBuildError
from facekit.template.match import unit_length
from facekit.types import Float32Array

if TYPE_CHECKING:
    import keras

    from facekit.graph.read.formats import SourceFormat

pytestmark = [
    pytest.mark.tensorflow,
    # Keras's variables, as Keras itself writes them to HDF5
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
]

KERNEL = "Mixed_6a_Branch_1_Conv2d_1a_3x3"
TORCH_KERNEL = "mixed_6a.branch1.2.conv.weight"
SLIM_KERNEL = "InceptionResnetV1/Mixed_6a/Branch_1/Conv2d_1a_3x3/weights"


@pytest.fixture(scope="module")
def slim_arrays(frozen_graph: Path) -> dict[str, Float32Array]:
    """The default weights as facenet's training would have left them, by TF-Slim's names."""
    from facekit.graph.read.graph_def import read_constants
    from tests.networks.facenet_tf1 import trained_arrays

    return trained_arrays(read_constants(frozen_graph))


@pytest.fixture(scope="module")
def torch_arrays(facenet: keras.Model) -> dict[str, Any]:
    from facekit.graph.read.facenet_pytorch import state_dict_arrays

    return state_dict_arrays(facenet)


def read(path: Path) -> SourceFormat:
    from facekit.graph.read.formats import format_of

    return format_of(path)


def fill(net: keras.Model, path: Path) -> tuple[str, ...]:
    """Reads the file into a net that held nothing before; returns what was ignored."""
    for variable in net.variables:
        variable.assign(np.zeros(variable.shape, np.float32))
    weights = read(path).read(path)
    assert weights.embedding_size == 512
    weights.fill(net)
    return weights.ignored


def greatest_difference(net: keras.Model, wanted: Float32Array, crop: Float32Array) -> float:
    return float(np.abs(unit_length(np.asarray(net(crop))) - wanted).max())


# ---- facenet, TensorFlow 1


def test_the_training_graph_frozen_and_saved(
    scratch_facenet: keras.Model,
    slim_arrays: dict[str, Float32Array],
    crops: Float32Array,
    tmp_path: Path,
) -> None:
    """Both files embed as the graph itself does in a session of TensorFlow 1."""
    from tests.networks.facenet_tf1 import OPTIMIZER_LEFT, TrainingGraph

    graph = TrainingGraph(slim_arrays)
    wanted = graph.embed(crops[:1])
    graph.freeze(tmp_path / "20180408-102900.pb")
    (tmp_path / "saved").mkdir()
    index = graph.save(tmp_path / "saved")

    ignored = fill(scratch_facenet, tmp_path / "20180408-102900.pb")
    assert greatest_difference(scratch_facenet, wanted, crops[:1]) <= 1e-5
    assert all(
        any(part in name for part in ("/BatchNorm/", "Dropout", "embeddings")) for name in ignored
    )
    for path in (tmp_path / "saved", index):
        assert set(fill(scratch_facenet, path)) == set(OPTIMIZER_LEFT)
        assert greatest_difference(scratch_facenet, wanted, crops[:1]) <= 1e-5


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


def test_several_checkpoints_in_a_folder_are_listed(tmp_path: Path) -> None:
    for name in ("model-1.ckpt-7.index", "model-1.ckpt-8.index"):
        (tmp_path / name).write_bytes(b"")
    with pytest.raises(ModelBuildError, match=r"holds 2 checkpoints.*ckpt-7.*ckpt-8"):
        read(tmp_path).read(tmp_path)


def test_a_checkpoint_cut_off(slim_arrays: dict[str, Float32Array], tmp_path: Path) -> None:
    folder = write_checkpoint(slim_arrays, tmp_path / "cut")
    (data,) = folder.glob("*.data-*")
    os.truncate(data, data.stat().st_size // 2)
    with pytest.raises(ModelBuildError, match="is damaged, or no checkpoint"):
        read(folder).read(folder)


def write_graph(arrays: dict[str, Float32Array], path: Path) -> Path:
    import tensorflow as tf

    graph = tf.compat.v1.GraphDef()
    for name, array in arrays.items():
        node = graph.node.add(name=name, op="Const")
        node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(array))
    path.write_bytes(graph.SerializeToString())
    return path


def with_scales(arrays: dict[str, Float32Array]) -> dict[str, Float32Array]:
    from facekit.graph.nets.layer_names import RESIDUAL_SCALES

    return arrays | {name: np.array(one, np.float32) for name, one in RESIDUAL_SCALES.items()}


def test_a_gamma_that_is_not_one_is_refused(
    scratch_facenet: keras.Model, slim_arrays: dict[str, Float32Array], tmp_path: Path
) -> None:
    name = "InceptionResnetV1/Conv2d_2b_3x3/BatchNorm/Const"
    arrays = with_scales(slim_arrays) | {name: np.full(64, 1.5, np.float32)}
    with pytest.raises(ModelBuildError, match=f"{name} must be 1.0 throughout"):
        fill(scratch_facenet, write_graph(arrays, tmp_path / "gamma.pb"))


# ---- facenet-pytorch


@pytest.mark.parametrize("zipped", [True, False], ids=["today's file", "before PyTorch 1.6"])
def test_facenet_pytorch_with_gammas_and_classifier(
    facenet: keras.Model,
    scratch_facenet: keras.Model,
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
    ignored = fill(scratch_facenet, path)
    assert {name for name in ignored if "num_batches" not in name} == {
        "logits.weight",
        "logits.bias",
    }
    wanted = unit_length(np.asarray(facenet(crops[:1])))
    assert greatest_difference(scratch_facenet, wanted, crops[:1]) <= 1e-5


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
    with pytest.raises(ModelBuildError, match=r"not a PyTorch file of tensors alone.*nothing"):
        read(path).read(path)
    assert not proof.exists()


def test_the_harmful_pickle_would_have_run(tmp_path: Path) -> None:
    pickle.loads(pickle.dumps(Harmful(tmp_path / "was-run")))
    assert (tmp_path / "was-run").is_dir()


# ---- Keras


def test_keras_files_of_our_graph(
    facenet: keras.Model, scratch_facenet: keras.Model, crops: Float32Array, tmp_path: Path
) -> None:
    facenet.save(tmp_path / "a.keras")
    facenet.save_weights(tmp_path / "a.weights.h5")
    for path in sorted(tmp_path.iterdir()):
        unnamed = path.rename(path.with_suffix(".bin"))  # its content says what it is
        fill(scratch_facenet, unnamed)
        for mine, theirs in zip(scratch_facenet.variables, facenet.variables, strict=True):
            np.testing.assert_array_equal(mine.numpy(), theirs.numpy())


def test_names_in_a_keras_archive_count_more_than_order() -> None:
    from facekit.graph.read.keras_archive import _groups

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
    from facekit.graph.read import keras_archive as keras_weights

    monkeypatch.setattr(keras_weights, "MAX_BYTES", 1000)
    with zipfile.ZipFile(tmp_path / "a.keras", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("config.json", "{}")
        archive.writestr("model.weights.h5", bytes(2000))
    with pytest.raises(ModelBuildError, match="2002 bytes unpacked; 1000 are allowed"):
        read(tmp_path / "a.keras").read(tmp_path / "a.keras")


# ---- all of them: missing, surplus, not finite, another shape, cut off


def write_h5(net: keras.Model, path: Path) -> Path:
    with h5py.File(path, "w") as file:
        for variable in net.variables:
            layer, leaf = variable.path.split("/")
            file[f"{layer}/{layer}/{leaf}:0"] = variable.numpy()
    return path


def change_h5(path: Path, kernel: str, change: str) -> None:
    with h5py.File(path, "a") as file:
        value = np.asarray(file[kernel])
        del file[kernel]
        if change != "missing":
            file[kernel] = changed(value, change)
        if change == "surplus":
            file["layers/conv2d_999/vars/0" if "layers" in file else "Extra/Extra/kernel:0"] = value


def changed(value: Float32Array, change: str) -> Float32Array:
    if change == "not finite":
        value = value.copy()
        value.reshape(-1)[3] = np.nan
    return value[..., :-1] if change == "shape" else value


CHANGES = {
    "missing": "lacks the tensors? {kernel}",
    "surplus": "tensors with no place in the graph: .*{extra}",
    "not finite": "{kernel} (holds values that are not finite|must be float32 and finite)",
    "shape": "{kernel}.* does not fit|of shape .* does not fit {kernel}",
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("kind", ["deepface", "keras", "torch", "graph", "checkpoint"])
def test_a_tensor_that_is_wrong_is_named(
    facenet: keras.Model,
    scratch_facenet: keras.Model,
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
        facenet.save_weights(tmp_path / "a.weights.h5")
        path = tmp_path / "a.weights.h5"
        kernel, extra = "layers/conv2d_40/vars/0", "layers/conv2d_999/vars/0"
        change_h5(path, kernel, change)
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
        fill(scratch_facenet, path)


@pytest.mark.parametrize("kind", ["deepface", "keras", "torch", "graph"])
def test_a_file_cut_off_is_refused(
    facenet: keras.Model,
    slim_arrays: dict[str, Float32Array],
    torch_arrays: dict[str, Any],
    tmp_path: Path,
    kind: str,
) -> None:
    path = tmp_path / "weights"
    if kind == "deepface":
        write_h5(facenet, path)
    elif kind == "keras":
        path = tmp_path / "a.keras"
        facenet.save(path)
    elif kind == "torch":
        write_torch(torch_arrays, path)
    else:
        write_graph(with_scales(slim_arrays), path)
    os.truncate(path, path.stat().st_size // 2)
    with pytest.raises(ModelBuildError, match=r"damaged|not a frozen|no format that facekit knows"):
        read(path).read(path)


@pytest.mark.parametrize("content", [b"", b"<html>404</html>", b"\x08\x01", bytes(2000)])
def test_what_is_no_format_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.pt").write_bytes(content)
    with pytest.raises(ModelBuildError, match=r"a\.pt is in no format that facekit knows"):
        read(tmp_path / "a.pt")
    with pytest.raises(ModelBuildError, match="is in no format that facekit knows"):
        read(tmp_path)
