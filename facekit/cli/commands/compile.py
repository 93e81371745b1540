"""facekit compile"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from facekit.cli.options import json_option
from facekit.cli.render.output import emit_json, note

if TYPE_CHECKING:
    from facekit.convert.vela.compile import CompiledModel
    from facekit.convert.vela.report import Estimate, VelaReport

_SLOWEST = 8


@click.command("compile")
@click.argument("model", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--target",
    "target_name",
    default="imx93",
    show_default=True,
    help="Name of a target (imx93, ethos-u55-128, ...) or a .toml file; see configs/targets.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder to write to.  [default: model_TARGET beside the model]",
)
@click.option("--compare/--no-compare", default=True, help="Estimate under other bandwidths too.")
@click.option(
    "--weight-bits",
    type=click.IntRange(4, 8),
    default=8,
    show_default=True,
    help="Narrow the weights that the NPU waits for; 6: smaller, faster, to be calibrated anew.",
)
@click.option("--allow-cpu", is_flag=True, help="Accept a network that is left on the CPU.")
@click.option("--force", is_flag=True, help="Replace files that exist.")
@json_option
def compile_command(
    model: Path,
    target_name: str,
    output: Path | None,
    compare: bool,
    weight_bits: int,
    allow_cpu: bool,
    force: bool,
    as_json: bool,
) -> None:
    """Compile an integer .tflite file for an Arm Ethos-U NPU, and say how fast it will be.

    Exit code 6 when less than 95 % of the operators are on the NPU.

    \b
    Example: facekit compile out/facenet512_uint8.tflite --target imx93
             facekit compile model.tflite --target my_board.toml -o out --json
    """
    from facekit.convert.vela.compile import compile_model, report_payload
    from facekit.convert.vela.target import read_target

    target = read_target(target_name)
    note(f"compiling {model.name} for {target.title}")
    compiled = compile_model(
        model,
        target,
        output or model.parent / f"model_{target.name}",
        force=force,
        compare=compare,
        allow_cpu=allow_cpu,
        weight_bits=weight_bits,
    )
    if as_json:
        emit_json(
            {
                "model": str(compiled.path),
                "card": compiled.card_path and str(compiled.card_path),
                "report": str(compiled.report_path),
                "vela": report_payload(compiled.report, compiled.comparisons),
            }
        )
    else:
        print_compiled(compiled)


def print_compiled(compiled: CompiledModel) -> None:
    """Where the file is, then where the time goes."""
    report = compiled.report
    lines = [
        ("model", f"{compiled.path}  {compiled.path.stat().st_size / 1e6:.2f} MB"),
        ("card", str(compiled.card_path or "none: the source has none")),
        ("report", str(compiled.report_path)),
        *_report_lines(report),
        *(("also", _estimate_text(estimate, report)) for estimate in compiled.comparisons),
    ]
    for label, text in lines:
        click.echo(f"{label:10}{text}")
    click.echo(f"the {_SLOWEST} slowest layers, and what they wait for:")
    for layer in report.slowest(_SLOWEST):
        share = layer.cycles / report.estimate.cycles
        milliseconds = layer.cycles / report.estimate.clock_hz * 1e3
        click.echo(
            f"  {milliseconds:6.3f} ms {share:6.1%}  {layer.bottleneck.value:5} {layer.operator} "
            f"{layer.name}"
        )


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
            f"{report.npu_operators} on the NPU, {len(left)} on the CPU ({report.npu_share:.1%})",
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
        ("waits for", ", ".join(waits)),
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
        f"{estimate.milliseconds:.2f} ms at {estimate.clock_hz / 1e6:.0f} MHz, "
        f"{', '.join(bandwidths)} ({estimate.system_config})"
    )
