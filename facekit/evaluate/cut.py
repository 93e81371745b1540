"""Scores of a list's pairs and the thresholds that they meet, chosen where the plan says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facekit.errors import NoOperatingPointError
from facekit.evaluate.metrics.folds import TenFold, ten_fold
from facekit.evaluate.metrics.operating_points import BEST_ACCURACY
from facekit.evaluate.protocols.pairs import Pair
from facekit.evaluate.protocols.plan import Plan
from facekit.evaluate.records import ThresholdOrigin, ValAtFar
from facekit.evaluate.scoring import PairScorer
from facekit.evaluate.setups import Centring, Setup
from facekit.model.card import Card
from facekit.types import Float32Array


@dataclass(frozen=True, slots=True, eq=False)
class ScoredPairs:
    """The pairs of the plan's list, in its order."""

    similarities: NDArray[np.float64]
    """(N,), NaN for a pair without a score"""
    fold_thresholds: tuple[float, ...]
    origin: ThresholdOrigin
    val: ValAtFar | None = None
    mean: Float32Array | None = None
    """what was taken off besides the card's mean; None also where each fold has its own"""


def score_plan(plan: Plan, setup: Setup, scorer: PairScorer, card: Card) -> ScoredPairs:
    """Raises InputError where the pairs that a threshold is chosen on lack a kind."""
    if plan.origin is ThresholdOrigin.OTHER_FOLDS and setup.fixed_similarity is None:
        return _by_folds(plan, setup, scorer)
    pairs = plan.pair_list.pairs
    training = plan.training.pairs if plan.training is not None else pairs
    mean = scorer.mean_of(training) if setup.centring is Centring.TRAINING else None
    similarities = scorer.scores(pairs, mean=mean)
    if setup.fixed_similarity is not None:
        threshold, origin = setup.fixed_similarity, ThresholdOrigin.FIXED
    elif plan.training is not None:
        threshold = setup.choose(*scorer.scored(training, mean=mean))
        origin = ThresholdOrigin.OTHER_LIST
    elif (on_card := _card_threshold(plan, setup, card)) is not None:
        threshold, origin = on_card, ThresholdOrigin.CARD
    else:
        threshold = setup.choose(*scorer.scored(pairs, mean=mean))
        origin = ThresholdOrigin.SAME_PAIRS
    n_folds = len(plan.pair_list.folds)
    return ScoredPairs(similarities, (threshold,) * n_folds, origin, mean=mean)


def _by_folds(plan: Plan, setup: Setup, scorer: PairScorer) -> ScoredPairs:
    folds = plan.pair_list.folds
    sizes = [len(fold) for fold in folds]
    pairs = plan.pair_list.pairs
    if setup.centring is Centring.TRAINING:
        rows = np.stack([
            scorer.scores(pairs, mean=scorer.mean_of(_others(folds, held_out)))
            for held_out in range(len(folds))
        ])  # fmt: skip
    else:
        rows = scorer.scores(pairs)[np.newaxis].repeat(len(folds), 0)
    same = np.array([pair.same for pair in pairs])
    result = ten_fold(
        rows, same, acquired=~np.isnan(rows[0]), fold_sizes=sizes, choose=setup.choose
    )
    held_out_of = np.repeat(np.arange(len(folds)), sizes)
    return ScoredPairs(
        rows[held_out_of, np.arange(len(pairs))],
        tuple(result.thresholds.tolist()),
        ThresholdOrigin.OTHER_FOLDS,
        _val(result),
    )


def _others(folds: Sequence[tuple[Pair, ...]], held_out: int) -> list[Pair]:
    return [pair for number, fold in enumerate(folds) if number != held_out for pair in fold]


def _val(result: TenFold) -> ValAtFar:
    mean, std = result.val
    return ValAtFar(result.val_fmr_target, mean, std, result.val_fmr, result.val_measurable)


def _card_threshold(plan: Plan, setup: Setup, card: Card) -> float | None:
    if plan.origin is not ThresholdOrigin.CARD or not setup.cards_own:
        return None
    try:
        return card.calibration.operating_point(BEST_ACCURACY).threshold_similarity
    except NoOperatingPointError:
        return None
