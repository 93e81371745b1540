"""Runs ethos-u-vela as a process of its own, and hands over what it wrote."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from configparser import ConfigParser
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

from facekit.conversion.vela.target import Target
from facekit.errors import AcceleratorError
from facekit.system.extras import require_installed

_SHOWN_LINES = 5


@dataclass(frozen=True, slots=True)
class VelaOutput:
    """What one run of Vela printed and wrote; the files go when the run's block ends."""

    stdout: str
    model: Path
    summary: Path
    """CSV: one row for the network"""
    layers: Path
    """CSV: one row for each operator that Vela made"""


def vela_version() -> str:
    """Raises MissingExtraError where Vela is not installed."""
    require_installed("ethosu", extra="convert", needed_for="Compiling for an Ethos-U")
    return version("ethos-u-vela")


@contextmanager
def vela(model: Path, target: Target, *, system_config: str | None = None) -> Iterator[VelaOutput]:
    """Compiles in a temporary folder, with the target's system configuration or another one.

    Vela's own log is captured.  It exits 0 even where it left everything on the CPU; that is
    for the caller to judge.  An interrupt ends the process before it is passed on.
    Raises AcceleratorError with Vela's last lines where it fails.
    """
    vela_version()
    with TemporaryDirectory(prefix="facekit-vela-") as name:
        folder = Path(name)
        command = [
            *(sys.executable, "-m", "ethosu.vela", str(model.resolve())),
            *("--accelerator-config", target.accelerator_config),
            *_configuration(target, folder),
            *("--system-config", system_config or target.system_config),
            *("--memory-mode", target.memory_mode),
            *("--optimise", target.optimize),
            *("--show-cpu-operations", "--verbose-performance"),
            *("--output-dir", str(folder)),
            *target.options,
        ]
        done = subprocess.run(  # which kills the process on KeyboardInterrupt
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            check=False,
        )
        written = [
            next(iter(folder.glob(pattern)), None)
            for pattern in ("*_vela.tflite", "*_summary_*.csv", "*_per-layer.csv")
        ]
        if done.returncode or None in written:
            raise AcceleratorError(
                f"Vela {vela_version()} cannot compile {model} for {target.name} (exit status "
                f"{done.returncode}): {_last_words(done.stdout)}"
            )
        compiled, summary, layers = (path for path in written if path is not None)
        yield VelaOutput(done.stdout, compiled, summary, layers)


def _configuration(target: Target, folder: Path) -> list[str]:
    """Vela's own presets, and the target's section where it brings one."""
    arguments = ["--config", "Arm/vela.ini"]
    if target.own_system_config:
        parser = ConfigParser()
        parser.optionxform = str  # type: ignore[assignment, method-assign]  # Vela's keys have capitals
        parser[f"System_Config.{target.system_config}"] = target.own_system_config
        path = folder / "target.ini"
        with path.open("w", encoding="utf-8") as file:
            parser.write(file)
        arguments += ["--config", str(path)]
    return arguments


def _last_words(stdout: str) -> str:
    lines = [line.strip() for line in stdout.splitlines() if line.strip()]
    return " | ".join(lines[-_SHOWN_LINES:]) or "it printed nothing"
