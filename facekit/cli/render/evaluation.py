"""An evaluation as a table for the terminal."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

from facekit.cli.render.group_rates import group_lines
from facekit.cli.render.identification_rates import identification_rows
from facekit.cli.render.table import Column, number, table, table_in_blocks, wrapped

if TYPE_CHECKING:
    from facekit.evaluation.records import DataSetReport, EvaluationReport, ModelResult, Rate
    from facekit.tasks.evaluate_liveness import LivenessReport

_ORIGINS = {
    "other-folds": "the other folds",
    "card": "what the model's card says",
    "fixed": "other photos, by who gave it",
    "same-pairs": "THESE VERY PAIRS",
}


def report_text(report: EvaluationReport) -> str:
    """Each data set: a row a figure, a column a result; then comparisons and notes."""
    return "\n\n\n".join(map(_data_set_text, report.data_sets))


def liveness_text(report: LivenessReport) -> str:
    """A row for bona fide presentations and for each species of attack, then what to know."""
    rates = report.rates
    rows = [
        ("bona fide", f"{rates.presentation_count:,}", _share(rates.bpcer), _share(rates.bpnrr)),
        *(
            (one.species, f"{one.presentation_count:,}", _share(one.apcer), _share(one.apnrr))
            for one in rates.species
        ),
    ]
    columns = (
        *(Column("PRESENTATIONS"), number("PHOTOS"), number("ERROR RATE")),
        number("NON-RESPONSE"),
    )
    worst = rates.worst
    headline = "no attack was answered"
    if worst is not None:
        headline = f"APCER {_share(worst.apcer)}, of its worst species, {worst.species}"
    acer = "-" if rates.acer is None else f"{100 * rates.acer:.1f} %"
    sentences = (
        f"{report.model} on {report.dataset}: {headline}; BPCER {_share(rates.bpcer)}; "
        f"ACER, their mean, {acer}",
        f"threshold {report.threshold_score:g}: {report.threshold_source}; faces found by "
        f"{report.face_detector}",
        "Error rate: of attacks APCER, the share classified as bona fide; of bona fide BPCER, the "
        "share classified as attacks; each with its 95 % interval, non-responses left out. They "
        "hold for these photos and instruments, and for no others.",
    )
    first, *others = (wrapped(one, others="  ") for one in sentences)
    lines = [*first, "", *table(columns, rows), "", *(line for one in others for line in one)]
    return "\n".join(lines)


def _share(found: Rate | None) -> str:
    if found is None:
        return "-"
    low, high = found.ci95
    return f"{100 * found.value:.1f} % ({100 * low:.1f} to {100 * high:.1f})"


def _data_set_text(report: DataSetReport) -> str:
    published = "not a published list"
    if report.list_published_as:
        published = f"LFW's {report.list_published_as}, as published"
    first = report.models[0]
    columns = [Column(""), *(Column(f"{m.model.name} {m.model.variant}") for m in report.models)]
    rows = [(name, *map(cell, report.models)) for name, cell in _rows(report)]
    lines = [
        *wrapped(
            f"{report.dataset}, {report.list_name}: {len(first.pairs):,} pairs of "
            f"{first.photo_count:,} photos ({published})"
        ),
        "",
        *table_in_blocks(columns, rows),
    ]
    for comparison in report.comparisons:
        text = (
            f"{comparison.a} against {comparison.b}, {comparison.pair_count:,} pairs: "
            f"only the first right {comparison.only_a_right_count}, "
            f"only the second {comparison.only_b_right_count}; McNemar p = {comparison.p_value:.3g}"
        )
        lines += ["", *wrapped(text)]
    for model in report.models:
        if model.groups:
            lines += ["", *group_lines(model.model.label, model.groups)]
    lines += ["", *(line for one in report.notes for line in wrapped(one, first="- ", others="  "))]
    return "\n".join(lines).rstrip()


Cell: TypeAlias = "Callable[[ModelResult], str]"


def _rows(report: DataSetReport) -> list[tuple[str, Cell]]:
    models = report.models
    chosen = {**_ORIGINS, "other-list": f"{report.threshold_list_name}"}
    rows: list[tuple[str, Cell]] = [
        ("setup", lambda m: m.model.setup),
        ("accuracy", lambda m: _rate(m.accuracy)),
        ("  95 % by pair", lambda m: _interval(m.accuracy.ci95)),
        ("  95 % by person", lambda m: _interval(m.accuracy_ci95_by_identity)),
        ("  mean of folds", _fold_mean),
        ("  failures wrong", lambda m: _rate(m.accuracy_failures_wrong)),
        ("threshold", lambda m: _thresholds(m)[0]),
        ("  as distance", lambda m: _thresholds(m)[1]),
        ("  chosen on", lambda m: chosen[m.threshold_origin.value]),
        ("FMR", lambda m: _rate(m.fmr)),
        ("FNMR", lambda m: _rate(m.fnmr)),
        ("FAR", lambda m: _rate(m.far)),
        ("FRR", lambda m: _rate(m.frr)),
        ("EER", lambda m: f"{m.eer:.2%}"),
        ("AUC", lambda m: f"{m.auc:.5f}"),
        ("VAL at FAR", _val),
    ]
    rows += [
        (f"TAR at FMR {point.target_fmr:g}", partial(_tar, number))
        for number, point in enumerate(models[0].tar_at_fmr)
    ]
    rows.append(("all pairs", _pair_counts))
    rows += [
        (f"all pairs, {point.target}", partial(_all_pairs, point.target))
        for point in models[0].all_pairs
    ]
    rows += identification_rows(models)
    rows += [
        ("failed photos", lambda m: f"{len(m.failures)} of {m.photo_count:,}"),
        ("ms a photo", lambda m: "  ".join(f"{s.stage} {s.median_ms:.1f}" for s in m.stages)),
        ("photos a second", _speed),
        ("pre/inf/post", _phases),
        ("file", lambda m: f"{m.model.file_size_bytes / 1e6:.1f} MB"),
    ]
    return [row for row in rows if any(map(row[1], models))]


def _rate(rate: Rate) -> str:
    return f"{rate.value:.2%} ({rate.event_count:,} of {rate.trial_count:,})"


def _interval(ends: tuple[float, float] | None) -> str:
    return "" if ends is None else f"{ends[0]:.2%} to {ends[1]:.2%}"


def _fold_mean(model: ModelResult) -> str:
    if len(model.fold_accuracies) == 1:
        return ""
    return f"{model.fold_accuracy_mean:.2%} ± {model.fold_accuracy_std:.2%}"


def _thresholds(model: ModelResult) -> tuple[str, str]:
    from facekit.template.wording import thresholds_text

    return thresholds_text(model.fold_threshold_similarities)


def _val(model: ModelResult) -> str:
    val = model.val
    if val is None:
        return ""
    marked = "" if val.measurable else ", too few pairs"
    return (
        f"{val.val_mean:.2%} ± {val.val_std:.2%} at {val.far_mean:.2e} "
        f"(aimed at {val.target_far:g}{marked})"
    )


def _tar(number: int, model: ModelResult) -> str:
    tar = model.tar_at_fmr[number].tar
    return "not measurable" if tar is None else _rate(tar)


def _pair_counts(model: ModelResult) -> str:
    counts = next(((one.n_impostor, one.n_genuine) for one in model.all_pairs), None)
    return "" if counts is None else f"{counts[0]:,} impostor, {counts[1]:,} genuine"


def _all_pairs(target: str, model: ModelResult) -> str:
    point = next((one for one in model.all_pairs if one.target == target), None)
    if point is None or point.fnmr is None or point.fmr is None:
        return "not measurable"
    return (
        f"TAR {1 - point.fnmr:.2%} at FMR {point.fmr:.2e}, similarity >= "
        f"{point.threshold_similarity:.4f}"
    )


def _speed(model: ModelResult) -> str:
    speed = model.throughput
    if speed is None:
        return ""
    return f"{speed.photos_per_s:.1f} ({speed.crew} x batch 1)"


def _phases(model: ModelResult) -> str:
    speed = model.throughput
    if speed is None:
        return ""
    return (
        f"{speed.pre_processing_s:.1f} / {speed.inference_s:.1f} / "
        f"{speed.post_processing_s:.3f} s of work, {speed.wall_s:.1f} s by the clock"
    )
