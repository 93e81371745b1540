"""Parses Vela's report about a compiled network.

Vela 5.2 prints the operator counts to stdout only, and writes cycles and bytes to the CSV files
only.  Times are Vela's estimates from a model of the memory system, not measurements on an NPU.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from facekit.conversion.vela.run import VelaOutput
from facekit.errors import AcceleratorError

_GIB = 1 << 30
_SPLIT = re.compile(r"^(CPU|NPU) operators = (\d+)", re.MULTILINE)
_LEFT = re.compile(r"^ +CPU: \S+ = (.*) \(outputs .*\)$", re.MULTILINE)
_WARNING = re.compile(r"^Warning \([^)]*\) operator: (\S+), ofm: '(.*)'\n((?:.+\n)*)", re.MULTILINE)


class Bottleneck(str, Enum):
    """The resource that limits the speed of an operator."""

    MAC = "mac"
    """The NPU itself: multiply-accumulators and weight decoder."""
    SRAM = "sram"
    DRAM = "dram"
    FLASH = "flash"


_CYCLES = {
    Bottleneck.MAC: ("NPU",),
    Bottleneck.SRAM: ("SRAM AC",),
    Bottleneck.DRAM: ("DRAM AC",),
    Bottleneck.FLASH: ("OnFlash AC", "OffFlash AC"),
}
"""For each resource, the columns of the per-layer CSV file whose cycles are summed."""


@dataclass(frozen=True, slots=True)
class CpuOperator:
    """An operator that Vela left on the CPU."""

    operator: str
    """Vela's name of the operator; "operator" if Vela printed no warning about it."""
    output: str
    """The short name of the operator's output tensor; see `short_name`."""
    reason: str
    """Vela's reason; "" if it states none."""


@dataclass(frozen=True, slots=True)
class Layer:
    """An operator on the NPU, including the operators fused into it."""

    operator: str
    name: str
    """The short name of the operator's output tensor; see `short_name`."""
    cycles: int
    bottleneck: Bottleneck
    macs: int


@dataclass(frozen=True, slots=True)
class Estimate:
    """The estimated time of one inference, and the system that Vela assumed."""

    system_config: str
    time_ms: float
    cycles: int
    clock_hz: float
    sram_gb_per_s: float
    """Peak bandwidth in 1e9 bytes per second.  The two fields below have the same unit."""
    dram_gb_per_s: float
    flash_gb_per_s: float
    """The lower one of the bandwidths of on-chip and off-chip flash."""


@dataclass(frozen=True, slots=True)
class VelaReport:
    """Vela's report about one compiled network."""

    accelerator_config: str
    memory_mode: str
    estimate: Estimate
    npu_operator_count: int
    cpu_operators: tuple[CpuOperator, ...]
    macs: int
    sram_used_bytes: int
    dram_used_bytes: int
    flash_used_bytes: int
    sram_traffic_bytes: int
    """Bytes read and written in one inference.  The same holds for the two fields below."""
    dram_traffic_bytes: int
    flash_traffic_bytes: int
    weights_bytes: int
    """Size of all weights in bytes before Vela encoded them."""
    encoded_weights_bytes: int
    layers: tuple[Layer, ...] = field(repr=False)
    """The operators on the NPU in execution order, except those of 0 cycles."""

    @property
    def npu_share(self) -> float:
        """The share of operators on the NPU, 0..1.

        Vela counts an activation function as an operator.
        """
        return self.npu_operator_count / max(self.npu_operator_count + len(self.cpu_operators), 1)

    def slowest(self, count: int) -> tuple[Layer, ...]:
        return tuple(sorted(self.layers, key=lambda layer: -layer.cycles)[:count])

    @property
    def share_of_time(self) -> dict[Bottleneck, float]:
        """The share of time, 0..1, in the layers that each resource limits.

        The shares sum to 1.  If there are no layers, all shares are 0.
        """
        total = max(sum(layer.cycles for layer in self.layers), 1)
        return {
            bottleneck: sum(layer.cycles for layer in self.layers if layer.bottleneck is bottleneck)
            / total
            for bottleneck in Bottleneck
        }


def read_report(output: VelaOutput) -> VelaReport:
    """Parses the output of a run.

    Raises AcceleratorError if the output does not have Vela 5.2's format.
    """
    with _translate_errors():
        return _report(output)


def read_estimate(output: VelaOutput) -> Estimate:
    """Parses the estimate only.  Raises AcceleratorError like `read_report`."""
    with _translate_errors():
        return _estimate(_rows(output.summary)[0])


@contextmanager
def _translate_errors() -> Iterator[None]:
    try:
        yield
    except (KeyError, ValueError, IndexError) as error:
        raise AcceleratorError(
            f"Vela's report cannot be read ({type(error).__name__}: {error}): this version of "
            "ethos-u-vela may write another one than facekit knows."
        ) from error


def _report(output: VelaOutput) -> VelaReport:
    summary = _rows(output.summary)[0]
    counts = {unit: int(count) for unit, count in _SPLIT.findall(output.stdout)}
    on_cpu = _cpu_operators(output.stdout)
    if len(on_cpu) != counts["CPU"]:
        raise ValueError(f"{counts['CPU']} operators on the CPU, {len(on_cpu)} of them listed")
    return VelaReport(
        accelerator_config=summary["accelerator_configuration"],
        memory_mode=summary["memory_mode"],
        estimate=_estimate(summary),
        npu_operator_count=counts["NPU"],
        cpu_operators=on_cpu,
        macs=int(summary["nn_macs"]),
        sram_used_bytes=_used(summary, "sram"),
        dram_used_bytes=_used(summary, "dram"),
        flash_used_bytes=_used(summary, "on_chip_flash") + _used(summary, "off_chip_flash"),
        sram_traffic_bytes=int(summary["sram_total_bytes"]),
        dram_traffic_bytes=int(summary["dram_total_bytes"]),
        flash_traffic_bytes=int(summary["on_chip_flash_total_bytes"])
        + int(summary["off_chip_flash_total_bytes"]),
        weights_bytes=int(summary["total_original_weights"]),
        encoded_weights_bytes=int(summary["total_npu_encoded_weights"]),
        layers=tuple(_layer(row) for row in _rows(output.layers) if int(row["Op Cycles"])),
    )


def _estimate(summary: dict[str, str]) -> Estimate:
    on_chip, off_chip = (
        float(summary[f"{chip}_flash_bandwidth"]) for chip in ("on_chip", "off_chip")
    )
    # Vela states bandwidths in GiB per second.
    return Estimate(
        system_config=summary["system_config"],
        time_ms=float(summary["inference_time"]) * 1e3,
        cycles=int(float(summary["cycles_total"])),
        clock_hz=float(summary["core_clock"]),
        sram_gb_per_s=float(summary["sram_bandwidth"]) * _GIB / 1e9,
        dram_gb_per_s=float(summary["dram_bandwidth"]) * _GIB / 1e9,
        flash_gb_per_s=min(on_chip, off_chip) * _GIB / 1e9,
    )


def _used(summary: dict[str, str], memory: str) -> int:
    """Returns the bytes used of a memory.  Vela states KiB."""
    return round(float(summary[f"{memory}_memory_used"]) * 1024)


def _layer(row: dict[str, str]) -> Layer:
    cycles = {
        bottleneck: sum(int(row[name]) for name in names) for bottleneck, names in _CYCLES.items()
    }
    return Layer(
        operator=row["Original Operator"],
        name=short_name(row["Name"]),
        cycles=int(row["Op Cycles"]),
        bottleneck=max(cycles, key=lambda bottleneck: cycles[bottleneck]),
        macs=int(row["MAC Count"]),
    )


def _cpu_operators(stdout: str) -> tuple[CpuOperator, ...]:
    """Returns the operators on the CPU, in the order in which Vela lists them.

    The reason of an operator is that of Vela's warning about the same output tensor.
    """
    warned = {
        output: (operator, _reason(text)) for operator, output, text in _WARNING.findall(stdout)
    }
    outputs = _LEFT.findall(stdout)
    return tuple(
        CpuOperator(operator, short_name(output), reason)
        for output in outputs
        for operator, reason in [warned.get(output, ("operator", ""))]
    )


def _reason(text: str) -> str:
    """Returns the reason on one line.

    Lists of tensor names in parentheses are removed, because they are long.
    """
    return re.sub(r" \([^()]*[/;:][^()]*\)", "", " ".join(text.removeprefix("Reason: ").split()))


def short_name(tensor: str) -> str:
    """Shortens model_1/Block8_6_Conv2d_1x1_1/BiasAdd;model_1/... to Block8_6_Conv2d_1x1_1."""
    parts = tensor.partition(";")[0].split("/")
    return parts[1] if len(parts) > 1 else parts[0]


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))
