"""Computes the similarities of pairs from embeddings, and the thresholds for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facekit.enums import Flip
from facekit.errors import InputError, NoOperatingPointError
from facekit.evaluation.embeddings import PhotoEmbeddings
from facekit.evaluation.identification import Chosen, Rules
from facekit.evaluation.metrics.folds import TenFold, ten_fold
from facekit.evaluation.metrics.operating_points import BEST_ACCURACY
from facekit.evaluation.protocols.pairs import Pair, Photo
from facekit.evaluation.protocols.plan import Plan, ThresholdOrigin
from facekit.evaluation.records import ValAtFar
from facekit.evaluation.setups import Centering, Setup
from facekit.gallery.identify import default_threshold
from facekit.model.card import Card, space_of
from facekit.template.match import centered, cosine_similarity, joined
from facekit.template.rates import finest_fmr
from facekit.types import Float32Array


class PairScorer:
    """Scores pairs of embedded photos.  A pair has no score if one of its photos has no embedding.

    The photos that are passed to the methods must be among the photos of the constructor.
    """

    def __init__(
        self,
        photos: Sequence[Photo],
        embeddings: PhotoEmbeddings,
        *,
        flip: Flip = Flip.NONE,
        mean: Float32Array | None = None,
        template_mean: Float32Array | None = None,
    ) -> None:
        """`photos` must be in the order of the rows of `embeddings`.

        `mean` (D,) is subtracted from the vector of each view, i.e. of the photo and of its mirror
        image.  `template_mean` (D,) or (2 D,) is subtracted after the views are joined to one
        vector.  None subtracts nothing.  Raises InputError if no photo has an embedding.
        """
        self._row = {photo.path: row for row, photo in enumerate(photos)}
        self.acquired = embeddings.acquired
        if not self.acquired.any():
            raise InputError(
                "No photo of the list gave an embedding. The first reason: "
                f"{next(iter(embeddings.errors), 'there is no photo')}"
            )
        self.unit = centered(
            _one_vector_each(embeddings.vectors[self.acquired], flip, mean), template_mean
        )
        """(acquired, D or 2 D) float32 of unit length."""
        # Maps a photo's row in `acquired` to its row in `unit`.
        self._index = np.cumsum(self.acquired) - 1

    def mean_of(self, pairs: Sequence[Pair]) -> Float32Array:
        """Returns the mean vector, (D,) or (2 D,), over both photos of every pair.

        A photo that occurs in several pairs is counted each time.  Raises InputError if no photo of
        the pairs has an embedding.
        """
        rows = self._rows(pairs).ravel()
        used = self._index[rows[self.acquired[rows]]]
        if not len(used):
            raise InputError("No photo of the training pairs gave an embedding.")
        return np.asarray(self.unit[used].mean(0, dtype=np.float64), np.float32)

    def scores(
        self, pairs: Sequence[Pair], *, mean: Float32Array | None = None
    ) -> NDArray[np.float64]:
        """Returns the (N,) cosine similarities of the pairs, NaN for a pair without a score.

        `mean` (D,) or (2 D,) is subtracted from all vectors first; None subtracts nothing.
        """
        unit = self.unit if mean is None else centered(self.unit, mean)
        rows = self._rows(pairs)
        usable = self.acquired[rows].all(1)
        a, b = self._index[rows[usable]].T
        similarities = np.full(len(pairs), np.nan)
        similarities[usable] = cosine_similarity(unit[a], unit[b])
        return similarities

    def scored(
        self, pairs: Sequence[Pair], *, mean: Float32Array | None = None
    ) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Returns the (M,) similarities and (M,) labels of the M pairs that have a score.

        A label is True for a genuine pair.  `mean` is subtracted as in `scores`.
        """
        scores = self.scores(pairs, mean=mean)
        there = ~np.isnan(scores)
        return scores[there], np.array([pair.same for pair in pairs], bool)[there]

    def vectors_of(
        self, photos: Sequence[Photo], *, mean: Float32Array | None = None
    ) -> tuple[Float32Array, list[int]]:
        """Returns the vectors of the photos that have an embedding, and these photos' indices.

        The vectors are (M, D) or (M, 2 D) float32 of unit length, after `mean` is subtracted.  The
        M indices refer to `photos`.
        """
        rows = np.array([self._row[photo.path] for photo in photos], np.intp)
        there = np.flatnonzero(self.acquired[rows])
        unit = self.unit[self._index[rows[there]]]
        return (unit if mean is None else centered(unit, mean)), there.tolist()

    def _rows(self, pairs: Sequence[Pair]) -> NDArray[np.intp]:
        return np.array(
            [(self._row[pair.a.path], self._row[pair.b.path]) for pair in pairs], np.intp
        ).reshape(-1, 2)


def _one_vector_each(views: Float32Array, flip: Flip, mean: Float32Array | None) -> Float32Array:
    """Joins (N, views, D) unit vectors to (N, D or 2 D) unit vectors."""
    by_view = [centered(views[:, number], mean) for number in range(views.shape[1])]
    return joined(np.stack(by_view, axis=1), flip)


@dataclass(frozen=True, slots=True, eq=False)
class PlanScores:
    """The similarities of the pairs of `plan.pair_list`, in this order, and the thresholds."""

    similarities: NDArray[np.float64]
    """(N,) cosine similarities, NaN for a pair without a score."""
    fold_threshold_similarities: tuple[float, ...]
    """The threshold of each fold as a cosine similarity; all are equal except for OTHER_FOLDS."""
    origin: ThresholdOrigin
    val: ValAtFar | None = None
    """TAR at facenet's target FMR, over the folds; None except for OTHER_FOLDS."""
    mean: Float32Array | None = None
    """The mean of the training pairs, which was subtracted from all vectors.

    None if nothing was subtracted besides the card's mean, or if each fold used a different mean.
    """


def score_plan(plan: Plan, setup: Setup, scorer: PairScorer, card: Card) -> PlanScores:
    """Computes the similarities of the plan's pairs, and chooses or looks up the threshold.

    Raises InputError if the pairs from which a threshold is chosen, or the pairs of a fold, contain
    no genuine pair or no impostor pair, and if no photo of the training pairs has an embedding.
    Raises MissingExtraError if scikit-learn is missing and a threshold must be chosen.
    """
    if plan.origin is ThresholdOrigin.OTHER_FOLDS and setup.fixed_similarity is None:
        return _by_folds(plan, setup, scorer)
    pairs = plan.pair_list.pairs
    training = plan.training.pairs if plan.training is not None else pairs
    mean = scorer.mean_of(training) if setup.centering is Centering.TRAINING else None
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
    return PlanScores(similarities, (threshold,) * n_folds, origin, mean=mean)


def _by_folds(plan: Plan, setup: Setup, scorer: PairScorer) -> PlanScores:
    folds = plan.pair_list.folds
    sizes = [len(fold) for fold in folds]
    pairs = plan.pair_list.pairs
    if setup.centering is Centering.TRAINING:
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
    return PlanScores(
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


def rules_of(setup: Setup, card: Card) -> Rules:
    """Returns what `identify` would use with the card, none of it if its figures do not apply."""
    if not setup.cards_own:
        return Rules()
    calibration, space = card.calibration, space_of(card, detector=None)

    def choose(comparisons: int) -> Chosen:
        threshold = default_threshold(calibration, space, comparisons=comparisons)
        return threshold.similarity, threshold.predicted_fpir

    return Rules(
        choose if finest_fmr(calibration) is not None else None,
        min_margin=None if calibration.margin is None else calibration.margin.least,
    )


def _card_threshold(plan: Plan, setup: Setup, card: Card) -> float | None:
    if plan.origin is not ThresholdOrigin.CARD or not setup.cards_own:
        return None
    try:
        return card.calibration.operating_point(BEST_ACCURACY).threshold_similarity
    except NoOperatingPointError:
        return None
