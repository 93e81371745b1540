"""Whole evaluations of made-up embeddings: thresholds, centering, comparisons, notes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from facekit.enums import Flip, MeasuredBy, Profile, ResizeFilter
from facekit.errors import InputError, UsageError
from facekit.evaluation.embeddings import EmbedSettings, PhotoEmbeddings
from facekit.evaluation.identification import IdentificationOptions
from facekit.evaluation.metrics.error_rates import best_accuracy_threshold
from facekit.evaluation.metrics.folds import facenet_grid_threshold
from facekit.evaluation.protocols.pairs import PairList
from facekit.evaluation.protocols.plan import Plan, ThresholdOrigin
from facekit.evaluation.records import DataSetReport
from facekit.evaluation.run import (
    ReportColumn,
    require_distinct,
    run_evaluation,
)
from facekit.evaluation.scoring import PairScorer, score_plan
from facekit.evaluation.setups import Centering, Setup, SetupOptions, setups_for
from facekit.model.store import InstalledModel
from facekit.photo.reading import PhotoFile
from facekit.template.calibration import Calibration, OperatingPoint
from facekit.template.margin_rule import MarginRule
from facekit.template.match import centered, unit_length
from tests.evaluation.made_up_photos import embeddings, pair_list, whole
from tests.model.made_up_model import CARD

SETTINGS = EmbedSettings()
PLAIN = Setup(SETTINGS, centering=Centering.NONE)
MODEL = InstalledModel(CARD, Path("toy_float32.tflite"))
OTHER = InstalledModel(replace(CARD, variant="int8", file_sha256="f" * 64), Path("x.tflite"))


def make_plan(pairs: PairList, origin: ThresholdOrigin, training: PairList | None = None) -> Plan:
    listed = (*pairs.photos, *(training.photos if training else ()))
    files = {photo.path: Path("photos", photo.path) for photo in listed}
    return Plan("made up", "photos", pairs, files, origin, training)


BY_FOLDS = make_plan(pair_list(10, 30), ThresholdOrigin.OTHER_FOLDS)
BY_LIST = make_plan(
    pair_list(1, 200), ThresholdOrigin.OTHER_LIST, pair_list(1, 300, first_person=500, name="t")
)


def run(plan: Plan, *columns: ReportColumn, failed: Sequence[int] = (), **asked: Any
        ) -> DataSetReport:  # fmt: skip
    def embed(
        model: InstalledModel, settings: EmbedSettings, paths: Sequence[PhotoFile]
    ) -> PhotoEmbeddings:
        assert len(paths) == len(plan.photos)
        seed = 0 if model is MODEL else 1
        return embeddings(plan.photos, views=1 + settings.mirrored, failed=failed, seed=seed)

    return run_evaluation(columns or (ReportColumn(MODEL, PLAIN),), plan, embed, **asked)


def test_another_lists_threshold_is_its_best_and_not_the_scored_lists() -> None:
    scorer = PairScorer(BY_LIST.photos, embeddings(BY_LIST.photos))
    scored = score_plan(BY_LIST, PLAIN, scorer, CARD)
    assert BY_LIST.training is not None
    chosen, own = (
        best_accuracy_threshold(scorer.scores(one.pairs), np.array([p.same for p in one.pairs]))
        for one in (BY_LIST.training, BY_LIST.pair_list)
    )
    assert scored.fold_threshold_similarities == (chosen,)
    assert chosen != own
    assert scored.origin is ThresholdOrigin.OTHER_LIST


def test_each_fold_is_scored_with_the_mean_of_the_other_folds() -> None:
    photos = BY_FOLDS.photos
    made = embeddings(photos, views=2)
    setup = replace(PLAIN, centering=Centering.TRAINING, flip=Flip.CONCAT)
    scored = score_plan(BY_FOLDS, setup, PairScorer(photos, made, flip=Flip.CONCAT), CARD)
    row = {photo.path: number for number, photo in enumerate(photos)}
    joined = unit_length(made.vectors.reshape(len(photos), -1))
    for held_out in (0, 7):
        others = [p for k, fold in enumerate(BY_FOLDS.pair_list.folds) if k != held_out
                  for p in fold]  # fmt: skip
        rows = [row[one.path] for pair in others for one in (pair.a, pair.b)]
        vectors = centered(joined, joined[rows].mean(0))
        pair = BY_FOLDS.pair_list.folds[held_out][3]
        expected = float(vectors[row[pair.a.path]] @ vectors[row[pair.b.path]])
        assert scored.similarities[held_out * 60 + 3] == pytest.approx(expected, abs=1e-5)
    assert scored.val is not None
    assert not scored.val.measurable  # 270 impostor pairs cannot carry 1e-3


def test_a_given_threshold_is_marked_as_given_in_every_fold() -> None:
    (result,) = run(BY_FOLDS, ReportColumn(MODEL, replace(PLAIN, fixed_similarity=0.4))).models
    assert result.threshold_origin is ThresholdOrigin.FIXED
    assert result.fold_threshold_similarities == (0.4,) * 10


def test_training_on_the_scored_pairs_is_marked_and_noted() -> None:
    report = run(make_plan(pair_list(1, 100), ThresholdOrigin.SAME_PAIRS))
    assert report.models[0].threshold_origin is ThresholdOrigin.SAME_PAIRS
    assert any("too good" in note for note in report.notes)


def test_the_cards_threshold_is_used_only_where_it_holds() -> None:
    point = OperatingPoint("best-accuracy", 0.5, 0.0, 0.0, 1, 1, None, None, "p", "d")
    card = replace(CARD, calibration=Calibration(operating_points=(point,)))
    plan = make_plan(pair_list(1, 100), ThresholdOrigin.CARD)
    scorer = PairScorer(plan.photos, embeddings(plan.photos))
    own = score_plan(plan, replace(PLAIN, cards_own=True), scorer, card)
    assert (own.origin, own.fold_threshold_similarities) == (ThresholdOrigin.CARD, (0.5,))
    assert score_plan(plan, PLAIN, scorer, card).origin is ThresholdOrigin.SAME_PAIRS
    column = ReportColumn(InstalledModel(card, MODEL.path), replace(PLAIN, cards_own=True))
    report = run(plan, column)
    assert "The threshold of toy:float32 was measured by whoever made this card." in report.notes
    assert report.to_dict()["models"][0]["measured_by"] == "card-maker"
    ours = replace(card, calibration=replace(card.calibration, measured_by=MeasuredBy.FACEKIT))
    report = run(plan, replace(column, model=InstalledModel(ours, MODEL.path)))
    assert not any("whoever" in note for note in report.notes)
    assert report.to_dict()["models"][0]["measured_by"] == "facekit"
    assert run(plan).to_dict()["models"][0]["measured_by"] is None
    bare = score_plan(plan, replace(PLAIN, cards_own=True), scorer, CARD)
    assert bare.origin is ThresholdOrigin.SAME_PAIRS


def test_failures_are_counted_and_both_accuracies_given() -> None:
    (result,) = run(BY_LIST, failed=(0,)).models  # person 0's first photo: two pairs
    assert result.accuracy.trial_count == 398
    assert result.accuracy_failures_wrong.trial_count == 400
    assert result.accuracy_failures_wrong.event_count == result.accuracy.event_count
    assert [repr(one.error) for one in result.failures] == ["NoFaceError('no face')"]
    assert result.frr.trial_count == 200
    assert result.frr.event_count == result.fnmr.event_count + 1  # the genuine pair is missed
    assert result.far.event_count == result.fmr.event_count  # the impostor pair is not accepted
    assert result.far.trial_count == result.fmr.trial_count + 1


def test_models_are_compared_within_a_setup() -> None:
    given = replace(PLAIN, name="given", fixed_similarity=0.4)
    report = run(BY_LIST, *(ReportColumn(m, s) for m in (MODEL, OTHER) for s in (PLAIN, given)))
    assert [(one.a, one.b) for one in report.comparisons] == [
        ("toy float32", "toy int8"),
        ("toy float32, given", "toy int8, given"),
    ]


def test_all_pairs_counts_every_pair_of_the_list_alone() -> None:
    (result,) = run(BY_LIST, all_pairs=True, failed=(0,)).models
    assert result.photo_count == 401
    point = result.all_pairs[0]
    assert point.target == "fmr=1e-2"
    assert point.n_genuine == 199  # two photos each, of whom one lost one
    assert point.n_genuine + point.n_impostor == 400 * 399 // 2


def test_identification_searches_among_the_lists_people_by_the_cards_rules() -> None:
    margin = MarginRule(0.05, 0.02, 0.5, 100, 10, 50)
    curve = ((0.3, 0.01), (0.6, 0.0001))
    card = replace(CARD, calibration=Calibration(fmr_curve=curve, margin=margin))
    own = replace(PLAIN, cards_own=True)
    options = IdentificationOptions(sizes=(50,), draws=2)
    columns = [ReportColumn(InstalledModel(card, MODEL.path), each) for each in (own, PLAIN)]
    by_card, without = run(BY_LIST, *columns, failed=(0,), identification=options).models
    found, other = by_card.identification, without.identification
    assert found is not None
    assert other is not None
    assert found.closed_set.people_count == 199  # two photos each, of whom one lost one
    assert found.closed_set.identified == other.closed_set.identified
    assert [one.rule.least for one in found.closed_set.margins] == [0.05, 0.05]
    (opened,) = found.open_sets
    assert (opened.people_count, opened.mated_count) == (50, 100)
    assert opened.chosen is not None
    assert opened.chosen.threshold_similarity == 0.6
    assert (other.closed_set.margins, other.open_sets[0].chosen) == ((), None)
    assert run(BY_LIST).models[0].identification is None


@pytest.mark.parametrize(
    "asked", [{"all_pairs": True}, {"identification": IdentificationOptions()}]
)
def test_what_needs_people_is_refused_without_them(asked: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="--subtract-mean"):
        run(
            BY_FOLDS,
            ReportColumn(MODEL, replace(PLAIN, centering=Centering.TRAINING)),
            **asked,
        )
    nameless = tuple(
        replace(pair, a=replace(pair.a, person=None), b=replace(pair.b, person=None))
        for pair in BY_LIST.pair_list.pairs
    )
    pairs = replace(BY_LIST.pair_list, folds=(nameless,))
    with pytest.raises(UsageError, match="person_a"):
        run(make_plan(pairs, ThresholdOrigin.CARD), **asked)


def test_one_identity_only_is_an_error() -> None:
    pairs = pair_list(1, 50)
    genuine = replace(pairs, folds=(pairs.folds[0][:50],))
    with pytest.raises(InputError, match="50 genuine, 0 impostor"):
        run(make_plan(genuine, ThresholdOrigin.CARD))


def test_the_least_accuracy_counts_failures_as_errors() -> None:
    one = run(BY_LIST, failed=(0,))
    report, accuracy = whole(one), one.models[0].accuracy_failures_wrong.value
    assert report.below(accuracy) == ()
    assert report.below(np.nextafter(accuracy, 1)) == ("toy float32 on photos",)


def test_one_model_twice_is_refused() -> None:
    require_distinct([MODEL, OTHER])
    with pytest.raises(UsageError, match="once"):
        require_distinct([MODEL, MODEL])


def test_facekits_own_setup_keeps_the_cards_threshold_unless_something_is_changed() -> None:
    (own,) = setups_for(None, MODEL, SetupOptions(SETTINGS))
    assert own == Setup(SETTINGS, cards_own=True)
    (flipped,) = setups_for(None, MODEL, SetupOptions(SETTINGS, flip=Flip.SUM))
    assert flipped.settings.mirrored
    assert not flipped.cards_own
    (subtracted,) = setups_for(None, MODEL, SetupOptions(SETTINGS, subtract_mean=True))
    assert subtracted.centering is Centering.TRAINING
    assert not subtracted.cards_own


def test_the_profiles_are_those_of_their_authors() -> None:
    (facenet,) = setups_for(Profile.FACENET, MODEL, SetupOptions(SETTINGS))
    assert facenet.flip is Flip.CONCAT
    assert facenet.centering is Centering.TRAINING
    assert facenet.choose is facenet_grid_threshold
    assert "margin crop, 32 px, bilinear" in facenet.described(MODEL)

    nxp = setups_for(Profile.NXP, MODEL, SetupOptions(SETTINGS))
    assert [one.fixed_similarity for one in nxp] == [0.4, 0.4, None, None]
    assert nxp[0].described(MODEL) == (
        "BGR (x - 0) / 255, center of the photo, 45 px cut off each side, not centered"
    )
    assert nxp[1].described(MODEL).startswith("RGB (x - 127.5) / 128, center of the photo")

    theirs, own = setups_for(Profile.SPHEREFACE, MODEL, SetupOptions(SETTINGS))
    assert theirs.fixed_similarity == 0.41
    assert own.fixed_similarity is None
    assert theirs.settings.mirrored
    assert theirs.settings == own.settings  # embedded once

    (vastai,) = setups_for(Profile.VASTAI, MODEL, SetupOptions(SETTINGS))
    assert vastai.settings.crop is not None
    assert vastai.settings.crop.resize_filter is ResizeFilter.NEAREST
    assert not vastai.settings.mirrored
