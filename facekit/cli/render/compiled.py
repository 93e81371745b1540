"""What Vela made of a model, as text."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from facekit.cli.render.table import Column, labeled, number, table

if TYPE_CHECKING:
    from facekit.conversion.vela.compile import CompiledModel
    from facekit.conversion.vela.report import Estimate, VelaReport

_SLOWEST = 8


def print_compiled(compiled: CompiledModel) -> None:
    """Where the file is, then where the time goes."""
    report = compiled.report
    lines = [
        ("model", str(compiled.path)),
        ("size", f"{compiled.path.stat().st_size / 1e6:.2f} MB"),
        ("card", str(compiled.card_path or "none: the source has none")),
        ("report", str(compiled.report_path)),
        *_report_lines(report),
        *(("also", _estimate_text(estimate, report)) for estimate in compiled.comparisons),
    ]
    click.echo("\n".join(labeled(lines)))
    click.echo(f"\nthe {_SLOWEST} slowest layers, and what limits them:")
    columns = (
        *(number("MS"), number("SHARE"), Column("LIMITED BY")),
        *(Column("OPERATOR"), Column("LAYER")),
    )
    rows = [
        (
            f"{layer.cycles / report.estimate.clock_hz * 1e3:.3f}",
            f"{layer.cycles / report.estimate.cycles:.1%}",
            layer.bottleneck.value,
            layer.operator,
            layer.name,
        )
        for layer in report.slowest(_SLOWEST)
    ]
    click.echo("\n".join(table(columns, rows)))


def _report_lines(report: VelaReport) -> list[tuple[str, str]]:
    left = report.cpu_operators
    memories = [
        f"{name} {used / 1e6:.2f} MB used, {traffic / 1e6:.1f} MB moved"
        for name, used, traffic in (
            ("SRAM", report.sram_used_bytes, report.sram_traffic_bytes),
            ("DRAM", report.dram_used_bytes, report.dram_traffic_bytes),
            ("flash", report.flash_used_bytes, report.flash_traffic_bytes),
        )
        if used or traffic
    ]
    waits = [f"{one.value} {part:.0%}" for one, part in report.share_of_time.items() if part > 0]
    return [
        (
            "operators",
            f"{report.npu_operator_count} on the NPU, {len(left)} on the CPU "
            f"({report.npu_share:.1%})",
        ),
        *(("on CPU", f"{one.operator} {one.output}: {one.reason}") for one in left),
        ("MACs", f"{report.macs:,}"),
        (
            "weights",
            f"{report.weights_bytes / 1e6:.2f} MB, encoded "
            f"{report.encoded_weights_bytes / 1e6:.2f} MB",
        ),
        ("memory", "; ".join(memories)),
        ("estimate", _estimate_text(report.estimate, report)),
        ("limited by", ", ".join(waits)),
    ]


def _estimate_text(estimate: Estimate, report: VelaReport) -> str:
    """With the bandwidth of those memories that the network uses."""
    bandwidths = [
        f"{name} {gb_per_s:.2f} GB/s"
        for name, gb_per_s, traffic in (
            ("SRAM", estimate.sram_gb_per_s, report.sram_traffic_bytes),
            ("DRAM", estimate.dram_gb_per_s, report.dram_traffic_bytes),
            ("flash", estimate.flash_gb_per_s, report.flash_traffic_bytes),
        )
        if traffic
    ]
    return (
        f"{estimate.time_ms:.2f} ms at {estimate.clock_hz / 1e6:.0f} MHz, "
        f"{', '.join(bandwidths)} ({estimate.system_config})"
    )
