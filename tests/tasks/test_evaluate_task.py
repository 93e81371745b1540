"""Evaluating and calibrating as functions: records in, records and files out."""

from __future__ import annotations

import json
import pickle
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from facekit.cli import cli
from facekit.enums import CropRule, FacePolicy
from facekit.errors import AcceleratorError, ModelMissingError, PairListError, UsageError
from facekit.evaluation.embeddings import PhotoCropper
from facekit.evaluation.protocols.data_set import open_data_set
from facekit.evaluation.protocols.plan import ThresholdOrigin
from facekit.model.card import read_card
from facekit.model.registry import DEFAULT_MODEL
from facekit.model.store import find
from facekit.photo.write import jpeg_bytes
from facekit.reporter import Reporter
from facekit.runtime.delegates import AcceleratorRequest
from facekit.tasks.calibrate import calibrate
from facekit.tasks.evaluate import EvaluationData, embed_settings, evaluate
from facekit.tasks.open_pipeline import CropChange, PipelineRequest
from tests.schemas import require_schema
from tests.small_lfw import FACELESS, home_of_its_own, make_small_lfw

pytest.importorskip("sklearn", reason="needs the evaluate extra")

CENTRAL = PipelineRequest(face=FacePolicy.CENTER)


class Notes(Reporter):
    """Keeps the lines that it is told."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def note(self, line: str) -> None:
        self.lines.append(line)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory, data: Path) -> Iterator[Path]:
    home = home_of_its_own(tmp_path_factory.mktemp("home") / "facekit")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FACEKIT_HOME", str(home))
        patch.delenv("FACEKIT_LFW", raising=False)
        yield make_small_lfw(tmp_path_factory.mktemp("small"), data)


@pytest.mark.model
def test_a_report_is_what_the_command_prints_as_json(small: Path) -> None:
    notes = Notes()
    report = evaluate([CENTRAL], EvaluationData((small,)), reporter=notes)
    assert any("is not LFW's published list" in line for line in notes.lines)
    (model,) = report.data_sets[0].models
    assert [failure.name for failure in model.failures] == [FACELESS]
    assert len(model.pairs) == 8
    assert model.throughput is not None
    assert model.throughput.workers == 1, "eleven photos do not pay for a second process"

    again = evaluate([CENTRAL], EvaluationData((small,)))
    shown = CliRunner().invoke(cli, ["eval-lfw", "--data", str(small), "--json"])
    told, expected = json.loads(shown.stdout), json.loads(json.dumps(again.to_dict()))
    require_schema("eval-lfw", told)
    same = CliRunner().invoke(cli, ["evaluate", str(small), "--json"])
    require_schema("evaluate", json.loads(same.stdout))
    assert json.loads(same.stdout)["data_sets"] == told["data_sets"]
    assert told.pop("schema_version") == 1
    assert told["command"] == f"facekit eval-lfw --data {small} --json"
    assert expected["command"] is None
    assert told["versions"]["numpy"] == np.__version__
    differing = {"created_utc": "", "command": None}
    assert told | differing == expected | differing


@pytest.mark.model
def test_workers_see_what_one_process_sees(small: Path) -> None:
    data = EvaluationData((small,))
    reports = [evaluate([CENTRAL], data, recompute=True, workers=n) for n in (1, 2)]
    runs = [report.data_sets[0].models[0] for report in reports]
    assert [run.throughput and run.throughput.workers for run in runs] == [1, 2]
    assert runs[0].pairs == runs[1].pairs
    assert [str(one.error) for one in runs[0].failures] == [
        str(one.error) for one in runs[1].failures
    ]


@pytest.mark.model
def test_which_results_are_below_an_accuracy(small: Path) -> None:
    report = evaluate([CENTRAL], EvaluationData((small,)))
    (result,) = report.data_sets[0].models
    assert result.accuracy_failures_wrong.value == 6 / 8
    assert report.below(0.75) == ()
    assert report.below(0.76) == (f"{result.model.label} on lfw",)


def test_what_cannot_be_meant_is_said_before_any_model_is_asked_for(
    small: Path, tmp_path: Path
) -> None:
    with pytest.raises(PairListError, match=r"view2 needs pairs\.txt"):
        evaluate([CENTRAL], EvaluationData((small,), protocol="view2"))
    with pytest.raises(ModelMissingError, match="No model is called"):
        evaluate([replace(CENTRAL, model="nobody")], EvaluationData((small,)))
    with pytest.raises(UsageError, match="pass one of them"):
        calibrate(CENTRAL, data=small, protocol="devtest", pairs=tmp_path / "x.csv")


@pytest.fixture(scope="module")
def packed(small: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model's own crops of devtrain's pairs, packed as insightface does."""
    data_set = open_data_set(small, protocol="devtrain")
    model = find(DEFAULT_MODEL)
    cropper = PhotoCropper(model, embed_settings(model.card, CENTRAL))
    pairs = data_set.pair_list.pairs
    crops = [
        jpeg_bytes(cropper.crop(data_set.files[photo.path])[0])
        for pair in pairs
        for photo in (pair.a, pair.b)
    ]
    path = tmp_path_factory.mktemp("packed") / "crops.bin"
    path.write_bytes(pickle.dumps((crops, [pair.same for pair in pairs])))
    return path


@pytest.mark.model
def test_several_data_sets_are_in_one_report_and_crops_are_used_whole(
    small: Path, packed: Path, tmp_path: Path
) -> None:
    pytest.importorskip("matplotlib", reason="needs the plot extra")
    listed = tmp_path / "own.csv"
    photos = [f"Barack_Obama/Barack_Obama_000{number}.jpg" for number in (1, 2)]
    biden = "Joe_Biden/Joe_Biden_0001.jpg"
    lines = ("img1;img2;label", ";".join((*photos, "1")), f"{photos[0]};{biden};0")
    listed.write_text("\n".join(lines))
    output = tmp_path / "report"
    data = EvaluationData((packed, listed), photos_dir=small)
    first, second = evaluate([CENTRAL], data, output=output, workers=2).data_sets
    assert (first.dataset, first.list_name) == ("crops", "crops.bin")
    assert "the whole photo" in first.models[0].model.profile
    assert any("cut for other models" in note for note in first.notes)
    assert first.models[0].threshold_origin is ThresholdOrigin.SAME_PAIRS
    assert first.models[0].accuracy.value == 1  # devtrain has no fault
    assert (second.dataset, second.list_name) == ("lfw", "own.csv")
    assert second.models[0].threshold_origin is ThresholdOrigin.CARD
    assert second.models[0].accuracy.value == 1
    assert not any("cut for other models" in note for note in second.notes)
    names = {path.name for path in output.iterdir()}
    assert names >= {"report.html", "pairs.csv", "pairs-2.csv", "roc.png", "roc-2.png"}
    again = evaluate([CENTRAL], replace(data, sources=(output / "pairs-2.csv",)))
    assert [one.similarity for one in again.data_sets[0].models[0].pairs] == [
        one.similarity for one in second.models[0].pairs
    ]


@pytest.mark.model
def test_the_similarities_of_packed_crops_are_those_of_the_photos(
    small: Path, packed: Path
) -> None:
    photos = evaluate([CENTRAL], EvaluationData((small,), protocol="devtrain"))
    crops = evaluate([CENTRAL], EvaluationData((packed,)))
    for one, other in zip(
        photos.data_sets[0].models[0].pairs, crops.data_sets[0].models[0].pairs, strict=True
    ):
        assert one.similarity == pytest.approx(other.similarity, abs=0.03)  # JPEG alone
        assert one.same is other.same


@pytest.mark.model
def test_crops_are_calibrated_by_a_crop_rule_that_is_named(packed: Path) -> None:
    with pytest.raises(UsageError, match="Pass --crop none"):
        calibrate(CENTRAL, data=packed, fmr=(0.2,))
    whole = replace(CENTRAL, crop=CropChange(rule=CropRule.NONE))
    assert calibrate(whole, data=packed, fmr=(0.5,)).result.people_count is None


@pytest.mark.model
def test_an_accelerator_is_used_by_one_process(small: Path) -> None:
    request = replace(CENTRAL, accelerator=AcceleratorRequest(delegate=Path("none.so")))
    with pytest.raises(UsageError, match="used by one process"):
        evaluate([request], EvaluationData((small,)), workers=2)
    with pytest.raises(AcceleratorError):
        evaluate([request], EvaluationData((small,)), recompute=True)


@pytest.mark.model
def test_a_calibration_goes_into_the_card_and_a_file_and_is_the_commands_json(
    small: Path, tmp_path: Path
) -> None:
    source = find(DEFAULT_MODEL).path
    for path in (source, source.with_suffix(".json")):
        shutil.copy(path, tmp_path)
    model = tmp_path / source.name
    request = replace(CENTRAL, model=str(model))
    before = model.with_suffix(".json").read_bytes()
    options = ("calibrate", "--data", str(small), "--fmr", "0.2", "--model", str(model), "--json")
    shown = json.loads(CliRunner().invoke(cli, options).stdout)
    require_schema("calibrate", shown)
    assert model.with_suffix(".json").read_bytes() == before

    output = tmp_path / "calibration.json"
    done = calibrate(request, data=small, fmr=(0.2,), write=True, output=output)
    assert done.written
    told = json.loads(json.dumps(done.to_dict()))
    assert told["output"] == str(output)
    assert told | {"written": False, "output": None} == {
        key: value for key, value in shown.items() if key != "schema_version"
    }
    point = read_card(model.with_suffix(".json")).calibration.operating_point("fmr=2e-1")
    assert point == done.result.calibration.operating_point("fmr=2e-1")
    assert json.loads(output.read_text())["model_sha256"] == done.card.file_sha256
    assert len(repr(done)) < 100
