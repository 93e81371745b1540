"""Whole networks become models: fed as they are meant to be and checked, or refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from facekit.conversion.import_options import ImportedModel, ImportOptions
from facekit.conversion.preprocessing import SYSTEM_PREPROCESSING, resolve_input
from facekit.enums import Architecture, ColorOrder, CropRule, Flip, Preprocessing, ResizeFilter
from facekit.errors import MissingExtraError, ModelBuildError, UsageError
from facekit.model import store
from facekit.tasks.import_model import import_model
from facekit.types import CropSpec, InputSpec
from tests.networks.own_networks import (
    EMBEDDING_SIZE,
    OWN_NETWORKS,
    SIDE_PX,
    Writer,
    hardswish_se,
    mobilefacenet,
    normalized,
    resnet_ir,
)
from tests.told import Told

onnx = pytest.importorskip("onnx", reason="no onnx: pip install '.[convert]'")
pytest.importorskip("onnxruntime", reason="no onnxruntime: pip install '.[convert]'")

UNTRAINED = ImportOptions(preprocessing=Preprocessing.INSIGHTFACE, accept_untrained=True)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty store."""
    monkeypatch.setenv("FACEKIT_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def imported(path: Path, **options: Any) -> ImportedModel:
    made = import_model(path, **options)
    assert isinstance(made, ImportedModel)
    return made


def nothing_is_left(home: Path) -> bool:
    return not [path for path in home.rglob("*") if path.is_file() and path.parent.name != "locks"]


# ---- how a network is fed


@pytest.mark.parametrize(
    ("size", "system"),
    [
        ((112, 112), Preprocessing.INSIGHTFACE),
        ((160, 160), Preprocessing.FACENET),
        ((112, 96), Preprocessing.SPHEREFACE),
    ],
)
def test_the_size_of_the_picture_tells_the_system(
    size: tuple[int, int], system: Preprocessing
) -> None:
    fed, usual = resolve_input(size, None, ImportOptions()), SYSTEM_PREPROCESSING[system]
    assert fed.source == fed.card
    assert fed.card == InputSpec(*size, usual.color_order, usual.mean, usual.std)
    assert (fed.crop, fed.flip) == (usual.crop, usual.flip)


def test_another_size_tells_nothing() -> None:
    with pytest.raises(UsageError, match=r"64 x 48 are no known system's.*--preprocessing"):
        resolve_input((64, 48), None, ImportOptions())
    said = ImportOptions(color_order=ColorOrder.BGR, scaling=(1.0, 2.0))
    fed = resolve_input((64, 48), None, said)
    assert fed.card == InputSpec(64, 48, ColorOrder.BGR, 1.0, 2.0)


def test_what_is_said_comes_before_what_is_usual() -> None:
    crop = CropSpec(CropRule.NONE, 0.0, ResizeFilter.BILINEAR)
    said = ImportOptions(
        preprocessing=Preprocessing.DEEPFACE,
        color_order=ColorOrder.RGB,
        scaling=(100.0, 50.0),
        crop=crop,
        flip=Flip.SUM,
    )
    fed = resolve_input((112, 112), None, said)
    assert fed.card == InputSpec(112, 112, ColorOrder.RGB, 100.0, 50.0)
    assert (fed.crop, fed.flip) == (crop, Flip.SUM)
    sphere = resolve_input((112, 112), None, ImportOptions(architecture=Architecture.SPHEREFACE20))
    assert (sphere.card.color_order, sphere.flip) == (ColorOrder.BGR, Flip.CONCAT)


def test_a_scaling_of_pixels_in_the_file_stands_for_the_systems() -> None:
    for preprocessing in (None, *Preprocessing):
        fed = resolve_input((112, 112), (127.5, 128.0), ImportOptions(preprocessing=preprocessing))
        assert (fed.source.mean, fed.source.std) == (0.0, 1.0)
        assert (fed.card.mean, fed.card.std) == (127.5, 128.0)


def test_two_scalings_after_each_other_are_one() -> None:
    """(x / 255 - 0.5) / 0.25 is (x - 127.5) / 63.75."""
    said = ImportOptions(preprocessing=Preprocessing.DEEPFACE)
    fed = resolve_input((112, 112), (0.5, 0.25), said)
    assert (fed.source.mean, fed.source.std) == (0.0, 255.0)
    assert (fed.card.mean, fed.card.std) == (127.5, 63.75)


# ---- what is made


@pytest.mark.parametrize("kind", OWN_NETWORKS)
def test_onnx_and_litert_give_one_model(tmp_path: Path, kind: str) -> None:
    source = OWN_NETWORKS[kind](tmp_path / "mine.bin")  # what a file is, its content says
    first = imported(source, name="mine", options=UNTRAINED)
    assert first.difference is not None
    assert first.difference <= 1e-5
    card = store.find("mine").card
    assert (card.input.height_px, card.input.width_px) == (SIDE_PX, SIDE_PX)
    assert (card.embedding_size, card.source.title) == (EMBEDDING_SIZE, "ONNX model: mine.bin")
    again = imported(first.model.path, name="again", options=UNTRAINED)
    assert again.format.title == "LiteRT model"
    assert again.difference is not None
    assert again.difference <= 1e-6
    assert again.model.card.embedding_size == EMBEDDING_SIZE


def test_a_files_own_scaling_and_unit_length_are_told_and_left_to_facekit(tmp_path: Path) -> None:
    told = Told()
    made = imported(
        normalized(tmp_path / "mine.onnx"),
        name="mine",
        options=replace(UNTRAINED, preprocessing=None),
        reporter=told,
    )
    assert (made.model.card.input.mean, made.model.card.input.std) == (127.5, 128.0)
    assert any("scales its input itself, (x - 127.5) / 128" in note for note in told.notes)
    assert any("gives embeddings unit length in its last step" in note for note in told.notes)
    from facekit.graph.inspect.litert import inspect_litert

    kinds = {one.name for one in inspect_litert(made.model.path).operators}
    assert kinds.isdisjoint({"SUB", "MUL", "L2_NORMALIZATION"})


def test_open_sides_take_the_size_that_is_given(tmp_path: Path) -> None:
    w = Writer(5)
    x = w.op("Relu", w.norm(w.convolution("picture", 3, 16, stride=2), 16))
    path = w.save(
        tmp_path / "open.onnx", w.head(w.op("GlobalAveragePool", x), 16), sides=("h", "w")
    )
    with pytest.raises(ModelBuildError, match="size of the image"):
        imported(path, name="mine", options=replace(UNTRAINED, preprocessing=Preprocessing.RAW))
    sized = replace(UNTRAINED, size=(40, 56), preprocessing=Preprocessing.RAW)
    spec = imported(path, name="mine", options=sized).model.card.input
    assert (spec.height_px, spec.width_px) == (40, 56)
    usual = imported(path, name="mine", options=UNTRAINED, force=True).model.card.input
    assert (usual.height_px, usual.width_px) == (112, 112)


def test_a_size_that_is_not_the_files_is_refused(tmp_path: Path) -> None:
    path = mobilefacenet(tmp_path / "mine.onnx")
    with pytest.raises(UsageError, match=r"expects images of 48 x 48.*--size 112x112"):
        imported(path, name="mine", options=replace(UNTRAINED, size=(112, 112)))


# ---- whether it tells faces apart


def test_a_network_that_does_not_tell_faces_apart_is_refused_with_the_numbers(
    tmp_path: Path, home: Path
) -> None:
    """Random weights tell nothing apart but by chance; this seed's do when fed with raw pixels."""
    path = resnet_ir(tmp_path / "mine.onnx")
    options = replace(UNTRAINED, accept_untrained=False)
    with pytest.raises(ModelBuildError) as caught:
        imported(path, name="mine", options=options)
    said = str(caught.value)
    assert "cosine 0.497 for one person, 0.578 for two, and a difference of 0.05" in said
    assert "Check --color-order, --mean and --std, --crop" in said
    assert "--accept-untrained" in said
    assert "--preprocessing raw: 0.818 for one person, 0.731 for two" in said
    assert nothing_is_left(home)
    raw = replace(options, preprocessing=Preprocessing.RAW)
    made = imported(path, name="mine", options=raw)
    assert made.faces is not None
    assert made.faces.tells_apart


def test_a_system_whose_way_tells_faces_further_apart_is_told(tmp_path: Path) -> None:
    """Here by chance: of a network that is trained it is a wrong order of colors, or scaling."""
    told = Told()
    options = ImportOptions(preprocessing=Preprocessing.SPHEREFACE)
    imported(normalized(tmp_path / "mine.onnx"), name="mine", options=options, reporter=told)
    assert (
        "cosine similarity of the faces that ship with facekit: 0.820 for one person, 0.729"
        in str(told.notes)
    )
    assert "--preprocessing deepface tells the faces further apart: 0.757 for one" in str(
        told.notes
    )


def flattened(edit: Callable[[Any], None], path: Path) -> Path:
    """A sound network with its constants changed by name."""
    mobilefacenet(path)
    model = onnx.load(path)
    edit(model.graph)
    onnx.save(model, path)
    return path


def zero_head(graph: Any) -> None:
    """The last convolution's kernel: what is left is the batch norm's offset."""
    convolution = [node for node in graph.node if node.op_type == "Conv"][-1]
    for tensor in graph.initializer:
        if tensor.name == convolution.input[1]:
            zeros = np.zeros(tuple(tensor.dims), np.float32)
            tensor.CopyFrom(onnx.numpy_helper.from_array(zeros, tensor.name))


def test_a_constant_output_is_refused_even_of_random_weights(tmp_path: Path, home: Path) -> None:
    path = flattened(zero_head, tmp_path / "mine.onnx")
    with pytest.raises(ModelBuildError, match="gives three faces one embedding"):
        imported(path, name="mine", options=UNTRAINED)
    assert nothing_is_left(home)


def test_what_answers_otherwise_than_its_source_is_refused(
    tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if the writer made a mistake."""
    from facekit.conversion import import_network
    from facekit.graph.write.litert import to_litert

    other = hardswish_se(tmp_path / "other.onnx")
    from facekit.graph.read.onnx_graph import read_onnx_graph

    graph = read_onnx_graph(other, name="other")
    monkeypatch.setattr(import_network, "to_litert", lambda _: to_litert(graph))
    with pytest.raises(ModelBuildError, match=r"does not answer as the file itself.*1e-05 allowed"):
        imported(mobilefacenet(tmp_path / "mine.onnx"), name="mine", options=UNTRAINED)
    assert nothing_is_left(home)


def test_without_onnx_runtime_the_extra_is_named(
    tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(MissingExtraError, match=r"facekit-cli\[convert\]"):
        imported(mobilefacenet(tmp_path / "mine.onnx"), name="mine", options=UNTRAINED)
    assert nothing_is_left(home)


def test_a_quantized_litert_file_is_refused_with_what_to_do(tmp_path: Path, data: Path) -> None:
    with pytest.raises(
        ModelBuildError, match=r"is quantized.*float32.*facekit convert NAME --int8"
    ):
        imported(data / "tiny" / "int8.tflite", name="mine", options=UNTRAINED)
