"""The records' JSON and CSV, and the summary that fills them."""

import csv
import io
import json
from dataclasses import replace

import numpy as np
import pytest

from facekit.errors import InputError
from facekit.evaluation.protocols.pairs import Pair, PairList, Photo
from facekit.evaluation.protocols.plan import ThresholdOrigin
from facekit.evaluation.records import (
    DataSetReport,
    ModelIdentity,
    ScoredPair,
    rate,
)
from facekit.evaluation.report.files import pairs_csv, report_json
from facekit.evaluation.summary import compare, summarize
from tests.evaluation.conftest import HOSTILE
from tests.evaluation.made_up_photos import whole
from tests.schemas import require_schema

IDENTITY = ModelIdentity("m", "float32", "0" * 64, 1, "as it is")


def test_searches_and_groups_are_as_the_schema_says(identified: DataSetReport) -> None:
    report = json.loads(report_json(whole(identified)))
    require_schema("evaluate", report)
    (first, _) = report["data_sets"][0]["models"]
    assert {one["group"] for one in first["groups"]["groups"]} == {HOSTILE, "b", "c"}
    assert first["identification"]["open_sets"][1]["people_count"] == 30


def hand_made_list(*, named: bool = True) -> PairList:
    """Two folds of one genuine and one impostor pair."""
    names = "AABCAABC" if named else [None] * 8
    photos = [Photo(f"{index}.jpg", name) for index, name in enumerate(names)]
    pairs = [Pair(photos[2 * k], photos[2 * k + 1], same=k % 2 == 0, line=k + 2) for k in range(4)]
    return PairList("hand-made", (tuple(pairs[:2]), tuple(pairs[2:])), "0" * 32)


def test_summary_by_hand() -> None:
    result = summarize(
        IDENTITY,
        hand_made_list(),
        np.array([0.9, 0.6, np.nan, 0.1]),
        fold_threshold_similarities=(0.5, 0.4),
        threshold_origin=ThresholdOrigin.OTHER_FOLDS,
        tar_targets=(0.5,),
    )
    assert (result.accuracy.event_count, result.accuracy.trial_count) == (2, 3)
    assert (
        result.accuracy_failures_wrong.event_count,
        result.accuracy_failures_wrong.trial_count,
    ) == (
        2,
        4,
    )
    assert (result.fmr.event_count, result.fmr.trial_count) == (1, 2)
    assert (result.fnmr.event_count, result.fnmr.trial_count) == (0, 1)
    assert result.fold_accuracies == (0.5, 1.0)
    assert result.auc == 1.0
    assert result.eer == 0.0
    assert result.tar_at_fmr[0].tar is None  # two impostor pairs cannot carry an FMR of 0.5
    assert [pair.called_same for pair in result.pairs] == [True, True, None, False]
    assert [pair.fold for pair in result.pairs] == [1, 1, 2, 2]
    assert result.accuracy_ci95_by_identity is not None


def test_no_bootstrap_over_people_without_names() -> None:
    result = summarize(
        IDENTITY,
        hand_made_list(named=False),
        np.array([0.9, 0.6, 0.8, 0.1]),
        fold_threshold_similarities=(0.5, 0.5),
        threshold_origin=ThresholdOrigin.FIXED,
    )
    assert result.accuracy_ci95_by_identity is None


def test_a_fold_without_any_score() -> None:
    with pytest.raises(InputError, match="No pair of a fold has a score"):
        summarize(
            IDENTITY,
            hand_made_list(),
            np.array([0.9, 0.6, np.nan, np.nan]),
            fold_threshold_similarities=(0.5, 0.5),
            threshold_origin=ThresholdOrigin.FIXED,
        )


def test_a_pair_without_a_score_is_not_right() -> None:
    lost = ScoredPair(1, 2, "a", "b", same=False, threshold_similarity=0.5, similarity=None)
    assert lost.called_same is None
    assert not lost.right
    on_it = ScoredPair(1, 2, "a", "b", same=True, threshold_similarity=0.5, similarity=0.5)
    assert on_it.right


def test_a_rate_of_nothing_is_refused() -> None:
    with pytest.raises(ZeroDivisionError):
        rate(0, 0)


def test_a_comparison_counts_what_one_alone_gets_right(made_up: DataSetReport) -> None:
    a, b = made_up.models
    result = compare(a, b)
    both = [(p.right, q.right) for p, q in zip(a.pairs, b.pairs, strict=True)]
    assert result.only_a_right_count == both.count((True, False))
    assert result.only_b_right_count == both.count((False, True))
    assert 0 < result.p_value <= 1
    assert compare(a, a).p_value == 1.0
    with pytest.raises(InputError, match="different pairs"):
        compare(a, replace(b, pairs=b.pairs[1:]))


def test_the_json_has_the_rates_and_no_single_pairs(made_up: DataSetReport) -> None:
    plain = json.loads(report_json(whole(made_up)))
    assert plain["schema_version"] == 1
    require_schema("eval-lfw", plain)
    assert plain["data_sets"][0]["models"][0]["model"] == "facenet:float32"
    assert plain["data_sets"][0]["models"][0]["threshold_origin"] == "other-folds"
    assert plain["data_sets"][0]["models"][0]["accuracy"]["trial_count"] == 599
    assert plain["data_sets"][0]["models"][0]["tar_at_fmr"][2]["tar"] is None
    assert "pairs" not in plain["data_sets"][0]["models"][0]
    assert plain["data_sets"][0]["comparisons"][0]["pair_count"] == 600


def test_the_csv_has_every_pair_of_every_model(made_up: DataSetReport) -> None:
    rows = list(csv.DictReader(io.StringIO(pairs_csv(made_up))))
    assert len(rows) == 2 * 600
    lost = rows[7]
    assert (lost["similarity"], lost["called_same"]) == ("", "")
    first = made_up.models[0].pairs[0]
    assert rows[0]["a"] == first.a  # with quotes and commas in the name
    assert float(rows[0]["similarity"]) == first.similarity
    assert rows[600]["model"] == made_up.models[1].model.label
