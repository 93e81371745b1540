"""Finds the worst errors of a model, and shows them on the report's page."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from pathlib import PurePosixPath

from facekit.evaluation.protocols.lfw import WRONG_LABELS
from facekit.evaluation.records import ModelResult, ScoredPair
from facekit.evaluation.report.table import section, text
from facekit.template.wording import threshold_text


@dataclass(frozen=True, slots=True)
class ShownPair:
    """A pair and its two crops as JPEG files."""

    pair: ScoredPair
    crop_a: bytes
    crop_b: bytes

    @property
    def known_fault(self) -> str:
        """The reason why the list's label is doubtful, or "" if it is not doubtful."""
        faults = (WRONG_LABELS.get(self.pair.a), WRONG_LABELS.get(self.pair.b))
        return "; ".join(dict.fromkeys(fault for fault in faults if fault))


@dataclass(frozen=True, slots=True)
class ErrorGallery:
    """A model's worst errors, the worst one first."""

    label: str
    false_matches: tuple[ShownPair, ...]
    false_non_matches: tuple[ShownPair, ...]
    crop: str
    """Description of the crop rule for readers."""


def worst_false_matches(result: ModelResult, limit: int) -> tuple[ScoredPair, ...]:
    """Returns impostor pairs that match, the one furthest above the threshold first."""
    wrong = [pair for pair in result.pairs if pair.called_same and not pair.same]
    return tuple(sorted(wrong, key=_distance_over, reverse=True)[:limit])


def worst_false_non_matches(result: ModelResult, limit: int) -> tuple[ScoredPair, ...]:
    """Returns genuine pairs that do not match, the one furthest below the threshold first.

    Pairs without a score are left out; they are failures to acquire, which are listed apart.
    """
    wrong = [pair for pair in result.pairs if pair.called_same is False and pair.same]
    return tuple(sorted(wrong, key=_distance_over)[:limit])


def _distance_over(pair: ScoredPair) -> float:
    if pair.similarity is None:
        raise ValueError(f"Pair {pair.a}, {pair.b} has no score.")
    return pair.similarity - pair.threshold_similarity


def errors_section(gallery: ErrorGallery) -> str:
    """Returns the crops of each error; one that is opened is shown large, with its facts."""
    kinds = (
        ("match", "Different people, called the same", gallery.false_matches),
        ("miss", "One person, called different", gallery.false_non_matches),
    )
    shown = (
        f'<p class="soft">Crops as the model sees them: {text(gallery.crop)}. Open one to see it '
        "larger.</p>\n"
    )
    for kind, title, pairs in kinds:
        items = "".join(map(_item, pairs))
        content = f'<ul class="pairs {kind}">{items}</ul>' if items else "<p>None.</p>"
        shown += f"<h4>{title}</h4>\n{content}\n"
    return section(f"Worst errors of {text(gallery.label)}", shown, kind="errors")


def _item(shown: ShownPair) -> str:
    pair = shown.pair
    similarity = "" if pair.similarity is None else f"similarity {pair.similarity:.3f}"
    sign = ">=" if pair.called_same else "<"
    names = [PurePosixPath(path).stem.replace("_", " ") for path in (pair.a, pair.b)]
    images = "".join(
        f'<img src="data:image/jpeg;base64,{base64.b64encode(crop).decode()}" alt="{text(name)}">'
        for crop, name in zip((shown.crop_a, shown.crop_b), names, strict=True)
    )
    fault = f'<p class="names warn">{text(shown.known_fault)}</p>' if shown.known_fault else ""
    return (
        f'<li><details><summary><span class="crops">{images}</span>'
        f'<span class="score">{similarity} '
        f"<small>{text(sign)} {pair.threshold_similarity:.3f}</small></span>"
        f'<span class="names">{text(names[0])}<br>{text(names[1])}</span></summary>'
        f'<p class="names">{text(pair.a)}<br>{text(pair.b)}<br>line {pair.line} of the list, fold '
        f"{pair.fold}; a match: {text(threshold_text(pair.threshold_similarity))}</p></details>"
        f"{fault}</li>\n"
    )
