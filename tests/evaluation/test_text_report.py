"""An evaluation as text."""

from __future__ import annotations

from dataclasses import replace

from facekit.cli.render.evaluation import report_text
from facekit.cli.render.table import WIDTH
from facekit.evaluation.protocols.plan import ThresholdOrigin
from facekit.evaluation.records import DataSetReport
from tests.evaluation.made_up_photos import whole


def test_models_that_do_not_fit_beside_each_other_follow_below(made_up: DataSetReport) -> None:
    text = report_text(whole(replace(made_up, models=made_up.models * 3)))
    lines = text.splitlines()
    assert max(map(len, lines)) <= WIDTH
    assert sum(line.startswith("accuracy  ") for line in lines) == 6


def test_the_list_that_chose_the_threshold_is_named(made_up: DataSetReport) -> None:
    model = replace(made_up.models[0], threshold_origin=ThresholdOrigin.OTHER_LIST)
    report = replace(made_up, models=(model,), threshold_list_name="pairsDevTrain.txt")
    (line,) = [line for line in report_text(whole(report)).splitlines() if "chosen on" in line]
    assert line.split()[2:] == ["pairsDevTrain.txt"]
