"""A calibration: the mean embedding, thresholds and probabilities measured in one template space.

A calibration is part of the model's card.  facekit ships calibrations of the variants that were
measured for facekit.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from facekit.enums import MeasuredBy, Metric
from facekit.errors import NoOperatingPointError
from facekit.system.fields import Fields
from facekit.template.agreement import FMR_TARGET, require_agreement
from facekit.template.margin_rule import MarginRule, parse_margin_rule
from facekit.template.space import TemplateSpace, mean_sha256_of, parse_space
from facekit.types import Float32Array

RULE_OF_THREE = 3
"""If n trials have no error, the rate is at most 3/n with 95 % confidence (Hanley & Lippman-Hand
1983).  An FMR below 3/n can therefore not be distinguished from 0 with n trials."""


@dataclass(frozen=True, slots=True)
class OperatingPoint:
    """A threshold and the error rates measured at it."""

    target: str
    """The criterion of the threshold: "fmr=1e-3", "best-accuracy", or "published"."""
    threshold_similarity: float
    """Minimum cosine similarity of a match."""
    fmr: float | None
    """False match rate, 0..1, of n_impostor comparisons; None if the source does not state it."""
    fnmr: float | None
    n_genuine: int
    n_impostor: int
    fmr_ci95: tuple[float, float] | None
    fnmr_ci95: tuple[float, float] | None
    protocol: str
    dataset: str
    metric: Metric = Metric.COSINE

    def __post_init__(self) -> None:
        if not -1.0 <= self.threshold_similarity <= 1.0:
            raise ValueError(
                f"threshold_similarity lies in -1..1. Received: {self.threshold_similarity}"
            )
        for name in ("fmr", "fnmr"):
            rate = getattr(self, name)
            if rate is not None and not 0.0 <= rate <= 1.0:
                raise ValueError(f"{name} lies in 0..1. Received: {rate}")
        for name in ("n_genuine", "n_impostor"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must not be negative. Received: {getattr(self, name)}")


@dataclass(frozen=True, slots=True)
class LogisticScore:
    """The probability of the same person: 1 / (1 + exp(-(slope * similarity + intercept))).

    The probability holds if n_genuine of n_genuine + n_impostor pairs are genuine.
    """

    slope: float
    intercept: float
    n_genuine: int
    n_impostor: int
    """Number of impostor pairs of the fit; `n_genuine` is the number of genuine pairs."""

    def __post_init__(self) -> None:
        if min(self.n_genuine, self.n_impostor) < 0 or not self.n_genuine + self.n_impostor:
            raise ValueError(
                "A probability is fitted on pairs. Received: "
                f"n_genuine {self.n_genuine}, n_impostor {self.n_impostor}"
            )

    def probability(self, similarity: float) -> float:
        """Maps a cosine similarity, -1..1, to a probability, 0..1."""
        return 0.5 * (1.0 + math.tanh((self.slope * similarity + self.intercept) / 2))


@dataclass(frozen=True, slots=True, eq=False)
class Calibration:
    """Measurements in one template space, valid for that space only.  Holds an array."""

    embedding_mean: Float32Array | None = None
    """(D,) float32: mean of many people's unit embeddings; None if templates are not centered."""
    operating_points: tuple[OperatingPoint, ...] = ()
    fmr_curve: tuple[tuple[float, float], ...] = ()
    """(threshold similarity, FMR), thresholds ascending."""
    probability: LogisticScore | None = None
    margin: MarginRule | None = None
    """The least margin of an identification; None if it was not measured."""
    source: str = ""
    """Photos and command, in words."""
    space: TemplateSpace | None = None
    """The template space of the measurement, whose detector is None if unknown.

    None if the calibration does not belong to a model file yet.
    """
    others: tuple[Calibration, ...] = ()
    """Calibrations with other detectors, each in its own space; see `for_detector`."""
    measured_by: MeasuredBy = MeasuredBy.CARD_MAKER
    """Who measured it; a card does not state this, see model/shipped_calibrations.py."""

    def __post_init__(self) -> None:
        mean = self.embedding_mean
        if mean is not None and not (mean.ndim == 1 and np.isfinite(mean).all()):
            raise ValueError(
                f"embedding_mean must be finite and of shape (D,). Received: {mean.shape}"
            )
        require_agreement(
            self.fmr_curve,
            (
                (point.target, point.threshold_similarity, point.fmr)
                for point in self.operating_points
            ),
        )
        if self.space is not None and self.space.mean_sha256 != mean_sha256_of(mean):
            raise ValueError("space.mean_sha256 must be that of embedding_mean.")

    def to_dict(self) -> dict[str, Any]:
        """Returns plain values for JSON; `parse_calibration` reads them back."""
        plain = {
            **asdict(self),
            "fmr_curve": [list(point) for point in self.fmr_curve],
            "source": self.source or None,
            "space": self.space and self.space.to_dict(),
            "others": [one.to_dict() for one in self.others],
        }
        del plain["measured_by"]
        if self.embedding_mean is not None:
            plain["embedding_mean"] = [
                float(f"{value:.9g}")  # 9 digits preserve every float32
                for value in self.embedding_mean
            ]
        return plain

    @property
    def all_measured_by(self) -> MeasuredBy | None:
        """Who measured the thresholds and rates, with whatever detector; None if there are none.

        CARD_MAKER if facekit did not measure all of them.
        """
        measured_by = {
            one.measured_by
            for one in (self, *self.others)
            if one.operating_points or one.fmr_curve or one.probability or one.margin
        }
        if MeasuredBy.CARD_MAKER in measured_by:
            return MeasuredBy.CARD_MAKER
        return MeasuredBy.FACEKIT if measured_by else None

    @property
    def detector(self) -> str | None:
        """Name of the detector of the measurement; None if unknown."""
        space = self.space
        return None if space is None or space.detector is None else space.detector.name

    def for_detector(self, name: str) -> Calibration:
        """Returns the calibration with this detector, or this calibration if there is none.

        The other calibrations are in `others` of the result.
        """
        if self.detector != name:
            for one in self.others:
                if one.detector == name:
                    rest = tuple(other for other in self.others if other is not one)
                    return replace(one, others=(replace(self, others=()), *rest))
        return self

    def with_measured(self, measured: Calibration, *, usual: str) -> Calibration:
        """Returns this calibration with `measured` added.

        `measured` replaces the calibration with the same detector.  Other calibrations remain if
        they have the same crop rule.  `usual` is the detector whose calibration comes first; a
        calibration without detector is treated as one with the usual detector.
        """
        kept = {
            one.detector or usual: replace(one, others=())
            for one in (self, *self.others)
            if one.space is None or measured.space is None or one.space.crop == measured.space.crop
        }
        kept[measured.detector or usual] = measured
        first = kept.pop(usual, Calibration())
        return replace(first, others=tuple(kept.values()))

    def other_space(self, space: TemplateSpace) -> str:
        """Returns the field in which `space` differs from the measured one, with both values.

        Returns "" if the spaces are equal.  An unknown detector is not a difference.
        """
        measured = self.space
        if measured is None:
            return ""
        if measured.detector is None or space.detector is None:
            space = replace(space, detector=measured.detector)
        for difference in measured.differences(space):
            return f"{difference.field} {difference.ours}; in use is {difference.theirs}"
        return ""

    def operating_point(self, target: str) -> OperatingPoint:
        """Returns the point with this `target`, e.g. "fmr=1e-3".

        Raises NoOperatingPointError, which lists the targets that exist.
        """
        for point in self.operating_points:
            if point.target == target:
                return point
        known = ", ".join(point.target for point in self.operating_points) or "none"
        raise NoOperatingPointError(
            f"The model's card has no operating point {target!r}; it has: {known}. Pass "
            "--threshold or --min-similarity, or measure one on photos of your own with facekit "
            "calibrate --write."
        )

    @property
    def n_impostor(self) -> int:
        """Number of impostor pairs of the measured curve and points; 0 if unknown."""
        return max((point.n_impostor for point in self.operating_points), default=0)

    @property
    def measured(self) -> list[tuple[float, float]]:
        """Pairs (threshold similarity, FMR) of the curve and of the points, by threshold."""
        points = [
            (point.threshold_similarity, point.fmr)
            for point in self.operating_points
            if point.fmr is not None
        ]
        return sorted({*self.fmr_curve, *points})

    def fmr_at_most(self, threshold_similarity: float) -> float | None:
        """Returns an upper bound, 0..1, of the FMR at any threshold.

        The bound is the FMR of the next lower measured threshold, and at least 3 / n_impostor (rule
        of three).  Returns None below the lowest measured threshold.
        """
        lower = [fmr for similarity, fmr in self.measured if similarity <= threshold_similarity]
        if not lower:
            return None
        return max(min(lower), RULE_OF_THREE / self.n_impostor if self.n_impostor else 0.0)


def fmr_target(fmr: float) -> str:
    """Returns the target of an operating point at this FMR: 0.001 -> "fmr=1e-3"."""
    mantissa, exponent = f"{fmr:e}".split("e")
    return f"{FMR_TARGET}{float(mantissa):g}e{int(exponent)}"


def parse_calibration(fields: Fields) -> Calibration:
    """Parses JSON.  Raises ValueError, which names the wrong member."""
    others = fields.parts("others") if "others" in fields else []
    return replace(_calibration(fields), others=tuple(map(_calibration, others)))


def _calibration(fields: Fields) -> Calibration:
    """Parses the calibration with one detector."""
    probability = fields.optional_part("probability")
    margin = fields.optional_part("margin") if "margin" in fields else None
    space = fields.optional_part("space") if "space" in fields else None
    return fields.built(
        Calibration,
        embedding_mean=_mean(fields.optional_numbers("embedding_mean")),
        operating_points=tuple(map(parse_operating_point, fields.parts("operating_points"))),
        fmr_curve=tuple(fields.number_pairs("fmr_curve")),
        probability=None
        if probability is None
        else probability.built(
            LogisticScore,
            slope=probability.number("slope"),
            intercept=probability.number("intercept"),
            n_genuine=probability.integer("n_genuine"),
            n_impostor=probability.integer("n_impostor"),
        ),
        margin=None if margin is None else parse_margin_rule(margin),
        source=fields.text_or_null("source"),
        space=None if space is None else parse_space(space),
    )


def _mean(values: list[float] | None) -> Float32Array | None:
    with np.errstate(over="ignore"):  # overflow becomes infinity, which Calibration refuses
        return None if values is None else np.asarray(values, np.float32)


def parse_operating_point(fields: Fields) -> OperatingPoint:
    """Parses JSON.  Raises ValueError, which names the wrong member."""
    return fields.built(
        OperatingPoint,
        target=fields.text("target"),
        threshold_similarity=fields.number("threshold_similarity"),
        fmr=fields.optional_number("fmr"),
        fnmr=fields.optional_number("fnmr"),
        n_genuine=fields.integer("n_genuine"),
        n_impostor=fields.integer("n_impostor"),
        fmr_ci95=fields.optional_interval("fmr_ci95"),
        fnmr_ci95=fields.optional_interval("fnmr_ci95"),
        protocol=fields.text("protocol"),
        dataset=fields.text("dataset"),
        metric=fields.choice("metric", Metric),
    )
