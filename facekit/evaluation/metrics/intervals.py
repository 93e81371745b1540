"""Intervals and tests of rates: exact binomial intervals, bootstrap by identity, McNemar's test.

The binomial interval assumes independent comparisons.  Comparisons that share people or photos are
not independent; the bootstrap by identity resamples people and is therefore wider.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from facekit.evaluation.metrics.error_rates import Flags
from facekit.system.extras import require


def binomial_ci95(n_events: int, n_trials: int) -> tuple[float, float]:
    """Returns the exact 95 % interval (Clopper & Pearson 1934), 0..1, of n_events / n_trials."""
    ends = _stats().binomtest(n_events, n_trials).proportion_ci(0.95, method="exact")
    return float(ends.low), float(ends.high)


def mcnemar_p(right_a: Flags, right_b: Flags) -> float:
    """Returns the two-sided exact p (McNemar 1947) of two models being right equally often.

    Both arguments are (N,) bool for the same N pairs.  Pairs on which both models are right or both
    are wrong do not count; if no pair remains, p is 1.
    """
    if right_a.shape != right_b.shape:
        raise ValueError(f"The same pairs needed. Received: {right_a.shape}, {right_b.shape}")
    only_a = int((right_a & ~right_b).sum())
    only_b = int((right_b & ~right_a).sum())
    if only_a + only_b == 0:
        return 1.0
    return float(_stats().binomtest(only_a, only_a + only_b, 0.5).pvalue)


def bootstrap_ci95(
    errors: Flags,
    person_a: NDArray[np.intp],
    person_b: NDArray[np.intp],
    *,
    n_replicates: int = 1000,
    seed: int = 0,
) -> tuple[float, float]:
    """Returns the 95 % percentile interval of the error rate of N pairs, by resampling people.

    `errors`: (N,) bool; `person_a`, `person_b`: (N,) identity numbers, equal for a genuine pair.
    People are drawn with replacement.  A genuine pair of a person who is drawn m times has weight
    m; the weight of an impostor pair is the product of its two people's counts.  Pairs that share
    people therefore vary together, as in another sample of people.  Replicates without any pair are
    left out.
    """
    people, numbers = np.unique(np.stack([person_a, person_b]), return_inverse=True)
    index_a, index_b = numbers.reshape(2, -1)
    genuine = index_a == index_b
    random = np.random.default_rng(seed)
    uniform = np.full(len(people), 1.0 / len(people))
    rates = []
    for _ in range(n_replicates):
        draws = random.multinomial(len(people), uniform)
        weights = draws[index_a] * np.where(genuine, 1, draws[index_b])
        if (total := weights.sum()) > 0:
            rates.append((weights * errors).sum() / total)
    low, high = np.percentile(rates, [2.5, 97.5])
    return float(low), float(high)


def _stats() -> Any:
    return require("scipy.stats", extra="evaluate", needed_for="Confidence intervals")
