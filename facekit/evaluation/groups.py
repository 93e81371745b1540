"""Measures the error rates of groups of people at the threshold that is in use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from facekit.enums import Metric
from facekit.errors import NoOperatingPointError
from facekit.evaluation.metrics.groups import Difference, GroupRates, group_rates
from facekit.evaluation.protocols.pairs import Photo
from facekit.evaluation.protocols.plan import ThresholdOrigin
from facekit.evaluation.setups import Setup
from facekit.model.card import Card, space_of
from facekit.template.metrics import distance
from facekit.template.threshold import card_threshold
from facekit.types import Float32Array


@dataclass(frozen=True, slots=True)
class CommonThreshold:
    """The one threshold at which all groups are compared."""

    similarity: float
    origin: ThresholdOrigin
    target: str | None
    """The target of the card's operating point, such as "fmr=1e-3"; None for another origin."""


@dataclass(frozen=True, slots=True)
class GroupResult:
    """The rates of the groups, and where their threshold comes from."""

    threshold: CommonThreshold
    rates: GroupRates

    def to_dict(self) -> dict[str, Any]:
        similarity = self.threshold.similarity
        return {
            "threshold": distance(similarity, Metric.COSINE),
            "threshold_similarity": similarity,
            "threshold_origin": self.threshold.origin.value,
            "threshold_target": self.threshold.target,
            "groups": [
                {"group": name, "people_count": count}
                for name, count in self.rates.people_count.items()
            ],
            "fnmr": [asdict(one) for one in self.rates.fnmr],
            "fmr": [asdict(one) for one in self.rates.fmr],
            "fnmr_difference": _difference(self.rates.fnmr_difference),
            "fmr_difference": _difference(self.rates.fmr_difference),
        }


def measure_groups(
    vectors: Float32Array,
    photos: Sequence[Photo],
    group_of: Mapping[str, str],
    threshold: CommonThreshold,
) -> GroupResult:
    """Compares every pair of the photos that have a group; see `group_rates`.

    `vectors`: (N, D) of `photos`, whose people are known; `group_of`: groups by path.  Raises
    InputError if fewer than two groups have a photo.
    """
    rows = [row for row, photo in enumerate(photos) if photo.path in group_of]
    rates = group_rates(
        vectors[rows],
        [photos[row].person or "" for row in rows],
        [group_of[photos[row].path] for row in rows],
        threshold_similarity=threshold.similarity,
    )
    return GroupResult(threshold, rates)


def common_threshold(
    setup: Setup, card: Card, decided: Sequence[float], origin: ThresholdOrigin
) -> CommonThreshold:
    """Returns the card's default threshold where it applies, else the mean of those of the folds.

    `decided`: the threshold similarity of each fold, and `origin`, where these come from.
    """
    if setup.cards_own:
        try:
            found = card_threshold(card.calibration, space_of(card, detector=None))
        except NoOperatingPointError:
            pass
        else:
            target = None if found.point is None else found.point.target
            return CommonThreshold(found.similarity, ThresholdOrigin.CARD, target)
    return CommonThreshold(float(np.mean(decided)), origin, None)


def _difference(found: Difference | None) -> dict[str, Any] | None:
    return None if found is None else {**asdict(found), "is_found": found.is_found}
