"""wy1iu's and clcarwin's files into our graph: against PyTorch's forward pass, and refusals."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from facekit.conversion.drift import Drift
from facekit.errors import ModelBuildError
from facekit.graph.graph import Graph
from facekit.graph.read.caffe_model import is_caffe_model, read_caffe_model
from facekit.graph.read.formats import find_format
from facekit.graph.read.sphereface import (
    build_network,
    caffe_name,
    is_sphereface_caffe,
    is_sphereface_pytorch,
    read_sphereface_caffe,
    read_sphereface_pytorch,
)
from facekit.types import Float32Array
from tests.networks import sphereface_files as files
from tests.networks.run_graph import answers

# PyTorch and facekit's graph on random pictures and weights: 3e-6 of vectors as long as 30.
MAX_DIFFERENCE = 1e-4


@pytest.fixture(scope="module")
def tensors() -> files.Tensors:
    return files.random_tensors()


@pytest.fixture(scope="module")
def pictures() -> Float32Array:
    random = np.random.default_rng(3)
    return np.asarray(random.uniform(-1, 1, (3, 112, 96, 3)), np.float32)


@pytest.fixture(scope="module")
def expected(tensors: files.Tensors, pictures: Float32Array) -> Float32Array:
    pytest.importorskip("torch")
    return np.asarray(files.embed_by_torch(tensors, pictures))


@pytest.mark.parametrize("old", [False, True], ids=["layer", "layers"])
def test_a_caffe_model_embeds_as_pytorch_does(
    tensors: files.Tensors,
    pictures: Float32Array,
    expected: Float32Array,
    tmp_path: Path,
    old: bool,
) -> None:
    path = tmp_path / "sphereface_model.caffemodel"
    with_head = {**tensors, "fc6.weight": np.ones((512, 7), np.float32)}
    path.write_bytes(files.caffe_model(with_head, old=old))
    assert is_sphereface_caffe(path)
    read = read_sphereface_caffe(path)
    assert read.ignored == ("fc6[0]",)
    np.testing.assert_allclose(answers(read.graph, pictures), expected, atol=MAX_DIFFERENCE)
    # Distinct pictures, so that a net answering the same to all would not pass.
    assert np.abs(expected[0] - expected[1]).max() > 1000 * MAX_DIFFERENCE


def test_a_pytorch_file_embeds_as_pytorch_does(
    tensors: files.Tensors,
    pictures: Float32Array,
    expected: Float32Array,
    tmp_path: Path,
) -> None:
    import torch

    path = tmp_path / "sphere20a.pth"
    state = {name: torch.from_numpy(tensor) for name, tensor in tensors.items()}
    # as clcarwin saved it: PyTorch's format of 2017
    torch.save(
        {**state, "fc6.weight": torch.ones(512, 7)}, path, _use_new_zipfile_serialization=False
    )
    assert is_sphereface_pytorch(path)
    read = read_sphereface_pytorch(path)
    assert read.ignored == ("fc6.weight",)
    np.testing.assert_allclose(answers(read.graph, pictures), expected, atol=MAX_DIFFERENCE)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"conv2_3[0]": None}, r"lacks the tensor conv2_3\[0\]"),
        ({"relu4_3[0]": None}, r"lacks the tensor relu4_3\[0\]"),
        ({"conv5_1[0]": np.ones(3, np.float32)}, r"no place in the graph: conv5_1\[0\]"),
        ({"relu3_2[0]": np.full(256, np.nan, np.float32)}, r"relu3_2\[0\] holds values that are"),
        ({"conv1_1[0]": np.ones((64, 1, 3, 3), np.float32)}, r"conv1_1\[0\] does not fit conv1_1"),
        ({"fc5[0]": np.ones((512, 512), np.float32)}, r"fc5\[0\] does not fit fc5/kernel"),
        ({"relu1_1[0]": np.ones((), np.float32)}, r"relu1_1\[0\] does not fit relu1_1/alpha"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(
    tensors: files.Tensors,
    change: dict[str, Any],
    complaint: str,
) -> None:
    with pytest.raises(ModelBuildError, match=complaint):
        _of_caffe(tensors, change)


SMALL: dict[str, Any] = {
    "relu1_1.weight": np.arange(3, dtype=np.float32),
    "fc5.weight": np.ones((2, 5), np.float32),
    "fc5.bias": np.array([0.5, 0.25]),  # of a net trained in double precision
}


@pytest.mark.parametrize("old", [False, True])
def test_a_caffe_models_tensors_by_place(tmp_path: Path, old: bool) -> None:
    path = tmp_path / "small.caffemodel"
    path.write_bytes(files.caffe_model(SMALL, old=old))
    read = read_caffe_model(path)
    assert {name: (one.shape, one.dtype.name) for name, one in read.items()} == {
        "relu1_1[0]": ((3,), "float32"),
        "fc5[0]": ((2, 5), "float32"),
        "fc5[1]": ((2,), "float32"),
    }
    assert read["relu1_1[0]"].tolist() == [0, 1, 2]
    assert read["fc5[1]"].tolist() == [0.5, 0.25]


def test_a_truncated_caffe_model_is_refused_wherever_it_ends(tmp_path: Path) -> None:
    whole = files.caffe_model(SMALL)
    path = tmp_path / "cut.caffemodel"
    for end in range(len(whole)):
        path.write_bytes(whole[:end])
        is_caffe_model(path, with_layer="relu1_1")  # does not raise
        with pytest.raises(ModelBuildError, match=r"cut.caffemodel"):
            read_sphereface_caffe(path)


def test_a_shape_that_its_numbers_do_not_fill_is_refused(tmp_path: Path) -> None:
    data = files.member(5, np.ones(6, "<f4").tobytes())
    path = tmp_path / "odd.caffemodel"
    for shape in ((7,), (2, 2), (1 << 40, 1 << 40), (0, 6)):
        sides = files.member(7, files.member(1, b"".join(map(files.varint, shape))))
        layer = files.member(1, b"relu1_1") + files.member(7, data + sides)
        path.write_bytes(files.member(100, layer))
        with pytest.raises(ModelBuildError, match=r"relu1_1\[0\] must have as many elements"):
            read_caffe_model(path)


def test_the_published_formats_are_known_by_their_content(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    path = tmp_path / "weights"
    path.write_bytes(files.caffe_model(SMALL))
    assert find_format(path).title == "SphereFace's Caffe model"
    for zipped in (False, True):
        torch.save(
            {name: torch.from_numpy(one) for name, one in SMALL.items()},
            path,
            _use_new_zipfile_serialization=zipped,
        )
        assert find_format(path).title == "sphereface_pytorch's state_dict"
    torch.save({"conv2d_1a.conv.weight": torch.ones(3)}, path)
    assert find_format(path).title == "facenet-pytorch's state_dict"


@pytest.mark.slow
def test_an_imported_model_is_quantized_and_runs_on_the_npu(
    tensors: files.Tensors, data: Path, tmp_path: Path
) -> None:
    from facekit.conversion.conversion import convert
    from facekit.conversion.import_options import ImportOptions
    from facekit.conversion.import_weights import import_weights
    from facekit.conversion.plan import ConversionPlan
    from facekit.conversion.quantize.recipe import read_recipe
    from facekit.conversion.vela.target import read_target
    from facekit.model.card import embedder_of
    from facekit.runtime.litert import LiteRtNet

    source = tmp_path / "sphereface_model.caffemodel"
    source.write_bytes(files.caffe_model(tensors))
    (tmp_path / "made").mkdir()
    imported = import_weights(source, "sphere", ImportOptions(), tmp_path / "made")
    card = imported.model.card
    assert (card.flip.value, card.embedding_size, card.output_size) == ("concat", 1024, 512)
    assert card.input.color_order.value == "bgr"
    recipes = [read_recipe(name) for name in ("weight_only_wf16_afp32", "static_wi8_ai8_iu8")]
    half, quarter, compiled = convert(
        imported.model,
        ConversionPlan(tuple(recipes), targets=(read_target("imx93"),)),
        tmp_path / "out",
    ).files
    assert isinstance(half.drift, Drift)
    assert half.drift.minimum > 0.9999
    assert isinstance(quarter.drift, Drift)
    assert quarter.drift.mean > 0.99  # 0.998 with these weights
    assert quarter.card.flip is card.flip
    crops = np.zeros((2, 112, 96, 3), np.uint8)
    assert embedder_of(LiteRtNet(quarter.path), quarter.card).embed(crops).shape == (2, 1024)
    assert compiled.compiled is not None
    assert compiled.compiled.report.npu_share >= 0.95


def test_other_files_are_no_caffe_models(tmp_path: Path, data: Path) -> None:
    for content in (b"", b"\x0a", b"relu1_1", b"\xff" * 40 + b"relu1_1", b"\x08\x07relu1_1"):
        (tmp_path / "other").write_bytes(content)
        assert not is_sphereface_caffe(tmp_path / "other")
    assert not is_sphereface_caffe(data / "obama.jpg")


class _Run:
    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.mkdir, ("pickled-code-was-run",)


def test_pickled_code_is_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch = pytest.importorskip("torch")
    monkeypatch.chdir(tmp_path)
    torch.save({"relu1_1.weight": torch.ones(64), "fc5.weight": _Run()}, tmp_path / "zipped.pth")
    (tmp_path / "plain.pth").write_bytes(pickle.dumps({"relu1_1.weight": _Run()}))
    for name in ("zipped.pth", "plain.pth"):
        with pytest.raises(ModelBuildError, match="as a PyTorch file of tensors alone"):
            read_sphereface_pytorch(tmp_path / name)
    assert not (tmp_path / "pickled-code-was-run").exists()


def _of_caffe(tensors: files.Tensors, change: dict[str, Any]) -> Graph:
    """As read_sphereface_caffe's, without a file of 90 MB; a change to None takes a tensor out."""
    named = {
        f"{name.partition('.')[0]}[{int(name.endswith('.bias'))}]": tensor
        for name, tensor in tensors.items()
    }
    named |= change
    kept = {name: tensor for name, tensor in named.items() if tensor is not None}
    return build_network(kept, caffe_name, origin="sphereface.caffemodel").graph
