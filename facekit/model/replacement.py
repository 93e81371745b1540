"""Tells what an import would change: the models that it replaces, with their thresholds.

A name of the registry counts as taken even if the model is not stored: whoever uses the name
relies on the thresholds that ship with facekit.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from facekit.enums import MeasuredBy
from facekit.errors import ModelMismatchError, UsageError
from facekit.model import registry
from facekit.model.card import Card, read_card
from facekit.model.shipped_calibrations import shipped_calibration
from facekit.model.store import CARD_SUFFIX, card_for_store, stored_variants, variant_path
from facekit.template.calibration import Calibration

_UNKNOWN = ("its thresholds are unknown",)


@dataclass(frozen=True, slots=True)
class Replacement:
    """A model whose file, card or figures an import would change."""

    model: str
    """"name:variant" """
    reason: str
    """What differs, in words."""
    thresholds: tuple[str, ...]
    """What happens to its thresholds, in words: each that differs, before and after."""

    def __str__(self) -> str:
        return "\n    ".join((f"{self.model} ({self.reason})", *self.thresholds))


def replacements(cards: Iterable[Card]) -> tuple[Replacement, ...]:
    """Returns what importing models with these cards would replace."""
    found = (_replacement(card_for_store(card)) for card in cards)
    return tuple(one for one in found if one is not None)


def require_allowed(replaced: Iterable[Replacement], *, force: bool) -> None:
    """Raises UsageError, which states every change, if something is replaced without `force`."""
    changes = [str(one) for one in replaced]
    if changes and not force:
        listed = "\n  ".join(changes)
        raise UsageError(f"Known models would be replaced. Pass --force to allow it:\n  {listed}")


def removals(name: str) -> tuple[Replacement, ...]:
    """Returns what installing other weights as `name` takes away: its stored variants."""
    return tuple(_removal(name, variant) for variant in stored_variants(name))


def _removal(name: str, variant: str) -> Replacement:
    model, reason = f"{name}:{variant}", "of other weights"
    try:
        card = read_card(variant_path(name, variant).with_suffix(CARD_SUFFIX))
    except ModelMismatchError:
        return Replacement(model, reason, _UNKNOWN)
    return Replacement(model, reason, threshold_changes(card.calibration, Calibration()))


def threshold_changes(before: Calibration, after: Calibration) -> tuple[str, ...]:
    """Returns each threshold that differs, with its detector, before and after, in words.

    Returns one sentence if there are thresholds, and none differs.
    """
    old, new = dict(_thresholds(before)), dict(_thresholds(after))
    changes = tuple(
        f"{name}: {_change(old.get(name), new.get(name))}"
        for name in dict.fromkeys((*old, *new))
        if old.get(name) != new.get(name)
    )
    return changes or (("its thresholds stay the same",) if new else ())


def _replacement(card: Card) -> Replacement | None:
    path = variant_path(card.name, card.variant).with_suffix(CARD_SUFFIX)
    if path.exists():
        try:
            stored = card_for_store(read_card(path))
        except ModelMismatchError:
            return Replacement(card.full_name, "in place of a damaged card", _UNKNOWN)
        if stored.to_json() == card.to_json():
            return None
        differs = "file" if stored.file_sha256 != card.file_sha256 else "card"
        return _described(card, f"another {differs} than the stored one", stored.calibration)
    if card.name not in registry.names():
        return None
    entry = registry.entry(card.name)
    usual = shipped_calibration(card.name, card.variant) or shipped_calibration(
        card.name, entry.variants[0]
    )
    before = entry.card.calibration if usual is None else usual.calibration
    if card.source.sha256 != entry.source.sha256:
        return _described(card, "of other weights than the model that facekit knows", before)
    if card.calibration.all_measured_by is MeasuredBy.CARD_MAKER and not _has_all(before, card):
        return _described(card, "with other figures than those that ship with facekit", before)
    return None


def _described(card: Card, reason: str, before: Calibration) -> Replacement:
    return Replacement(card.full_name, reason, threshold_changes(before, card.calibration))


def _has_all(ours: Calibration, card: Card) -> bool:
    """Returns whether every figure of the card is in `ours`; some detectors may be missing."""
    known = [_figures(one) for one in (ours, *ours.others)]
    return all(_figures(one) in known for one in (card.calibration, *card.calibration.others))


def _figures(calibration: Calibration) -> tuple[object, ...]:
    return calibration.operating_points, calibration.fmr_curve, calibration.probability


def _thresholds(calibration: Calibration) -> Iterator[tuple[str, float]]:
    for one in (calibration, *calibration.others):
        detector = "" if one.detector is None else f" with {one.detector}"
        for point in one.operating_points:
            yield f"{point.target}{detector}", point.threshold_similarity


def _change(before: float | None, after: float | None) -> str:
    if after is None:
        return f"similarity >= {before:.4f} goes away"
    if before is None:
        return f"similarity >= {after:.4f} is new"
    return f"similarity >= {before:.4f} becomes {after:.4f}"
