"""Computes a card's calibration from the embeddings of labeled photos."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from facekit.enums import Flip
from facekit.evaluation.embeddings import PhotoEmbeddings
from facekit.evaluation.metrics.all_pairs import AllPairs, score_all_pairs
from facekit.evaluation.metrics.error_rates import Flags, Scores, is_measurable
from facekit.evaluation.metrics.identification import fit_margin
from facekit.evaluation.metrics.operating_points import DEFAULT_FMR_TARGETS, operating_points
from facekit.evaluation.metrics.probability import (
    Reliability,
    fit_probability,
    probabilities,
    reliability,
)
from facekit.evaluation.protocols.pairs import PairList
from facekit.evaluation.scoring import PairScorer
from facekit.pipeline.photos import PhotoFailure
from facekit.template.calibration import Calibration
from facekit.template.space import TemplateSpace, mean_sha256_of

_CURVE_TARGETS = (
    *(0.3, 0.2, 0.1),
    *(float(f"{digit}e{exponent}") for exponent in range(-2, -8, -1) for digit in range(9, 0, -1)),
)
"""FMRs of the card's curve: all with one significant digit, down to the lowest measurable one."""


@dataclass(frozen=True, slots=True, eq=False)
class CalibrationResult:
    """A calibration and the data that it was computed from."""

    calibration: Calibration
    photo_count: int
    people_count: int | None
    """None if the list does not name people."""
    failures: tuple[PhotoFailure, ...]
    """Photos without an embedding, which the calibration does not use."""
    reliability: Reliability
    """Reliability of the probability if fitted on every second pair and measured on the others."""


def calibrate(
    embeddings: PhotoEmbeddings,
    pair_list: PairList,
    *,
    dataset: str,
    flip: Flip = Flip.NONE,
    space: TemplateSpace | None = None,
    fmr_targets: Sequence[float] = DEFAULT_FMR_TARGETS,
) -> CalibrationResult:
    """Computes mean embedding, operating points, FMR curve, probability and margin of one model.

    `embeddings` must be in the order of `pair_list.photos`.  `flip` is the card's; every value
    except NONE needs two views.  `space` is the template space of the embeddings, whose mean is
    replaced; None if the model file does not exist yet (see facekit.model.card.bound).  Rates are
    measured on every pair of the photos if the list names people, else on the listed pairs.  The
    probability is fitted on the listed pairs, the margin of identifications on named photos, see
    `fit_margin`.  Raises InputError if there are too few photos or
    people, and UsageError for an FMR that is too low for the number of impostor pairs.
    """
    photos = pair_list.photos
    scorer = PairScorer(photos, embeddings, flip=flip)
    mean = scorer.unit.mean(0, dtype=np.float64).astype(np.float32)
    scores, same = scorer.scored(pair_list.pairs, mean=mean)
    vectors, rows = scorer.vectors_of(photos, mean=mean)
    named = [person for row in rows if (person := photos[row].person) is not None]
    all_named = len(named) == len(rows)
    if all_named:
        pairs = score_all_pairs(vectors, named)
        protocol = f"every pair of the photos of {pair_list.name}"
    else:
        pairs = _listed_pairs(scores, same, len(photos))
        protocol = f"the pairs of {pair_list.name}"
    return CalibrationResult(
        calibration=Calibration(
            embedding_mean=mean,
            operating_points=operating_points(
                pairs, protocol=protocol, dataset=dataset, fmr_targets=tuple(fmr_targets)
            ),
            fmr_curve=fmr_curve(pairs),
            probability=fit_probability(scores, same),
            margin=fit_margin(vectors, named) if all_named else None,
            source=f"{protocol}, {dataset}",
            space=space and replace(space, mean_sha256=mean_sha256_of(mean)),
        ),
        photo_count=len(photos),
        people_count=len(set(named)) if all_named else None,
        failures=embeddings.failures([photo.path for photo in photos]),
        reliability=_split_half_reliability(scores, same),
    )


def _listed_pairs(scores: Scores, same: Flags, n_photos: int) -> AllPairs:
    genuine, impostor = (np.sort(scores[kind]).astype(np.float32) for kind in (same, ~same))
    return AllPairs(genuine, impostor, len(impostor), -np.inf, n_photos, 0)


def fmr_curve(pairs: AllPairs) -> tuple[tuple[float, float], ...]:
    """Returns pairs (lowest threshold similarity, FMR) for FMRs of one digit, by threshold."""
    by_similarity = {
        counts.threshold: counts.fmr
        for target in _CURVE_TARGETS
        if is_measurable(target, pairs.n_impostor)
        for counts in [pairs.counts_at(pairs.threshold_at_fmr(target))]
    }
    return tuple(sorted(by_similarity.items()))


def _split_half_reliability(scores: Scores, same: Flags) -> Reliability:
    """Fits the probability on every second pair and measures it on the others."""
    fit = fit_probability(scores[::2], same[::2])
    return reliability(probabilities(fit, scores[1::2]), same[1::2])
