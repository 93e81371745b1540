"""Summarizes the scores of a pair list as a model's result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from facekit.errors import InputError
from facekit.evaluation.metrics.discard import error_versus_discard
from facekit.evaluation.metrics.error_rates import (
    Flags,
    auc,
    equal_error_rate,
    roc,
    tar_at_fmr,
)
from facekit.evaluation.metrics.intervals import bootstrap_ci95, mcnemar_p
from facekit.evaluation.protocols.pairs import Pair, PairList
from facekit.evaluation.protocols.plan import ThresholdOrigin
from facekit.evaluation.records import (
    ModelComparison,
    ModelIdentity,
    ModelResult,
    Rate,
    ScoredPair,
    TarPoint,
    ValAtFar,
    rate,
)
from facekit.evaluation.times import StageTime, Throughput
from facekit.pipeline.photos import PhotoFailure
from facekit.template.calibration import OperatingPoint

DEFAULT_TAR_TARGETS = (1e-1, 1e-2, 1e-3)


def summarize(
    model: ModelIdentity,
    pair_list: PairList,
    similarities: NDArray[np.float64],
    *,
    fold_threshold_similarities: Sequence[float],
    threshold_origin: ThresholdOrigin,
    failures: tuple[PhotoFailure, ...] = (),
    stages: tuple[StageTime, ...] = (),
    all_pairs: tuple[OperatingPoint, ...] = (),
    tar_targets: Sequence[float] = DEFAULT_TAR_TARGETS,
    val: ValAtFar | None = None,
    throughput: Throughput | None = None,
) -> ModelResult:
    """Returns the result of one model on one pair list.

    `similarities`: (N,) in the order of the list, NaN for a pair without a score.
    `fold_threshold_similarities`: one threshold per fold, as a cosine similarity.  Raises
    InputError if no genuine or no impostor pair has a score, or if no pair of a fold has one, and
    MissingExtraError if scikit-learn or SciPy is missing.
    """
    if len(similarities) != len(pair_list.pairs):
        raise ValueError(f"{len(pair_list.pairs)} similarities needed, not {len(similarities)}")
    sizes = [len(fold) for fold in pair_list.folds]
    numbers = np.repeat(np.arange(len(sizes)), sizes)
    thresholds = np.asarray(fold_threshold_similarities, np.float64)[numbers]
    pairs = tuple(
        ScoredPair(int(number) + 1, pair.line, pair.a.path, pair.b.path, pair.same,
                   float(threshold), None if np.isnan(similarity) else float(similarity))
        for pair, number, threshold, similarity in zip(
            pair_list.pairs, numbers, thresholds, similarities, strict=True
        )
    )  # fmt: skip
    right = np.array([pair.right for pair in pairs])
    same = np.array([pair.same for pair in pairs])
    scored = ~np.isnan(similarities)
    accepted = np.array([pair.called_same is True for pair in pairs])
    curve = roc(similarities[scored], same[scored])
    genuine, impostor = scored & same, scored & ~same
    return ModelResult(
        model=model,
        threshold_origin=threshold_origin,
        accuracy=_share(right, scored),
        accuracy_ci95_by_identity=_by_identity(pair_list.pairs, right, scored),
        accuracy_failures_wrong=rate(int(right.sum()), len(pairs)),
        fmr=_share(~right, impostor),
        fnmr=_share(~right, genuine),
        far=_share(accepted, ~same),
        frr=_share(~accepted, same),
        fold_accuracies=tuple(
            _share(right, scored & (numbers == fold)).value for fold in range(len(sizes))
        ),
        fold_threshold_similarities=tuple(fold_threshold_similarities),
        auc=auc(curve),
        eer=equal_error_rate(curve),
        tar_at_fmr=tuple(
            _tar_point(similarities[scored], same[scored], target) for target in tar_targets
        ),
        failures=failures,
        photo_count=len(pair_list.photos),
        stages=stages,
        all_pairs=all_pairs,
        pairs=pairs,
        val=val,
        throughput=throughput,
    )


def with_discard(result: ModelResult, qualities: Mapping[str, float]) -> ModelResult:
    """Returns the result with its error-versus-discard characteristic.

    `qualities`: by photo, 0..100; NaN for a photo that was not rated.  Pairs without a score or a
    quality are left out from the beginning; without any other genuine pair the result stays as it
    is.  Each pair keeps the threshold of its fold.
    """
    rated = [
        (
            pair.similarity - pair.threshold_similarity,
            pair.same,
            qualities[pair.a],
            qualities[pair.b],
        )
        for pair in result.pairs
        if pair.similarity is not None and pair.same
        if not np.isnan([qualities[pair.a], qualities[pair.b]]).any()
    ]
    if not rated:
        return result
    scores, same, first, second = map(np.array, zip(*rated, strict=True))
    points = error_versus_discard(scores, same, np.column_stack([first, second]), threshold=0.0)
    return replace(result, error_versus_discard=points)


def compare(a: ModelResult, b: ModelResult) -> ModelComparison:
    """Compares two results.  Raises InputError if they were not scored on the same pairs."""
    if [(p.a, p.b, p.same) for p in a.pairs] != [(p.a, p.b, p.same) for p in b.pairs]:
        raise InputError(f"{a.model.label} and {b.model.label} were scored on different pairs.")
    right_a, right_b = (np.array([pair.right for pair in one.pairs]) for one in (a, b))
    return ModelComparison(
        a=a.model.label,
        b=b.model.label,
        pair_count=len(a.pairs),
        only_a_right_count=int((right_a & ~right_b).sum()),
        only_b_right_count=int((right_b & ~right_a).sum()),
        p_value=mcnemar_p(right_a, right_b),
    )


def _share(events: Flags, among: Flags) -> Rate:
    if not among.any():
        raise InputError("No pair of a fold has a score: no photo of it gave an embedding.")
    return rate(int(events[among].sum()), int(among.sum()))


def _by_identity(
    pairs: tuple[Pair, ...], right: Flags, scored: Flags
) -> tuple[float, float] | None:
    names = [(pair.a.person, pair.b.person) for pair in pairs]
    if any(None in both for both in names):
        return None
    _, numbers = np.unique(np.array(names, dtype=np.str_), return_inverse=True)
    person_a, person_b = numbers.reshape(-1, 2)[scored].T
    return bootstrap_ci95(right[scored], person_a, person_b)


def _tar_point(scores: NDArray[np.float64], same: Flags, target: float) -> TarPoint:
    counts = tar_at_fmr(scores, same, target).counts
    if counts is None:
        return TarPoint(target, None, None, None)
    n_matched = counts.n_genuine - counts.false_non_matches
    return TarPoint(
        target,
        counts.threshold,
        rate(n_matched, counts.n_genuine),
        rate(counts.false_matches, counts.n_impostor),
    )
