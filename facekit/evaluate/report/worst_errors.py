"""The worst errors of a model, and LFW photos that are filed under a wrong name."""

from __future__ import annotations

from dataclasses import dataclass

from facekit.evaluate.records import ModelResult, PairResult

_ONE_PHOTO = "one photo is filed as {} and as {}"
_OTHER_PERSON = "reported to show {}"

WRONG_LABELS = {
    "Bart_Hendricks/Bart_Hendricks_0001.jpg": _ONE_PHOTO.format("Bart_Hendricks", "Ricky_Ray"),
    "Ricky_Ray/Ricky_Ray_0001.jpg": _ONE_PHOTO.format("Bart_Hendricks", "Ricky_Ray"),
    "Carlos_Beltran/Carlos_Beltran_0001.jpg": _ONE_PHOTO.format("Carlos_Beltran", "Raul_Ibanez"),
    "Raul_Ibanez/Raul_Ibanez_0001.jpg": _ONE_PHOTO.format("Carlos_Beltran", "Raul_Ibanez"),
    "Janica_Kostelic/Janica_Kostelic_0001.jpg": _OTHER_PERSON.format("Anja Paerson"),
    "Michael_Schumacher/Michael_Schumacher_0008.jpg": _OTHER_PERSON.format("Rubens Barrichello"),
    "Recep_Tayyip_Erdogan/Recep_Tayyip_Erdogan_0004.jpg": _OTHER_PERSON.format("Abdullah Gul"),
}
"""LFW's wrong labels as its users report them, by photo; not a complete list.

Errors on these photos are scored as they are, as LFW's rules want it: the list's label counts.
"""


@dataclass(frozen=True, slots=True)
class ShownPair:
    """A pair of the gallery with its two crops as JPEG files."""

    pair: PairResult
    crop_a: bytes
    crop_b: bytes

    @property
    def known_fault(self) -> str:
        """Why the list's own label is doubtful, or ""."""
        faults = (WRONG_LABELS.get(self.pair.a), WRONG_LABELS.get(self.pair.b))
        return "; ".join(dict.fromkeys(fault for fault in faults if fault))


def worst_false_matches(result: ModelResult, limit: int) -> tuple[PairResult, ...]:
    """Different people called the same, furthest above the threshold first."""
    wrong = [pair for pair in result.pairs if pair.called_same and not pair.same]
    return tuple(sorted(wrong, key=_distance_over, reverse=True)[:limit])


def worst_false_non_matches(result: ModelResult, limit: int) -> tuple[PairResult, ...]:
    """One person called different, furthest below the threshold first.

    Pairs without a score are not among them: they are failures to acquire, listed apart.
    """
    wrong = [pair for pair in result.pairs if pair.called_same is False and pair.same]
    return tuple(sorted(wrong, key=_distance_over)[:limit])


def _distance_over(pair: PairResult) -> float:
    if pair.similarity is None:
        raise ValueError(f"Pair {pair.a}, {pair.b} has no score.")
    return pair.similarity - pair.threshold
