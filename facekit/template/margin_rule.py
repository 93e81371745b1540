"""The least margin of an identification, as a calibration holds it."""

from __future__ import annotations

from dataclasses import dataclass

from facekit.system.fields import Fields


@dataclass(frozen=True, slots=True)
class MarginRule:
    """The least margin of an identification, and what it was measured to gain and to cost.

    The margin is the similarity of the most similar person minus that of the second.  A face whose
    margin is smaller is ambiguous.  `right_count + wrong_count` photos were searched for, all of
    enrolled people, and without a threshold.
    """

    least: float
    """The least difference of cosine similarities at which the first person is named, 0..2."""
    right_lost: float
    """Share of the right answers, 0..1, that are ambiguous by this rule."""
    wrong_caught: float | None
    """Share of the wrong answers, 0..1, that are ambiguous by this rule; None if none was wrong."""
    right_count: int
    """Number of searches whose most similar person was the right one."""
    wrong_count: int
    """Number of searches whose most similar person was another."""
    people_count: int
    """Number of people in the gallery that was searched, with one photo each."""

    def __post_init__(self) -> None:
        if not 0.0 <= self.least <= 2.0:
            raise ValueError(f"A least margin lies in 0..2. Received: {self.least}")
        for name in ("right_lost", "wrong_caught"):
            rate = getattr(self, name)
            if rate is not None and not 0.0 <= rate <= 1.0:
                raise ValueError(f"{name} lies in 0..1. Received: {rate}")
        for name in ("right_count", "wrong_count", "people_count"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must not be negative. Received: {getattr(self, name)}")


def parse_margin_rule(fields: Fields) -> MarginRule:
    """Parses JSON.  Raises ValueError, which names the wrong member."""
    return fields.built(
        MarginRule,
        least=fields.number("least"),
        right_lost=fields.number("right_lost"),
        wrong_caught=fields.optional_number("wrong_caught"),
        right_count=fields.integer("right_count"),
        wrong_count=fields.integer("wrong_count"),
        people_count=fields.integer("people_count"),
    )
