"""Converted and quantized files as text, and how far they drift from float32."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from facekit.cli.render.table import Column, labeled, number, table, wrapped

if TYPE_CHECKING:
    from facekit.conversion.detection_drift import DetectionDrift
    from facekit.conversion.drift import Drift
    from facekit.conversion.layer_drift import LayerDrift
    from facekit.evaluation.view1 import Accuracy
    from facekit.tasks.convert import Conversion
    from facekit.tasks.quantize import QuantizedFile

_LISTED_LAYERS = 12


def print_conversion(conversion: Conversion) -> None:
    """Each file's size, and below it what was measured."""
    for file in conversion.files:
        print_file(file.path, file.card.file_size_bytes)
        if file.drift is not None:
            print_any_drift(file.drift)
        if file.compiled is not None:
            report = file.compiled.report
            text = (
                f"{report.npu_share:.1%} of the operators on the NPU, "
                f"{report.estimate.time_ms:.2f} ms estimated at "
                f"{report.estimate.dram_gb_per_s:.2f} GB/s DRAM "
                f"({report.estimate.system_config})"
            )
            _print(wrapped(text, first="  ", others="  "))


def print_file(path: Path, size_bytes: int) -> None:
    _print(labeled([("file", str(path)), ("size", _megabytes(size_bytes))]))


def print_any_drift(drift: Drift | DetectionDrift) -> None:
    from facekit.conversion.detection_drift import DetectionDrift

    if isinstance(drift, DetectionDrift):
        _print_detection_drift(drift)
    else:
        print_drift(drift)


def print_quantized(quantized: QuantizedFile) -> None:
    click.echo(quantized.file.path)
    print_any_drift(quantized.drift)
    if quantized.layers:
        _print_layers(quantized.layers)
    if quantized.accuracies is not None:
        _print_accuracy(*quantized.accuracies)


def _print_detection_drift(drift: DetectionDrift) -> None:
    missed = f"{drift.missed_count} of {len(drift.ious)} missed, {drift.added_count} added"
    _print_lines(
        drift,
        ("boxes", f"overlap float32's by {drift.mean_iou:.4f} (mean IoU)"),
        ("faces", f"{missed}, at the same threshold"),
        ("photos", f"{drift.picture_count}, {drift.pictures_title}"),
    )


def print_drift(drift: Drift) -> None:
    """How far the quantized file is from float32, and what it saves."""
    from facekit.conversion.drift import ENOUGH_CROPS

    crops = f"{drift.crop_count}, {drift.crops_title}"
    if not drift.has_enough_crops:
        crops += f"; only {drift.crop_count} crops: use at least {ENOUGH_CROPS}"
    _print_lines(
        drift,
        ("cosine", f"mean {drift.mean:.5f}, 1st percentile {drift.first_percentile:.5f}, "
         f"minimum {drift.minimum:.5f}"),
        ("crops", crops),
        ("faces", f"the two least alike: {drift.least_alike[0]:.3f} in float32, "
         f"{drift.least_alike[1]:.3f} here"),
    )  # fmt: skip


def _print_lines(drift: Drift | DetectionDrift, *own: tuple[str, str]) -> None:
    a, b = drift.float32, drift.quantized
    lines = [
        *own,
        ("size", f"{_megabytes(b.size_bytes)}, float32 {_megabytes(a.size_bytes)}"),
        ("latency", f"{b.latency_ms:.1f} ms, float32 {a.latency_ms:.1f} ms "
         f"(threads: {drift.threads}, this machine)"),
    ]  # fmt: skip
    if drift.warning:
        lines.append(("warning", drift.warning))
    _print(labeled(lines, indent="  "))


def _print_layers(layers: tuple[LayerDrift, ...]) -> None:
    click.echo("  layers furthest from float32 (error, of which new in this layer):")
    columns = (number("ERROR"), number("NEW"), Column("LAYER"))
    rows = [
        (f"{layer.relative_error:.2%}", f"{layer.added_error:.2%}", layer.key)
        for layer in layers[:_LISTED_LAYERS]
    ]
    _print(f"  {line}" for line in table(columns, rows))


def _print_accuracy(float32: Accuracy, quantized: Accuracy) -> None:
    click.echo(f"  LFW pairsDevTest, {float32.pair_count} pairs, thresholds from pairsDevTrain:")
    columns = [Column("VARIANT"), number("ACCURACY"), number("AT FLOAT32'S"), number("EER")]
    columns += [number(f"TAR {fmr}") for fmr in float32.tar_at_fmr]
    rows = [
        (
            one.variant,
            *(f"{rate:.2%}" for rate in (one.accuracy, one.accuracy_at_float32_threshold, one.eer)),
            *(f"{rate:.1%}" for rate in one.tar_at_fmr.values()),
        )
        for one in (float32, quantized)
    ]
    _print(f"  {line}" for line in table(columns, rows))
    _print(["  at float32's: accuracy at float32's threshold; TAR: at this false match rate"])


def _megabytes(size_bytes: int) -> str:
    return f"{size_bytes / 1e6:.1f} MB"


def _print(lines: Iterable[str]) -> None:
    for line in lines:
        click.echo(line)
