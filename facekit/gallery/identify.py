"""Who is it?  A face against everybody in a gallery."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from facekit.enums import PersonRule
from facekit.gallery.gallery import Gallery
from facekit.gallery.records import Candidate, GalleryModel
from facekit.types import Float32Array


@dataclass(frozen=True, slots=True)
class Identification:
    """The answer for one face."""

    known: bool
    """is the best candidate at or above the threshold?"""
    candidates: tuple[Candidate, ...]
    """best first, whether known or not; empty where nobody is enrolled"""
    margin: float | None
    """how much more similar the first is than the second; None without a second"""


def identify(
    gallery: Gallery,
    queries: Float32Array,
    model: GalleryModel,
    *,
    threshold_similarity: float,
    rule: PersonRule = PersonRule.BEST,
    top: int = 5,
) -> list[Identification]:
    """(Q, D) unit vectors -> Q answers.  Raises ModelMismatchError, StorageError."""
    ranked = gallery.rank(queries, model, rule=rule, top=max(top, 2))  # 2: for the margin
    return [_answer(best, threshold_similarity, top) for best in ranked]


def _answer(best: Sequence[Candidate], threshold_similarity: float, top: int) -> Identification:
    return Identification(
        known=bool(best) and best[0].similarity >= threshold_similarity,
        candidates=tuple(best[:top]),
        margin=best[0].similarity - best[1].similarity if len(best) > 1 else None,
    )
