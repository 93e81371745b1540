"""One self-contained page of an evaluation: no script, nothing loaded from anywhere.

Everything that comes from data (names, paths, notes) passes `_text`; figures are SVG that
`plots.svg` made, and crops are JPEG in data URIs.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from html import escape
from pathlib import PurePosixPath

from facekit.evaluate.gallery import ShownPair
from facekit.evaluate.metrics import RULE_OF_THREE
from facekit.evaluate.records import (
    EvaluationReport,
    ModelResult,
    Rate,
    ThresholdOrigin,
)
from facekit.evaluate.report_style import CSS
from facekit.models.calibration import OperatingPoint

_CAPTIONS = {
    "roc": "Higher is better; a dot is where the pairs were scored. The shaded part holds fewer "
    "than three false matches: it tells next to nothing.",
    "det": "Lower is better. On the dotted line both rates are equal.",
    "scores": "Similarities of genuine and impostor pairs; to the right of the threshold a pair "
    "is called the same person.",
    "folds": "Each fold with the threshold that the other folds chose.",
    "latency": "What one photo takes in each stage, in the median.",
}
_ORIGINS = {
    ThresholdOrigin.OTHER_FOLDS: "chosen on the other folds",
    ThresholdOrigin.OTHER_LIST: "chosen on another list",
    ThresholdOrigin.CARD: "from the model's card",
    ThresholdOrigin.FIXED: "given",
    ThresholdOrigin.SAME_PAIRS: "chosen on these very pairs: the figures are too good",
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
        _section("Models side by side", _models_table(report.models)),
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
        f'<title>{_text(report.title)}</title>\n<link rel="icon" href="data:,">\n'
        f"<style>{CSS}</style>\n</head>\n<body>\n<main>\n{''.join(parts)}</main>\n</body>\n</html>\n"
    )


def _head(report: EvaluationReport) -> str:
    if report.list_published_as is None:
        origin = '<span class="warn">not one of LFW\'s published lists</span>'
    else:
        origin = f"as published: {_text(report.list_published_as)}"
    facts = (
        f"{_text(report.dataset)} · {_text(report.protocol)} · {_text(report.list_name)} "
        f"(MD5 {_text(report.list_md5)}, {origin})"
    )
    made = f"facekit {_text(report.facekit_version)}, {_text(report.created_utc)}"
    notes = "".join(f"<li>{_text(note)}</li>" for note in report.notes)
    return (
        f"<header><h1>{_text(report.title)}</h1>\n<p>{facts}<br><small>{made}</small></p>\n"
        f"{f'<ul>{notes}</ul>' if notes else ''}</header>\n"
    )


def _models_table(models: tuple[ModelResult, ...]) -> str:
    rows: list[tuple[str, Callable[[ModelResult], str]]] = [
        ("Accuracy", lambda m: _rate(m.accuracy, _by_identity(m))),
        ("Mean of the folds", _fold_mean),
        ("Failures as errors", lambda m: _rate(m.accuracy_failures_wrong)),
        ("Threshold", _threshold),
        ("FMR", lambda m: _rate(m.fmr)),
        ("FNMR", lambda m: _rate(m.fnmr)),
        ("FAR, FMR with failures", lambda m: _rate(m.far)),
        ("FRR, FNMR with failures", lambda m: _rate(m.frr)),
        ("AUC", lambda m: f"{m.auc:.5f}"),
        ("EER", lambda m: f"{m.eer:.2%}"),
    ]
    rows += [
        (f"TAR at FMR {point.target_fmr:g}", partial(_tar, number))
        for number, point in enumerate(models[0].tar_at_fmr)
    ]
    if any(m.val is not None for m in models):
        rows.append(("VAL at FAR", _val))
    rows += [
        ("Failed photos", lambda m: f"{len(m.failed_photos):,} of {m.n_photos:,}"),
        ("Time a photo", _time),
        ("Throughput", _throughput),
        ("File size", lambda m: f"{m.model.file_size_bytes / 1e6:.1f} MB"),
        ("Preprocessing", lambda m: _text(m.model.profile)),
        ("SHA-256", lambda m: f'<small class="wide">{_text(m.model.file_sha256)}</small>'),
    ]
    if all(len(model.fold_accuracies) == 1 for model in models):
        rows = [row for row in rows if row[1] is not _fold_mean]
    head = "".join(
        f'<th scope="col">{_text(m.model.name)}<br>{_text(m.model.variant)}'
        f"{f'<br>{_text(m.model.setup)}' if m.model.setup else ''}</th>"
        for m in models
    )
    body = "".join(
        f'<tr><th scope="row">{name}</th>{"".join(f"<td>{cell(m)}</td>" for m in models)}</tr>\n'
        for name, cell in rows
    )
    return _table("Models side by side", f"<td></td>{head}", body)


def _rate(rate: Rate, more: str = "") -> str:
    low, high = rate.ci95
    return (
        f"{rate.value:.2%}<small>{rate.n_events:,} of {rate.n_trials:,}</small>"
        f"<small>95 %: {low:.2%} to {high:.2%}</small>{more}"
    )


def _by_identity(model: ModelResult) -> str:
    if model.accuracy_ci95_by_identity is None:
        return ""
    low, high = model.accuracy_ci95_by_identity
    return f"<small>over people: {low:.2%} to {high:.2%}</small>"


def _fold_mean(model: ModelResult) -> str:
    folds = model.fold_accuracies
    if len(folds) == 1:
        return "one fold"
    return (
        f"{model.fold_accuracy_mean:.2%} ± {model.fold_accuracy_std:.2%}"
        f"<small>{len(folds)} folds</small>"
    )


def _threshold(model: ModelResult) -> str:
    low, high = min(model.fold_thresholds), max(model.fold_thresholds)
    shown = f"{low:.4f}" if low == high else f"{low:.4f} to {high:.4f}"
    marked = ' class="warn"' if model.threshold_origin is ThresholdOrigin.SAME_PAIRS else ""
    return f"{shown}<small{marked}>{_ORIGINS[model.threshold_origin]}</small>"


def _tar(number: int, model: ModelResult) -> str:
    point = model.tar_at_fmr[number]
    if point.tar is None:
        needed = f"{RULE_OF_THREE / point.target_fmr:,.0f}"
        return (
            '<span class="warn">not measurable</span>'
            f"<small>{needed} impostor pairs needed, {model.fmr.n_trials:,} there</small>"
        )
    return f"{_rate(point.tar)}<small>at {point.threshold:.4f}</small>"


def _time(model: ModelResult) -> str:
    if not model.stages:
        return "not measured"
    stages = "".join(f"<small>{_text(s.stage)} {s.median_ms:.1f} ms</small>" for s in model.stages)
    return f"{sum(stage.median_ms for stage in model.stages):.1f} ms{stages}"


def _throughput(model: ModelResult) -> str:
    speed = model.throughput
    if speed is None:
        return "not measured"
    return (
        f"{speed.photos_per_s:.1f} photos/s<small>{speed.n_photos:,} photos, {speed.workers} "
        f"workers, batch 1</small><small>work: pre-processing {speed.pre_processing_s:.1f} s, "
        f"inference {speed.inference_s:.1f} s</small><small>post-processing "
        f"{speed.post_processing_s:.3f} s</small>"
    )


def _val(model: ModelResult) -> str:
    val = model.val
    if val is None:
        return "not by folds"
    marked = "" if val.measurable else '<small class="warn">too few impostor pairs</small>'
    return (
        f"{val.val_mean:.2%} ± {val.val_std:.2%}<small>at FAR {val.far_mean:.2e}, aimed at "
        f"{val.target_far:g} on the other folds</small>{marked}"
    )


def _comparisons(report: EvaluationReport) -> str:
    if not report.comparisons:
        return ""
    items = "".join(
        f"<li>{_text(c.a)} and {_text(c.b)}, on the same {c.n_pairs:,} pairs: {c.only_a_right:,} "
        f"that only the first gets right, {c.only_b_right:,} that only the second does; McNemar's "
        f"exact test gives p = {c.p_value:.3g}.</li>\n"
        for c in report.comparisons
    )
    return _section("Is one better than the other?", f"<ul>{items}</ul>")


def _all_pairs(models: tuple[ModelResult, ...]) -> str:
    rows = "".join(
        f'<tr><th scope="row">{_text(model.model.label)}</th>{_operating_point(point)}</tr>\n'
        for model in models
        for point in model.all_pairs
    )
    if not rows:
        return ""
    head = "".join(
        f'<th scope="col">{name}</th>'
        for name in ("Model", "Chosen for", "Threshold", "FMR", "TAR")
    )
    return _section("Every pair of the photos", _table("Every pair of the photos", head, rows))


def _operating_point(point: OperatingPoint) -> str:
    fmr = "not stated" if point.fmr is None else f"{point.fmr:.3g}"
    tar = "not stated" if point.fnmr is None else f"{1 - point.fnmr:.2%}"
    return (
        f"<td>{_text(point.target)}</td><td>{point.threshold_similarity:.4f}</td>"
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
    return _section("Figures", f'<div class="figures">{shown}</div>')


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
    return _section(f"Worst errors of {_text(gallery.label)}", shown)


def _shown_pair(shown: ShownPair) -> str:
    pair = shown.pair
    similarity = "" if pair.similarity is None else f"{pair.similarity:.3f}"
    names = [PurePosixPath(path).stem.replace("_", " ") for path in (pair.a, pair.b)]
    images = "".join(
        f'<img src="data:image/jpeg;base64,{base64.b64encode(crop).decode()}" alt="{_text(name)}">'
        for crop, name in zip((shown.crop_a, shown.crop_b), names, strict=True)
    )
    fault = f'<p class="names warn">{_text(shown.known_fault)}</p>' if shown.known_fault else ""
    return (
        f'<li><div class="crops">{images}</div><p class="score">{similarity} '
        f"<small>threshold {pair.threshold:.3f}</small></p>"
        f'<p class="names">{_text(names[0])}<br>{_text(names[1])}<br>line {pair.line}</p>'
        f"{fault}</li>\n"
    )


def _failures(models: tuple[ModelResult, ...]) -> str:
    lists = ""
    for model in models:
        if model.failed_photos:
            items = "".join(
                f"<li>{_text(photo.path)}: {_text(photo.reason)}</li>\n"
                for photo in model.failed_photos
            )
            summary = f"{_text(model.model.label)}: {len(model.failed_photos):,}"
            lists += f"<details><summary>{summary}</summary><ul>{items}</ul></details>\n"
    return _section("Photos that gave no embedding", lists) if lists else ""


def _words() -> str:
    return _section(
        "Words",
        '<p class="soft">FMR: share of impostor pairs called the same person. FNMR: share of '
        "genuine pairs called different; TAR is the rest of them. EER: where FMR and FNMR are "
        "equal. Intervals are exact binomial ones at 95 %, which take pairs as independent; "
        "&ldquo;over people&rdquo; resamples people, who occur in several pairs.</p>",
    )


def _section(title: str, content: str) -> str:
    return f"<section><h2>{title}</h2>\n{content}</section>\n"


def _table(name: str, head: str, body: str) -> str:
    # Focusable, so that a keyboard can scroll it where it is wider than the page.
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{name}"><table>\n'
        f"<thead><tr>{head}</tr></thead>\n<tbody>{body}</tbody>\n</table></div>\n"
    )


def _text(value: str) -> str:
    return escape(value, quote=True)
