"""Error rates of presentation attack detection, as ISO/IEC 30107-3 defines them.

A presentation that the detector does not answer counts in a non-response rate, and in no error
rate.  The species of a presentation attack instrument (PAI) are kept apart: an average over them
would hide the one that the detector does not see.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from facekit.enums import PadDecision
from facekit.evaluation.records import Rate, rate


@dataclass(frozen=True, slots=True)
class SpeciesRates:
    """The error rates on one species of attack, such as prints."""

    species: str
    presentation_count: int
    apcer: Rate | None
    """Attack presentation classification error rate: the share of answered attacks that are
    classified as bona fide; None if none was answered."""
    apnrr: Rate
    """Attack presentation non-response rate."""


@dataclass(frozen=True, slots=True)
class PadRates:
    """The error rates of a detector on bona fide presentations and on each species of attack."""

    presentation_count: int
    """Number of bona fide presentations."""
    bpcer: Rate | None
    """Bona fide presentation classification error rate: the share of answered bona fide
    presentations that are classified as attacks; None if none was answered."""
    bpnrr: Rate
    """Bona fide presentation non-response rate."""
    species: tuple[SpeciesRates, ...]

    @property
    def worst(self) -> SpeciesRates | None:
        """The species with the highest APCER, the first of equal ones; None if none was answered.

        ISO/IEC 30107-3 asks for this maximum as the detector's APCER.
        """
        answered = [one for one in self.species if one.apcer is not None]
        return max(answered, key=lambda one: one.apcer.value if one.apcer else 0.0, default=None)

    @property
    def acer(self) -> float | None:
        """The mean of the worst species' APCER and the BPCER, 0..1, as papers report it."""
        if self.worst is None or self.worst.apcer is None or self.bpcer is None:
            return None
        return (self.worst.apcer.value + self.bpcer.value) / 2

    def to_dict(self) -> dict[str, Any]:
        return {
            "bona_fide": {
                "presentation_count": self.presentation_count,
                "bpcer": self.bpcer and asdict(self.bpcer),
                "bpnrr": asdict(self.bpnrr),
            },
            "attacks": [asdict(one) for one in self.species],
            "worst_species": self.worst and self.worst.species,
            "apcer": self.worst and self.worst.apcer and asdict(self.worst.apcer),
            "acer": self.acer,
        }


def pad_rates(
    bona_fide: Sequence[PadDecision], attacks: Mapping[str, Sequence[PadDecision]]
) -> PadRates:
    """Returns the error rates of the decisions on bona fide presentations, and on each species.

    Raises ZeroDivisionError if there are none of a kind, because no share must then be shown.
    """
    return PadRates(
        presentation_count=len(bona_fide),
        bpcer=_error_rate(bona_fide, PadDecision.ATTACK),
        bpnrr=rate(bona_fide.count(PadDecision.NON_RESPONSE), len(bona_fide)),
        species=tuple(
            SpeciesRates(
                name,
                len(decisions),
                _error_rate(decisions, PadDecision.BONA_FIDE),
                rate(decisions.count(PadDecision.NON_RESPONSE), len(decisions)),
            )
            for name, decisions in attacks.items()
        ),
    )


def _error_rate(decisions: Sequence[PadDecision], wrong: PadDecision) -> Rate | None:
    answered = len(decisions) - decisions.count(PadDecision.NON_RESPONSE)
    return rate(decisions.count(wrong), answered) if answered else None
