"""Sentences that a reader needs to read an evaluation's figures correctly."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from facekit.enums import CropRule, MeasuredBy
from facekit.evaluation.protocols.lfw import WRONG_LABELS
from facekit.evaluation.protocols.plan import Plan, ThresholdOrigin
from facekit.evaluation.records import ModelResult
from facekit.evaluation.setups import Centering, Setup
from facekit.template.wording import CARD_MAKER_TEXT


def notes_on(
    plan: Plan, setups: Sequence[Setup], results: Sequence[ModelResult]
) -> tuple[str, ...]:
    return tuple(_notes(plan, setups, results))


def _notes(plan: Plan, setups: Sequence[Setup], results: Sequence[ModelResult]) -> Iterator[str]:
    if plan.pair_list.published_as is not None:
        yield (
            "The weights were trained on other photos: LFW's protocol “unrestricted, labeled "
            "outside data”."
        )
    crops = [setup.settings.crop for setup in setups]
    if plan.are_crops and all(crop and crop.rule is CropRule.NONE for crop in crops):
        yield (
            "The photos are crops that were cut for other models; they are used whole, and the "
            "thresholds of a card do not apply to them."
        )
    if not plan.pair_list.complete:
        yield "Only a part of the list was scored: the figures cannot be compared with others."
    origins = {result.threshold_origin for result in results}
    if ThresholdOrigin.SAME_PAIRS in origins:
        yield (
            "Where the threshold was chosen on the scored pairs themselves, accuracy, FMR and "
            "FNMR are too good."
        )
    if ThresholdOrigin.OTHER_LIST in origins and plan.training is not None:
        yield f"The thresholds were chosen on {plan.training.name}."
    for model in dict.fromkeys(
        result.model.full_name
        for result in results
        if result.threshold_origin is ThresholdOrigin.CARD
        and result.model.measured_by is MeasuredBy.CARD_MAKER
    ):
        yield f"The threshold of {model} was measured by {CARD_MAKER_TEXT}."
    if ThresholdOrigin.FIXED in origins:
        yield "A given threshold was chosen by its authors, for other weights."
    if any(setup.centering is Centering.CARD for setup in setups):
        yield (
            "A card's mean embedding is that of the photos the card was calibrated on, LFW's "
            "View 1 training list for the models that ship."
        )
    doubtful = sum(
        pair.a.path in WRONG_LABELS or pair.b.path in WRONG_LABELS for pair in plan.pair_list.pairs
    )
    if doubtful:
        yield (
            f"{doubtful} pairs hold a photo that is known to be filed under a wrong name. They "
            "are scored as the list has them, as LFW's rules want it."
        )
    if all(result.throughput is None for result in results):
        yield "Every embedding came from the cache: --recompute measures times."
