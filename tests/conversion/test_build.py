"""Building as a whole: files, cards, self-test, and what a failure leaves."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from facekit.conversion.build import build_files
from facekit.conversion.self_test import self_test
from facekit.conversion.source_inference import graph_inference
from facekit.errors import ModelBuildError
from facekit.graph.graph import Graph
from facekit.model import installation, registry, store
from facekit.model.card import Task, read_card
from facekit.model.shipped_calibrations import shipped_calibration
from facekit.runtime.litert import LiteRtNet
from facekit.types import Float32Array
from tests.told import Told

NETS = ("pnet", "rnet", "onet")


def build(name: str, source: Path, into: Path) -> list[str]:
    """Builds, and returns what was said on the way."""
    told = Told()
    build_files(registry.entry(name), [source], into, reporter=told)
    return told.notes


def test_building_again_gives_equal_files(
    detector_files: dict[str, Path], wheel: Path, tmp_path: Path
) -> None:
    said = build("mtcnn", wheel, tmp_path)
    earlier, later = (
        {path.name: path.read_bytes() for path in folder.iterdir()}
        for folder in (detector_files["pnet"].parent, tmp_path)
    )
    assert earlier == later
    suffixes = (".tflite", ".json")
    assert set(later) == {f"mtcnn_{net}{suffix}" for net in NETS for suffix in suffixes}
    assert said == [f"reading {wheel.name}", *(f"converting {net} to LiteRT" for net in NETS)]


def test_the_card_describes_the_file(facenet_file: Path) -> None:
    entry = registry.entry("facenet512-casia")
    card = store.load_checked(facenet_file, read_all=True).card
    assert (card.name, card.variant, card.task) == (entry.name, "float32", Task.EMBEDDING)
    assert card.architecture == "inception-resnet-v1"
    assert (card.source, card.input, card.crop) == (
        entry.source,
        entry.card.input,
        entry.card.crop,
    )
    assert card.embedding_size == 512
    assert set(card.tools) == {"facekit", "flatbuffers"}


def test_each_net_of_the_detector_has_its_own_card(detector_files: dict[str, Path]) -> None:
    cards = [read_card(detector_files[net].with_suffix(".json")) for net in NETS]
    assert [card.architecture for card in cards] == ["mtcnn-pnet", "mtcnn-rnet", "mtcnn-onet"]
    assert [card.input.height_px for card in cards] == [12, 24, 48]
    assert {card.task for card in cards} == {Task.DETECTION}


def test_a_failed_self_test_leaves_the_store_as_it_was(
    wheel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import facekit.graph.probe

    golden = json.loads(facekit.graph.probe._FILE.read_text())
    sha256 = registry.entry("mtcnn").source.sha256
    boxes = golden[sha256]["pnet"][0]
    boxes["values"] = " ".join(str(float(value) + 0.001) for value in boxes["values"].split())
    changed = tmp_path / "golden.json"
    changed.write_text(json.dumps(golden))
    monkeypatch.setattr(facekit.graph.probe, "_FILE", changed)
    monkeypatch.setenv("FACEKIT_HOME", str(tmp_path / "home"))

    with pytest.raises(ModelBuildError, match=r"mtcnn_pnet\.tflite and its golden value do not"):
        installation.install("mtcnn", lambda folder: build("mtcnn", wheel, folder) and None)
    assert list(store.models_folder().iterdir()) == []


def test_weights_without_golden_value_are_said_to_be(facenet: Graph, facenet_file: Path) -> None:
    card = read_card(facenet_file.with_suffix(".json"))
    unknown = replace(card, source=replace(card.source, sha256="0" * 64))
    told = Told()
    answers = graph_inference(facenet)
    self_test(facenet.name, facenet_file, card, run_source=answers, reporter=told)
    assert told.notes == []
    self_test(facenet.name, facenet_file, unknown, run_source=answers, reporter=told)
    assert told.notes == [
        "no output of facenet512-casia is known to compare with: tested against its graph only"
    ]


def test_a_file_that_nothing_can_vouch_for_is_refused(facenet_file: Path) -> None:
    card = read_card(facenet_file.with_suffix(".json"))
    unknown = replace(card, source=replace(card.source, sha256="0" * 64))
    with pytest.raises(ModelBuildError, match="cannot be tested: what weights of sha256 0000"):
        self_test("inception_resnet_v1", facenet_file, unknown, run_source=None)


def test_a_file_of_other_weights_fails_the_self_test(facenet_file: Path) -> None:
    card = read_card(facenet_file.with_suffix(".json"))

    def others(pictures: Float32Array) -> list[Float32Array]:
        (answer,) = LiteRtNet(facenet_file).run(pictures)
        return [answer[:, ::-1]]

    with pytest.raises(ModelBuildError, match="and the graph it was made from do not agree"):
        self_test("inception_resnet_v1", facenet_file, card, run_source=others)


def test_another_input_size_is_refused(frozen_graph: Path, tmp_path: Path) -> None:
    entry = registry.entry("facenet512-casia")
    small = replace(entry.card, input=replace(entry.card.input, height_px=112))
    with pytest.raises(ModelBuildError, match=r"160 x 160 pixels\. Received: 112 x 160"):
        build_files(replace(entry, card=small), [frozen_graph], tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_one_source_is_needed(tmp_path: Path) -> None:
    with pytest.raises(
        ModelBuildError, match=r"mtcnn is built from 1 source file\(s\)\. Received: 0"
    ):
        build_files(registry.entry("mtcnn"), [], tmp_path)


def test_the_bytes_are_those_that_the_shipped_calibration_was_measured_on(
    facenet_file: Path, sface_file: Path
) -> None:
    """On every machine; other bytes need scripts/calibrations.sh."""
    for file in (facenet_file, sface_file):
        card = read_card(file.with_suffix(".json"))
        shipped = shipped_calibration(card.name, "float32")
        assert shipped is not None
        assert card.file_sha256 == shipped.model_sha256


def test_pixels_are_scaled_by_the_card_as_the_onnx_file_itself_does(
    sface_source: Path, tmp_path: Path
) -> None:
    entry = registry.entry("sface")
    other = replace(entry.card, input=replace(entry.card.input, mean=127.0))
    with pytest.raises(
        ModelBuildError, match=r"subtracts 127\.5 .* by 128\. Received: 127 and 128"
    ):
        build_files(replace(entry, card=other), [sface_source], tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_an_embedding_of_another_length_than_the_card_says_is_refused(
    frozen_graph: Path, tmp_path: Path
) -> None:
    entry = registry.entry("facenet512-casia")
    short = replace(entry.card, embedding_size=128)
    with pytest.raises(
        ModelBuildError, match=r"must give 128 numbers\. Received: shape \(1, 512\)"
    ):
        build_files(replace(entry, card=short), [frozen_graph], tmp_path)
