"""One self-contained page of an evaluation: no script, nothing loaded from anywhere.

Everything that comes from data (names, paths, notes) passes `text`; figures are SVG that
`plots.svg` made, and crops are JPEG in data URIs.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from facekit.evaluate.records import (
    EvaluationReport,
    ModelResult,
)
from facekit.evaluate.report.parts import section, table, text
from facekit.evaluate.report.style import CSS
from facekit.evaluate.report.table import models_table
from facekit.evaluate.report.worst_errors import ShownPair
from facekit.template.calibration import OperatingPoint

_CAPTIONS = {
    "roc": "Higher is better; a dot is where the pairs were scored. The shaded part holds fewer "
    "than three false matches: it tells next to nothing.",
    "det": "Lower is better. On the dotted line both rates are equal.",
    "scores": "Similarities of genuine and impostor pairs; to the right of the threshold a pair "
    "is called the same person.",
    "folds": "Each fold with the threshold that the other folds chose.",
    "latency": "What one photo takes in each stage, in the median.",
}


@dataclass(frozen=True, slots=True)
class Gallery:
    """A model's worst errors, the worst first."""

    label: str
    false_matches: tuple[ShownPair, ...]
    false_non_matches: tuple[ShownPair, ...]


def report_html(
    report: EvaluationReport, *, figures: Mapping[str, str], galleries: Sequence[Gallery]
) -> str:
    """The page.  figures: SVG elements by name, in the order in which they are shown."""
    parts = [
        _head(report),
        section("Models side by side", models_table(report.models)),
        _comparisons(report),
        _all_pairs(report.models),
        _figures(figures),
        *map(_gallery, galleries),
        _failures(report.models),
        _words(),
    ]
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<title>{text(report.title)}</title>\n<link rel="icon" href="data:,">\n'
        f"<style>{CSS}</style>\n</head>\n<body>\n<main>\n{''.join(parts)}</main>\n</body>\n</html>\n"
    )


def _head(report: EvaluationReport) -> str:
    if report.list_published_as is None:
        origin = '<span class="warn">not one of LFW\'s published lists</span>'
    else:
        origin = f"as published: {text(report.list_published_as)}"
    facts = (
        f"{text(report.dataset)} · {text(report.protocol)} · {text(report.list_name)} "
        f"(MD5 {text(report.list_md5)}, {origin})"
    )
    made = f"facekit {text(report.facekit_version)}, {text(report.created_utc)}"
    notes = "".join(f"<li>{text(note)}</li>" for note in report.notes)
    return (
        f"<header><h1>{text(report.title)}</h1>\n<p>{facts}<br><small>{made}</small></p>\n"
        f"{f'<ul>{notes}</ul>' if notes else ''}</header>\n"
    )


def _comparisons(report: EvaluationReport) -> str:
    if not report.comparisons:
        return ""
    items = "".join(
        f"<li>{text(c.a)} and {text(c.b)}, on the same {c.n_pairs:,} pairs: {c.only_a_right:,} "
        f"that only the first gets right, {c.only_b_right:,} that only the second does; McNemar's "
        f"exact test gives p = {c.p_value:.3g}.</li>\n"
        for c in report.comparisons
    )
    return section("Is one better than the other?", f"<ul>{items}</ul>")


def _all_pairs(models: tuple[ModelResult, ...]) -> str:
    rows = "".join(
        f'<tr><th scope="row">{text(model.model.label)}</th>{_operating_point(point)}</tr>\n'
        for model in models
        for point in model.all_pairs
    )
    if not rows:
        return ""
    head = "".join(
        f'<th scope="col">{name}</th>'
        for name in ("Model", "Chosen for", "Threshold", "FMR", "TAR")
    )
    return section("Every pair of the photos", table("Every pair of the photos", head, rows))


def _operating_point(point: OperatingPoint) -> str:
    fmr = "not stated" if point.fmr is None else f"{point.fmr:.3g}"
    tar = "not stated" if point.fnmr is None else f"{1 - point.fnmr:.2%}"
    return (
        f"<td>{text(point.target)}</td><td>{point.threshold_similarity:.4f}</td>"
        f"<td>{fmr}<small>{point.n_impostor:,} impostor pairs</small></td>"
        f"<td>{tar}<small>{point.n_genuine:,} genuine pairs</small></td>"
    )


def _figures(figures: Mapping[str, str]) -> str:
    if not figures:
        return ""
    shown = "".join(
        f"<figure>{element}<figcaption>{_CAPTIONS.get(name, '')}</figcaption></figure>\n"
        for name, element in figures.items()
    )
    return section("Figures", f'<div class="figures">{shown}</div>')


def _gallery(gallery: Gallery) -> str:
    kinds = (
        ("match", "Different people, called the same", gallery.false_matches),
        ("miss", "One person, called different", gallery.false_non_matches),
    )
    shown = ""
    for kind, title, pairs in kinds:
        items = "".join(map(_shown_pair, pairs)) if pairs else ""
        content = f'<ul class="pairs {kind}">{items}</ul>' if items else "<p>None.</p>"
        shown += f"<h3>{title}</h3>\n{content}\n"
    return section(f"Worst errors of {text(gallery.label)}", shown)


def _shown_pair(shown: ShownPair) -> str:
    pair = shown.pair
    similarity = "" if pair.similarity is None else f"{pair.similarity:.3f}"
    names = [PurePosixPath(path).stem.replace("_", " ") for path in (pair.a, pair.b)]
    images = "".join(
        f'<img src="data:image/jpeg;base64,{base64.b64encode(crop).decode()}" alt="{text(name)}">'
        for crop, name in zip((shown.crop_a, shown.crop_b), names, strict=True)
    )
    fault = f'<p class="names warn">{text(shown.known_fault)}</p>' if shown.known_fault else ""
    return (
        f'<li><div class="crops">{images}</div><p class="score">{similarity} '
        f"<small>threshold {pair.threshold:.3f}</small></p>"
        f'<p class="names">{text(names[0])}<br>{text(names[1])}<br>line {pair.line}</p>'
        f"{fault}</li>\n"
    )


def _failures(models: tuple[ModelResult, ...]) -> str:
    lists = ""
    for model in models:
        if model.failed_photos:
            items = "".join(
                f"<li>{text(photo.path)}: {text(photo.reason)}</li>\n"
                for photo in model.failed_photos
            )
            summary = f"{text(model.model.label)}: {len(model.failed_photos):,}"
            lists += f"<details><summary>{summary}</summary><ul>{items}</ul></details>\n"
    return section("Photos that gave no embedding", lists) if lists else ""


def _words() -> str:
    return section(
        "Words",
        '<p class="soft">FMR: share of impostor pairs called the same person. FNMR: share of '
        "genuine pairs called different; TAR is the rest of them. EER: where FMR and FNMR are "
        "equal. Intervals are exact binomial ones at 95 %, which take pairs as independent; "
        "&ldquo;over people&rdquo; resamples people, who occur in several pairs.</p>",
    )
