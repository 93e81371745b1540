"""Converted and quantized files as text, and how far they drift from float32."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from facekit.conversion.detection_drift import DetectionDrift
    from facekit.conversion.drift import Drift
    from facekit.conversion.layer_drift import LayerDrift
    from facekit.evaluation.view1 import Accuracy
    from facekit.tasks.convert import Conversion
    from facekit.tasks.quantize import QuantizedFile

_LISTED_LAYERS = 12


def print_conversion(conversion: Conversion) -> None:
    """A line a file, and below it what was measured."""
    for file in conversion.files:
        click.echo(f"{file.path}  {file.card.file_size_bytes / 1e6:.1f} MB")
        if file.drift is not None:
            print_any_drift(file.drift)
        if file.compiled is not None:
            report = file.compiled.report
            click.echo(
                f"  {report.npu_share:.1%} of the operators on the NPU, "
                f"{report.estimate.time_ms:.2f} ms estimated at "
                f"{report.estimate.dram_gb_per_s:.2f} GB/s DRAM "
                f"({report.estimate.system_config})"
            )


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
        ("pictures", f"{drift.picture_count}, {drift.pictures_title}"),
    )


def print_drift(drift: Drift) -> None:
    """How far the quantized file is from float32, and what it saves."""
    few = "" if drift.has_enough_crops else "; few: pass --calibration with 200 photos or more"
    _print_lines(
        drift,
        ("cosine", f"mean {drift.mean:.5f}, 1st percentile {drift.first_percentile:.5f}, "
         f"minimum {drift.minimum:.5f}"),
        ("crops", f"{drift.crop_count}, {drift.crops_title}{few}"),
        ("faces", f"the two least alike: {drift.least_alike[0]:.3f} in float32, "
         f"{drift.least_alike[1]:.3f} here"),
    )  # fmt: skip


def _print_lines(drift: Drift | DetectionDrift, *own: tuple[str, str]) -> None:
    a, b = drift.float32, drift.quantized
    lines = [
        *own,
        ("size", f"{b.size_bytes / 1e6:.1f} MB, float32 {a.size_bytes / 1e6:.1f} MB"),
        ("latency", f"{b.latency_ms:.1f} ms, float32 {a.latency_ms:.1f} ms "
         f"(threads: {drift.threads}, this machine)"),
    ]  # fmt: skip
    if drift.warning:
        lines.append(("warning", drift.warning))
    for label, text in lines:
        click.echo(f"  {label:9}{text}")


def _print_layers(layers: tuple[LayerDrift, ...]) -> None:
    click.echo("  layers furthest from float32 (error, of which new in this layer):")
    for layer in layers[:_LISTED_LAYERS]:
        click.echo(f"    {layer.relative_error:7.2%} {layer.added_error:7.2%}  {layer.key}")


def _print_accuracy(float32: Accuracy, quantized: Accuracy) -> None:
    click.echo(f"  LFW pairsDevTest, {float32.pair_count} pairs, thresholds from pairsDevTrain:")
    for one in (float32, quantized):
        tars = ", ".join(f"{rate:.1%} at FMR {fmr}" for fmr, rate in one.tar_at_fmr.items())
        click.echo(
            f"    {one.variant:9}accuracy {one.accuracy:.2%} (at float32's threshold "
            f"{one.accuracy_at_float32_threshold:.2%}), EER {one.eer:.2%}, TAR {tars}"
        )
