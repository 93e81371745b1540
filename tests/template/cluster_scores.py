"""How well a grouping agrees with the truth: pairwise F and BCubed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Agreement:
    """Precision falls where two people are in one group, recall where one is in two; 0..1."""

    precision: float
    recall: float

    @property
    def f(self) -> float:
        total = self.precision + self.recall
        return 2 * self.precision * self.recall / total if total else 0.0


def pairwise(groups: Sequence[Hashable], truth: Sequence[Hashable]) -> Agreement:
    """Of the pairs put together, how many belong together, and the reverse; 1 where none are."""
    both = _pairs(Counter(zip(groups, truth, strict=True)))
    together, belonging = _pairs(Counter(groups)), _pairs(Counter(truth))
    return Agreement(
        precision=both / together if together else 1.0,
        recall=both / belonging if belonging else 1.0,
    )


def bcubed(groups: Sequence[Hashable], truth: Sequence[Hashable]) -> Agreement:
    """The same for each face, itself included, then the mean (Bagga and Baldwin, 1998).

    Unlike pairwise, a large group counts by its faces and not by their square.
    """
    both = Counter(zip(groups, truth, strict=True))
    in_group, in_truth = Counter(groups), Counter(truth)
    count = len(groups)
    if not count:
        raise ValueError("At least one face is needed.")
    return Agreement(
        precision=sum(n * n / in_group[group] for (group, _), n in both.items()) / count,
        recall=sum(n * n / in_truth[person] for (_, person), n in both.items()) / count,
    )


def _pairs(sizes: Counter[Hashable] | Counter[tuple[Hashable, Hashable]]) -> int:
    return sum(size * (size - 1) // 2 for size in sizes.values())
