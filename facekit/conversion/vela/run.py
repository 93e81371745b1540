"""Runs ethos-u-vela as a subprocess, and provides its output."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from configparser import ConfigParser
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

from facekit.conversion.vela.target import Target
from facekit.errors import AcceleratorError
from facekit.system.extras import require_installed

_SHOWN_LINES = 5
_PLANS = 4
"""How often Vela may plan a network anew for less SRAM.

Vela chooses a schedule by an estimate of the SRAM that it needs, and only then places the tensors.
Where they do not fit, a plan for as much less as was missing usually does: 419,168 bytes for the
393,216 of an i.MX 93 became 367,264.  Vela's options for size and for more iterations change
nothing.
"""
_NO_ROOM = re.compile(r"Memory used (\d+), limit (\d+)")
"""What Vela says where it finds no place for the tensors in a dedicated SRAM, in bytes."""


@dataclass(frozen=True, slots=True)
class VelaOutput:
    """The output of one run of Vela.  The files exist only inside the `with` block of the run."""

    stdout: str
    model: Path
    summary: Path
    """A CSV file with one row for the network."""
    layers: Path
    """A CSV file with one row for each operator that Vela created."""
    planned_sram: int | None = None
    """Bytes of SRAM that Vela planned for, if it had to be fewer than the target's."""


def vela_version() -> str:
    """Returns Vela's version.  Raises MissingExtraError if Vela is not installed."""
    require_installed("ethosu", extra="convert", needed_for="Compiling for an Ethos-U")
    return version("ethos-u-vela")


@contextmanager
def run_vela(
    model: Path, target: Target, *, system_config: str | None = None
) -> Iterator[VelaOutput]:
    """Compiles `model` in a temporary folder, and yields Vela's output.

    If `system_config` is None, the target's system configuration is used.  Vela's log is captured.
    Vela's exit status is 0 even if all operators remain on the CPU, so the caller must check the
    report.  If the tensors do not fit the SRAM, Vela plans again for less of it.  A
    KeyboardInterrupt stops the process.  Raises AcceleratorError if Vela fails, with its last
    lines, or with the bytes that are needed if no plan fits the target's SRAM, and
    MissingExtraError if Vela is not installed.
    """
    vela_version()
    sram, first = target.sram, (0, 0)
    for attempt in range(_PLANS):
        with TemporaryDirectory(prefix="facekit-vela-") as name:
            folder = Path(name)
            finished = _run(model, replace(target, sram=sram), folder, system_config)
            placed = _NO_ROOM.search(finished.stdout) if finished.returncode else None
            if placed is None:
                yield _output(finished, folder, model, target, None if attempt == 0 else sram)
                return
            needed, there = map(int, placed.groups())
            first = (needed, there) if attempt == 0 else first
            sram = 2 * there - needed
            if sram < 1:
                break
    needed, there = first
    raise AcceleratorError(no_room(model, target, needed=needed, there=there))


def _run(
    model: Path, target: Target, folder: Path, system_config: str | None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # kills the process on KeyboardInterrupt
        [
            *(sys.executable, "-m", "ethosu.vela", str(model.resolve())),
            *("--accelerator-config", target.accelerator_config),
            *_configuration(target, folder),
            *("--system-config", system_config or target.system_config),
            *("--memory-mode", target.memory_mode),
            *(() if target.sram is None else ("--arena-cache-size", str(target.sram))),
            *("--optimise", target.optimize),
            *("--show-cpu-operations", "--verbose-performance"),
            *("--output-dir", str(folder)),
            *target.options,
        ],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        check=False,
    )


def _output(
    finished: subprocess.CompletedProcess[str],
    folder: Path,
    model: Path,
    target: Target,
    planned_sram: int | None,
) -> VelaOutput:
    files = [
        next(iter(folder.glob(pattern)), None)
        for pattern in ("*_vela.tflite", "*_summary_*.csv", "*_per-layer.csv")
    ]
    if finished.returncode or None in files:
        raise AcceleratorError(
            f"Vela {vela_version()} cannot compile {model} for {target.name} (exit status "
            f"{finished.returncode}): {_last_lines(finished.stdout)}"
        )
    compiled, summary, layers = (path for path in files if path is not None)
    return VelaOutput(finished.stdout, compiled, summary, layers, planned_sram)


def no_room(model: Path, target: Target, *, needed: int, there: int) -> str:
    """Says that a network does not fit the SRAM of a target, and what to do; sizes in bytes."""
    dedicated = target.memory_mode.startswith("Dedicated_Sram")
    remedy = (
        "take a smaller input or narrower layers; Vela found no place for less SRAM either"
        if dedicated
        else "keep the feature maps in DRAM by the memory mode Dedicated_Sram, or take a smaller "
        "input or narrower layers"
    )
    return (
        f"{model.name} does not fit {target.name}: it needs {needed:,} bytes of SRAM in the memory "
        f"mode {target.memory_mode}, and {there:,} are there. If the part has more, say so by "
        f"--sram; else {remedy}."
    )


def _configuration(target: Target, folder: Path) -> list[str]:
    """Returns the arguments for Vela's presets, and for the target's custom section if it
    has one."""
    arguments = ["--config", "Arm/vela.ini"]
    if target.custom_system_config:
        parser = ConfigParser()
        parser.optionxform = str  # type: ignore[assignment, method-assign]  # Vela's keys have capitals
        parser[f"System_Config.{target.system_config}"] = target.custom_system_config
        path = folder / "target.ini"
        with path.open("w", encoding="utf-8") as file:
            parser.write(file)
        arguments += ["--config", str(path)]
    return arguments


def _last_lines(stdout: str) -> str:
    lines = [line.strip() for line in stdout.splitlines() if line.strip()]
    return " | ".join(lines[-_SHOWN_LINES:]) or "it printed nothing"
