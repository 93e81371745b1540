"""Makes one HTML page of an evaluation, without scripts and external resources.

All text from data (names, paths, notes) passes `text`; figures are SVG from `plots.svg`, and crops
are JPEG in data URIs.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from facekit.evaluation.records import DataSetReport, EvaluationReport, ModelResult
from facekit.evaluation.report.discard import DISCARD_CAPTION, discard_section
from facekit.evaluation.report.table import models_table, section, table, text
from facekit.evaluation.report.worst_errors import ShownPair
from facekit.template.calibration import OperatingPoint
from facekit.template.wording import threshold_text

_CAPTIONS = {
    "roc": "Higher is better; a dot is where the pairs were scored. The shaded part holds fewer "
    "than three false matches: it tells next to nothing.",
    "det": "Lower is better. On the dotted line both rates are equal.",
    "scores": "Similarities of genuine and impostor pairs; to the right of the threshold a pair "
    "is called the same person.",
    "discard": DISCARD_CAPTION,
    "folds": "Each fold with the threshold that the other folds chose.",
    "latency": "What one photo takes in each stage, in the median.",
}

_CSS = """
:root { color-scheme: light dark; --ink: #1c2127; --soft: #5b6570; --line: #d9dee4;
  --ground: #f6f7f9; --card: #ffffff; --warn: #9a5b00; --bad: #b3263a; --good: #1f7a50; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6e9ed; --soft: #9aa5b1; --line: #343b44; --ground: #14181d; --card: #1d2229;
    --warn: #e5b15c; --bad: #f07f8d; --good: #6cc79b; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--ink);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
main { max-width: 1180px; margin: 0 auto; padding: 24px 16px 64px; }
h1 { font-size: 1.6rem; line-height: 1.2; margin: 0 0 8px; overflow-wrap: anywhere; }
h2 { font-size: 1.2rem; margin: 40px 0 12px; }
h3 { font-size: 1rem; margin: 24px 0 8px; overflow-wrap: anywhere; }
p, li { max-width: 75ch; overflow-wrap: anywhere; }
.soft, small { color: var(--soft); }
small { font-size: .8rem; }
.warn { color: var(--warn); }
.scroll { overflow-x: auto; background: var(--card); border: 1px solid var(--line);
  border-radius: 8px; }
.scroll:focus-visible { outline: 2px solid var(--soft); }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: left; vertical-align: top; padding: 8px 12px;
  border-bottom: 1px solid var(--line); }
tr:last-child > * { border-bottom: 0; }
tbody th { font-weight: 500; color: var(--soft); min-width: 7.5rem; }
td { min-width: 9rem; }
td small { display: block; }
.wide { overflow-wrap: anywhere; }
.figures { display: grid; gap: 16px; align-items: start;
  grid-template-columns: repeat(auto-fit, minmax(min(100%, 480px), 1fr)); }
figure { margin: 0; padding: 12px; background: var(--card); border: 1px solid var(--line);
  border-radius: 8px; min-width: 0; }
figure svg { display: block; width: 100%; height: auto; }
figcaption { color: var(--soft); font-size: .85rem; margin-top: 8px; }
.pairs { display: grid; gap: 12px; padding: 0; margin: 0; list-style: none;
  grid-template-columns: repeat(auto-fill, minmax(min(100%, 200px), 1fr)); }
.pairs li { background: var(--card); border: 1px solid var(--line); border-radius: 8px;
  padding: 10px; min-width: 0; }
.crops { display: grid; grid-template-columns: 1fr 1fr; gap: 6px; }
.crops img { width: 100%; height: auto; border-radius: 4px; display: block; }
.score { font-weight: 600; font-variant-numeric: tabular-nums; margin: 8px 0 2px; }
.score small { font-weight: 400; }
.match .score { color: var(--bad); }
.miss .score { color: var(--warn); }
.names { font-size: .8rem; color: var(--soft); margin: 0; }
details { margin-top: 12px; }
@media (max-width: 480px) {
  th, td { padding: 6px 8px; } td { min-width: 7.5rem; } body { font-size: 15px; }
  .pairs { grid-template-columns: 1fr 1fr; } }
"""
"""The style for light and dark pages, from 320 px of width."""


@dataclass(frozen=True, slots=True)
class ErrorGallery:
    """A model's worst errors, the worst one first."""

    label: str
    false_matches: tuple[ShownPair, ...]
    false_non_matches: tuple[ShownPair, ...]
    crop: str
    """Description of the crop rule for readers."""


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
    parts = [_head(report), *map(_data_set, shown), _words()]
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<title>{text(report.title)}</title>\n<link rel="icon" href="data:,">\n'
        f"<style>{_CSS}</style>\n</head>\n<body>\n<main>\n{''.join(parts)}</main>\n</body>\n</html>\n"
    )


def _head(report: EvaluationReport) -> str:
    made = f"facekit {text(report.facekit_version)}, {text(report.created_utc)}"
    return f"<header><h1>{text(report.title)}</h1>\n<p><small>{made}</small></p></header>\n"


def _data_set(shown: ShownDataSet) -> str:
    one = shown.report
    return "".join(
        (
            _facts(one),
            section("Models side by side", models_table(one.models, one.threshold_list_name)),
            _comparisons(one),
            _all_pairs(one.models),
            discard_section(one.models),
            _figures(shown.figures),
            *map(_gallery, shown.galleries),
            _failures(one.models),
        )
    )


def _facts(report: DataSetReport) -> str:
    if report.list_published_as is None:
        origin = '<span class="warn">not one of LFW\'s published lists</span>'
    else:
        origin = f"as published: {text(report.list_published_as)}"
    facts = (
        f"{text(report.dataset)} · {text(report.protocol)} · {text(report.list_name)} "
        f"(MD5 {text(report.list_md5)}, {origin})"
    )
    notes = "".join(f"<li>{text(note)}</li>" for note in report.notes)
    return f"<p>{facts}</p>\n{f'<ul>{notes}</ul>' if notes else ''}\n"


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


def _gallery(gallery: ErrorGallery) -> str:
    kinds = (
        ("match", "Different people, called the same", gallery.false_matches),
        ("miss", "One person, called different", gallery.false_non_matches),
    )
    shown = f'<p class="soft">Crops as the model sees them: {text(gallery.crop)}.</p>\n'
    for kind, title, pairs in kinds:
        items = "".join(map(_shown_pair, pairs)) if pairs else ""
        content = f'<ul class="pairs {kind}">{items}</ul>' if items else "<p>None.</p>"
        shown += f"<h3>{title}</h3>\n{content}\n"
    return section(f"Worst errors of {text(gallery.label)}", shown)


def _shown_pair(shown: ShownPair) -> str:
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
        f'<li><div class="crops">{images}</div><p class="score">{similarity} '
        f"<small>{text(sign)} {pair.threshold_similarity:.3f}</small></p>"
        f'<p class="names">{text(names[0])}<br>{text(names[1])}<br>line {pair.line}</p>'
        f"{fault}</li>\n"
    )


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
        '<p class="soft">FMR: share of impostor pairs called the same person. FNMR: share of '
        "genuine pairs called different; TAR is the rest of them. EER: where FMR and FNMR are "
        "equal. Intervals are exact binomial ones at 95 %, which take pairs as independent; "
        "&ldquo;over people&rdquo; resamples people, who occur in several pairs.</p>",
    )
