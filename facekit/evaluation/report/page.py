"""Makes one HTML page of an evaluation, after ISO/IEC 19795-1, without external resources.

All text from data (names, paths, notes) passes `text`; figures are SVG from `plots.svg`, and crops
are JPEG in data URIs.  The script only moves the threshold of the histograms and opens what is
folded for the printer; the page's policy lets no other script run.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from facekit.evaluation.records import DataSetReport, EvaluationReport, ModelResult
from facekit.evaluation.report.discard import DISCARD_CAPTION, discard_section
from facekit.evaluation.report.groups import groups_section
from facekit.evaluation.report.headline import banner, headline
from facekit.evaluation.report.identification import (
    CMC_CAPTION,
    FNIR_CAPTION,
    identification_section,
)
from facekit.evaluation.report.procedure import procedure_section, run_section
from facekit.evaluation.report.table import models_table, section, table, text
from facekit.evaluation.report.threshold import threshold_section
from facekit.evaluation.report.worst_errors import ErrorGallery, errors_section
from facekit.template.calibration import OperatingPoint
from facekit.template.wording import threshold_text

_CAPTIONS = {
    "roc": "Higher is better; a dot is where the pairs were scored. The shaded part holds fewer "
    "than three false matches: it tells next to nothing.",
    "det": "Lower is better. On the dotted line both rates are equal.",
    "discard": DISCARD_CAPTION,
    "cmc": CMC_CAPTION,
    "fnir": FNIR_CAPTION,
    "folds": "Each fold with the threshold that the other folds chose.",
    "latency": "What one photo takes in each stage, in the median.",
}


@dataclass(frozen=True, slots=True)
class ShownDataSet:
    """The results on one data set with what illustrates them."""

    report: DataSetReport
    figures: Mapping[str, str]
    """SVG elements by name, in the order in which they are shown."""
    galleries: Sequence[ErrorGallery]
    """One of each model."""


def report_html(report: EvaluationReport, shown: Sequence[ShownDataSet]) -> str:
    """Makes the page; `shown` are the data sets of the report."""
    sets = [_data_set(one, number) for number, one in enumerate(shown, 1)]
    parts = [headline(report), banner(report), *sets, run_section(report), _words()]
    style, script = (_beside(name) for name in ("style.css", "threshold.js"))
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = (
        "default-src 'none'; img-src data:; style-src 'unsafe-inline'; "
        f"script-src 'sha256-{digest}'"
    )
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<title>{text(report.title)}</title>\n<link rel="icon" href="data:,">\n'
        f"<style>{style}</style>\n</head>\n<body>\n<main>\n{''.join(parts)}</main>\n"
        f"<script>{script}</script>\n</body>\n</html>\n"
    )


def _beside(name: str) -> str:
    return Path(__file__).with_name(name).read_text(encoding="utf-8")


def _data_set(shown: ShownDataSet, number: int) -> str:
    one = shown.report
    sections = (
        section("Models side by side", models_table(one.models, one.threshold_list_name)),
        threshold_section(one.models, f"cut{number}"),
        procedure_section(one),
        _comparisons(one),
        _all_pairs(one.models),
        discard_section(one.models),
        identification_section(one.models),
        groups_section(one.models),
        _figures(shown.figures),
        *map(errors_section, shown.galleries),
        _failures(one.models),
    )
    title = f"{text(one.title)}, in detail"
    return f'<div class="set"><h2>{title}</h2>\n{"".join(sections)}</div>\n'


def _comparisons(report: DataSetReport) -> str:
    if not report.comparisons:
        return ""
    items = "".join(
        f"<li>{text(c.a)} and {text(c.b)}, on the same {c.pair_count:,} pairs: "
        f"{c.only_a_right_count:,} that only the first gets right, {c.only_b_right_count:,} that "
        f"only the second does; McNemar's exact test gives p = {c.p_value:.3g}.</li>\n"
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
        f"<td>{text(point.target)}</td><td>{text(threshold_text(point.threshold_similarity))}</td>"
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


def _failures(models: tuple[ModelResult, ...]) -> str:
    lists = ""
    for model in models:
        if model.failures:
            items = "".join(
                f"<li>{text(failure.name)}: "
                f"{text(f'{type(failure.error).__name__}: {failure.error}')}</li>\n"
                for failure in model.failures
            )
            summary = f"{text(model.model.label)}: {len(model.failures):,}"
            lists += f"<details><summary>{summary}</summary><ul>{items}</ul></details>\n"
    return section("Photos that gave no embedding", lists) if lists else ""


def _words() -> str:
    return section(
        "Words",
        '<p class="soft">FMR, false match rate: share of impostor pairs (of two people) called the '
        "same person. FNMR, false non-match rate: share of genuine pairs (of one person) called "
        "different; TAR is the rest of them. EER: where FMR and FNMR are equal. Failure to enrol: "
        "share of the first photos of the pairs, and failure to acquire: share of the second "
        "photos, that gave no embedding. Intervals are exact binomial ones at 95 %, which take "
        "pairs as independent; &ldquo;over people&rdquo; resamples people, who occur in several "
        "pairs.</p>",
    )
