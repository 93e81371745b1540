"""Finds enrolled people who are so similar that one may be taken for the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from facekit.enums import PersonRule
from facekit.gallery.gallery import Gallery
from facekit.template.space import TemplateSpace

_BATCH = 256  # templates that are searched for at once
_NEAREST = 6  # people that each template is compared with in the result, its own one among them


@dataclass(frozen=True, slots=True)
class Lookalikes:
    """Two enrolled people, and the similarity of their two most similar templates."""

    name: str
    other: str
    similarity: float
    """Cosine similarity, -1..1."""

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def find_lookalikes(
    gallery: Gallery,
    space: TemplateSpace,
    *,
    threshold_similarity: float,
    names: Sequence[str] | None = None,
) -> list[Lookalikes]:
    """Returns the pairs of people whose templates reach a threshold, the most similar pair first.

    `names`: the people to compare with everybody; None means all.  `space` is the gallery's.  Each
    template is compared with the people who are most similar to it, so that of many people who all
    look alike not every pair is in the result.  Raises StorageError if the gallery cannot be read.
    """
    found = [
        (owner, template.vector)
        for name in ([None] if names is None else names)
        for owner, template in gallery.templates(name)
    ]
    best: dict[tuple[str, str], float] = {}
    for start in range(0, len(found), _BATCH):
        batch = found[start : start + _BATCH]
        vectors = np.stack([vector for _, vector in batch])
        ranked = gallery.rank(vectors, space, rule=PersonRule.BEST, top=_NEAREST)
        for (owner, _), candidates in zip(batch, ranked, strict=True):
            for one in candidates:
                if one.name != owner and one.similarity >= threshold_similarity:
                    pair = min(owner, one.name), max(owner, one.name)
                    best[pair] = max(one.similarity, best.get(pair, -1.0))
    pairs = [Lookalikes(*pair, similarity) for pair, similarity in best.items()]
    return sorted(pairs, key=lambda pair: (-pair.similarity, pair.name, pair.other))
