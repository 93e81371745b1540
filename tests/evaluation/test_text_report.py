"""An evaluation as text."""

from __future__ import annotations

from dataclasses import replace

from facekit.cli.render.evaluation import report_text
from facekit.cli.render.table import WIDTH
from facekit.evaluation.protocols.plan import ThresholdOrigin
from facekit.evaluation.records import DataSetReport
from tests.evaluation.conftest import HOSTILE
from tests.evaluation.made_up_photos import whole


def test_models_that_do_not_fit_beside_each_other_follow_below(made_up: DataSetReport) -> None:
    text = report_text(whole(replace(made_up, models=made_up.models * 3)))
    lines = text.splitlines()
    assert max(map(len, lines)) <= WIDTH
    assert sum(line.startswith("accuracy  ") for line in lines) == 6


def test_identification_has_rows_of_closed_and_open_set(identified: DataSetReport) -> None:
    text = report_text(whole(replace(identified, models=identified.models[:1])))
    found = identified.models[0].identification
    assert found is not None
    for row in ("all enrolled", "  rank 5", "  margin", "20 enrolled", "30 enrolled"):
        assert f"\n{row} " in text
    (point,) = [one for one in found.open_sets[0].fnir if one.fpir == 0.1]
    line = next(one for one in text.splitlines() if one.startswith("  at FPIR 0.1 "))
    assert f"FNIR {point.fnir:.2%} (" in line


def test_groups_have_a_row_each_and_no_claim(identified: DataSetReport) -> None:
    text = report_text(whole(identified))
    assert text.count("These figures do not show that a system is fair.") == 2
    assert text.count("Groups by facenet") == 2
    lines = text.splitlines()
    assert [line for line in lines if len(line) > WIDTH and HOSTILE not in line] == []


def test_the_list_that_chose_the_threshold_is_named(made_up: DataSetReport) -> None:
    model = replace(made_up.models[0], threshold_origin=ThresholdOrigin.OTHER_LIST)
    report = replace(made_up, models=(model,), threshold_list_name="pairsDevTrain.txt")
    (line,) = [line for line in report_text(whole(report)).splitlines() if "chosen on" in line]
    assert line.split()[2:] == ["pairsDevTrain.txt"]
