"""Formats scores, thresholds, rates and probabilities alike for text, reports and plots."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from facekit.enums import MeasuredBy, Metric
from facekit.template.metrics import distance

if TYPE_CHECKING:  # a thin client words an answer without NumPy
    from facekit.template.calibration import LogisticScore

_MOST_DIGITS = 7
CARD_MAKER_TEXT = "whoever made this card"
"""Who measured figures of a card that do not ship with facekit, in words."""


def threshold_text(similarity: float, metric: Metric = Metric.COSINE, *, digits: int = 4) -> str:
    """Returns a threshold on both scales: "similarity >= 0.4579 (distance <= 0.5421)"."""
    largest = distance(similarity, metric)
    return (
        f"similarity >= {similarity:.{digits}f} ({distance_name(metric)} <= {largest:.{digits}f})"
    )


def thresholds_text(similarities: Sequence[float]) -> tuple[str, str]:
    """Returns the range of several folds' thresholds as similarities and as cosine distances.

    For example: ("similarity >= 0.4010 to 0.4120", "distance <= 0.5880 to 0.5990").
    """
    scales = (
        ("similarity >=", similarities),
        ("distance <=", [distance(one, Metric.COSINE) for one in similarities]),
    )
    texts = []
    for sign, values in scales:
        low, high = (f"{end(values):.4f}" for end in (min, max))
        texts.append(f"{sign} {low}" if low == high else f"{sign} {low} to {high}")
    return texts[0], texts[1]


def comparison_text(similarity: float, threshold_similarity: float, metric: Metric) -> str:
    """Returns score and threshold on two scales.

    For example: "cosine similarity 0.750 >= 0.458 (distance 0.250 <= 0.542)".  The number of digits
    is at least 3, and large enough that the two values differ on both scales.
    """
    same = similarity >= threshold_similarity
    scales = (
        (similarity, threshold_similarity),
        (distance(similarity, metric), distance(threshold_similarity, metric)),
    )
    digits = 3
    while digits < _MOST_DIGITS and any(
        a != b and f"{a:.{digits}f}" == f"{b:.{digits}f}" for a, b in scales
    ):
        digits += 1
    (ours, least), (apart, largest) = [(f"{a:.{digits}f}", f"{b:.{digits}f}") for a, b in scales]
    return (
        f"cosine similarity {ours} {'>=' if same else '<'} {least} "
        f"({distance_name(metric)} {apart} {'<=' if same else '>'} {largest})"
    )


def distance_name(metric: Metric) -> str:
    """Returns the name of a metric's distance; the cosine distance is only called "distance"."""
    return "distance" if metric is Metric.COSINE else f"{metric.value} distance"


def percent_at_most(rate: float) -> str:
    """Returns a rate, 0..1, in percent, rounded up to two digits: 0.00099997 -> "0.1 %"."""
    percent = 100 * rate
    if percent == 0:
        return "0 %"
    decimals = 1 - math.floor(math.log10(percent))
    up = math.ceil(percent * 10.0**decimals * (1 - 1e-12)) / 10.0**decimals
    text = f"{up:.{max(decimals, 0)}f}"
    return f"{text.rstrip('0').rstrip('.') if '.' in text else text} %"


def fmr_text(fmr_at_most: float | None) -> str:
    """Returns a phrase with the upper bound of the FMR at a threshold; None means not measured."""
    if fmr_at_most is None:
        return "its false match rate was not measured"
    return f"false match rate at most {percent_at_most(fmr_at_most)}"


def marked(source: str, measured_by: MeasuredBy | None) -> str:
    """Returns the source of figures, with a mark if they do not ship with facekit.

    For example: "model card, fmr=1e-3, own list on own photos; figures measured by whoever made
    this card".
    """
    if measured_by is not MeasuredBy.CARD_MAKER:
        return source
    return f"{source}; figures measured by {CARD_MAKER_TEXT}"


def probability_text(probability: float) -> str:
    """Returns a probability in percent with three decimals, but never as 100 % or 0 %."""
    shown = f"{100 * probability:.3f}"
    if shown == "100.000":
        return "over 99.999 %"
    return "below 0.001 %" if shown == "0.000" else f"{shown} %"


def prior_text(logistic: LogisticScore) -> str:
    """Returns a phrase with the share of genuine pairs for which a probability holds."""
    n_pairs = logistic.n_genuine + logistic.n_impostor
    share = logistic.n_genuine / n_pairs
    return f"assuming {'half' if share == 0.5 else f'{100 * share:.0f} %'} of all pairs match"
