"""Makes the HTML elements of the report's page, and the table that compares the models."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from html import escape
from typing import TypeAlias

from facekit.evaluation.protocols.plan import ThresholdOrigin
from facekit.evaluation.records import ModelResult, Rate, rate
from facekit.template.calibration import RULE_OF_THREE
from facekit.template.wording import threshold_text, thresholds_text

_ORIGINS = {
    ThresholdOrigin.OTHER_FOLDS: "chosen on the other folds",
    ThresholdOrigin.CARD: "from the model's card",
    ThresholdOrigin.FIXED: "given",
    ThresholdOrigin.SAME_PAIRS: "chosen on these very pairs: the figures are too good",
}


Row: TypeAlias = "tuple[str, Callable[[ModelResult], str]]"


def models_table(models: tuple[ModelResult, ...], threshold_list: str | None) -> str:
    """Returns an HTML table with one column per result, and a second one that is folded."""
    rows: list[Row] = [
        ("Accuracy", lambda m: _rate(m.accuracy, _by_identity(m))),
        ("Threshold", partial(_threshold, threshold_list)),
        ("FMR", lambda m: _rate(m.fmr)),
        ("FNMR", lambda m: _rate(m.fnmr)),
        ("EER", lambda m: f"{m.eer:.2%}"),
        ("Failure to enrol", lambda m: _rate(_lost(m, {pair.a for pair in m.pairs}))),
        ("Failure to acquire", lambda m: _rate(_lost(m, {pair.b for pair in m.pairs}))),
    ]
    more: list[Row] = [
        ("Mean of the folds", _fold_mean),
        ("Failures as errors", lambda m: _rate(m.accuracy_failures_wrong)),
        ("FAR, FMR with failures", lambda m: _rate(m.far)),
        ("FRR, FNMR with failures", lambda m: _rate(m.frr)),
        ("AUC", lambda m: f"{m.auc:.5f}"),
    ]
    more += [
        (f"TAR at FMR {point.target_fmr:g}", partial(_tar, number))
        for number, point in enumerate(models[0].tar_at_fmr)
    ]
    if any(m.val is not None for m in models):
        more.append(("VAL at FAR", _val))
    more += [
        ("Time a photo", _time),
        ("Throughput", _throughput),
        ("File size", lambda m: f"{m.model.file_size_bytes / 1e6:.1f} MB"),
        ("Preprocessing", lambda m: text(m.model.profile)),
        ("SHA-256", lambda m: f'<small class="wide">{text(m.model.file_sha256)}</small>'),
    ]
    if all(len(model.fold_accuracies) == 1 for model in models):
        more = [row for row in more if row[1] is not _fold_mean]
    folded = _columns("Models side by side, more", models, more)
    return (
        f"{_columns('Models side by side', models, rows)}<details><summary>TAR at given FMRs, AUC, "
        f"times, files</summary>\n{folded}</details>\n"
    )


def _columns(name: str, models: tuple[ModelResult, ...], rows: Sequence[Row]) -> str:
    head = "".join(
        f'<th scope="col">{text(m.model.name)}<br>{text(m.model.variant)}'
        f"{f'<br>{text(m.model.setup)}' if m.model.setup else ''}</th>"
        for m in models
    )
    body = "".join(
        f'<tr><th scope="row">{name}</th>{"".join(f"<td>{cell(m)}</td>" for m in models)}</tr>\n'
        for name, cell in rows
    )
    return table(name, f"<td></td>{head}", body)


def _lost(model: ModelResult, photos: set[str]) -> Rate:
    return rate(len(photos.intersection(one.name for one in model.failures)), len(photos))


def _rate(rate: Rate, more: str = "") -> str:
    low, high = rate.ci95
    return (
        f"{rate.value:.2%}<small>{rate.event_count:,} of {rate.trial_count:,}</small>"
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


def _threshold(threshold_list: str | None, model: ModelResult) -> str:
    similarity, as_distance = thresholds_text(model.fold_threshold_similarities)
    origin = _ORIGINS.get(model.threshold_origin, f"chosen on {threshold_list}")
    marked = ' class="warn"' if model.threshold_origin is ThresholdOrigin.SAME_PAIRS else ""
    return (
        f"{text(similarity)}<small>{text(as_distance)}</small><small{marked}>{text(origin)}</small>"
    )


def _tar(number: int, model: ModelResult) -> str:
    point = model.tar_at_fmr[number]
    if point.tar is None:
        needed = f"{RULE_OF_THREE / point.target_fmr:,.0f}"
        return (
            '<span class="warn">not measurable</span>'
            f"<small>{needed} impostor pairs needed, {model.fmr.trial_count:,} there</small>"
        )
    return _rate(point.tar, _at(point.threshold_similarity))


def _at(similarity: float | None) -> str:
    return "" if similarity is None else f"<small>{text(threshold_text(similarity))}</small>"


def _time(model: ModelResult) -> str:
    if not model.stages:
        return "not measured"
    stages = "".join(f"<small>{text(s.stage)} {s.median_ms:.1f} ms</small>" for s in model.stages)
    return f"{sum(stage.median_ms for stage in model.stages):.1f} ms{stages}"


def _throughput(model: ModelResult) -> str:
    speed = model.throughput
    if speed is None:
        return "not measured"
    return (
        f"{speed.photos_per_s:.1f} photos/s<small>{speed.photo_count:,} photos, {speed.crew}, "
        f"batch 1</small><small>work: pre-processing {speed.pre_processing_s:.1f} s, "
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


def section(title: str, content: str, *, kind: str = "") -> str:
    marked = f' class="{kind}"' if kind else ""
    return f"<section{marked}><h3>{title}</h3>\n{content}</section>\n"


def table(name: str, head: str, body: str) -> str:
    # Focusable, so that a keyboard can scroll a table that is wider than the page.
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{name}"><table>\n'
        f"<thead><tr>{head}</tr></thead>\n<tbody>{body}</tbody>\n</table></div>\n"
    )


def text(value: str) -> str:
    return escape(value, quote=True)
