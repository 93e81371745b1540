"""Makes the HTML elements of the report's page, and the table that compares the models."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from html import escape

from facekit.evaluation.protocols.plan import ThresholdOrigin
from facekit.evaluation.records import ModelResult, Rate
from facekit.template.calibration import RULE_OF_THREE
from facekit.template.wording import threshold_text, thresholds_text

_ORIGINS = {
    ThresholdOrigin.OTHER_FOLDS: "chosen on the other folds",
    ThresholdOrigin.CARD: "from the model's card",
    ThresholdOrigin.FIXED: "given",
    ThresholdOrigin.SAME_PAIRS: "chosen on these very pairs: the figures are too good",
}


def models_table(models: tuple[ModelResult, ...], threshold_list: str | None) -> str:
    """Returns an HTML table with one row per measured value and one column per result."""
    rows: list[tuple[str, Callable[[ModelResult], str]]] = [
        ("Accuracy", lambda m: _rate(m.accuracy, _by_identity(m))),
        ("Mean of the folds", _fold_mean),
        ("Failures as errors", lambda m: _rate(m.accuracy_failures_wrong)),
        ("Threshold", partial(_threshold, threshold_list)),
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
        ("Failed photos", lambda m: f"{len(m.failures):,} of {m.photo_count:,}"),
        ("Time a photo", _time),
        ("Throughput", _throughput),
        ("File size", lambda m: f"{m.model.file_size_bytes / 1e6:.1f} MB"),
        ("Preprocessing", lambda m: text(m.model.profile)),
        ("SHA-256", lambda m: f'<small class="wide">{text(m.model.file_sha256)}</small>'),
    ]
    if all(len(model.fold_accuracies) == 1 for model in models):
        rows = [row for row in rows if row[1] is not _fold_mean]
    head = "".join(
        f'<th scope="col">{text(m.model.name)}<br>{text(m.model.variant)}'
        f"{f'<br>{text(m.model.setup)}' if m.model.setup else ''}</th>"
        for m in models
    )
    body = "".join(
        f'<tr><th scope="row">{name}</th>{"".join(f"<td>{cell(m)}</td>" for m in models)}</tr>\n'
        for name, cell in rows
    )
    return table("Models side by side", f"<td></td>{head}", body)


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


def section(title: str, content: str) -> str:
    return f"<section><h2>{title}</h2>\n{content}</section>\n"


def table(name: str, head: str, body: str) -> str:
    # Focusable, so that a keyboard can scroll a table that is wider than the page.
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{name}"><table>\n'
        f"<thead><tr>{head}</tr></thead>\n<tbody>{body}</tbody>\n</table></div>\n"
    )


def text(value: str) -> str:
    return escape(value, quote=True)
