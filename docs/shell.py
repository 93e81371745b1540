"""Runs commands for the documentation; imported by the cog blocks in README.md and docs/.

`cog -r -I . README.md docs/*.md docs/*/*.md` writes the outputs anew, scripts/test.sh checks them.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from itertools import groupby
from pathlib import Path

import cog

from facekit.model import registry
from facekit.model.shipped_calibrations import shipped_calibration

COLUMNS = "80"
"""Width of a line, for help pages"""

REPOSITORY = Path(__file__).resolve().parents[1]

_PEERS = REPOSITORY / "docs/explanation/performance/peers.json"

_work = tempfile.TemporaryDirectory()
shutil.copytree("tests/data", _work.name, dirs_exist_ok=True)


def show(*commands: str, hide: str = "") -> None:
    """Writes a console block: each command and what it prints, on stdout and stderr.

    Commands run in a copy of tests/data.  What the regular expression `hide` finds is left out:
    digits that differ from machine to machine.
    """
    cog.outl("```console")
    for command in commands:
        printed = _output(command)
        cog.outl(f"$ {command}")
        cog.out(re.sub(hide, "", printed) if hide else printed)
    cog.outl("```")


def show_models() -> None:
    """Writes a table of the registry: name, what it is, where it comes from, license."""
    cog.outl("| name | what | source | license |\n| --- | --- | --- | --- |")
    for name in registry.names():
        entry = registry.entry(name)
        source = f"[{entry.source.title}]({entry.source.url})"
        cog.outl(f"| `{name}` | {entry.summary} | {source} | {entry.source.license} |")


def show_choice() -> None:
    """Writes a table of every embedding model behind every detector that it was measured with."""
    reference = json.loads((REPOSITORY / "facekit/bench/reference.json").read_bytes())
    cog.outl("| `--model` | `--detector` | TAR | ms | MB | license | training data |")
    cog.outl("| --- | --- | --- | --- | --- | --- | --- |")
    for name in registry.names():
        shipped = shipped_calibration(name, registry.entry(name).variants[0])
        if shipped is None:
            continue
        for calibration in (shipped.calibration, *shipped.calibration.others):
            assert calibration.space is not None
            assert calibration.space.detector is not None
            detector = calibration.space.detector.name
            (rate,) = (
                1 - point.fnmr
                for point in calibration.operating_points
                if point.target == "fmr=1e-4" and point.fnmr is not None
            )
            costs = [reference["models"].get(one, {}) for one in (name, detector)]
            ms, mb = (
                " + ".join(f"{cost[key] / unit:.1f}" if key in cost else "-" for cost in costs)
                for key, unit in (("median_ms", 1), ("size_bytes", 1e6))
            )
            licenses = [registry.entry(one).source.license for one in (name, detector)]
            parts = [re.split("[,;] ", text, maxsplit=1) for text in licenses]
            license = ", ".join(dict.fromkeys(part[0] for part in parts))
            told = zip((name, detector), parts, strict=True)
            more = "; ".join(f"{one}: {part[1]}" for one, part in told if len(part) > 1)
            start = f"| `{name}` | `{detector}` | {100 * rate:.1f} %"
            cog.outl(f"{start} | {ms} | {mb} | {license} | {more} |")


def show_peers(part: str) -> None:
    """Writes a table of one part of what benchmarks/against_peers.py has measured last.

    `part`: "verify_s", "detect_ms" or "embed_ms".  Ratios are of processor time, to facekit's.
    """
    measured = json.loads(_PEERS.read_bytes())
    unit = part.rpartition("_")[2]
    has_peak = any(row["peak_mb"] for row in measured[part])
    columns = ["", "", f"processor time, {unit}", "ratio", f"wall, {unit}"]
    columns += ["memory, MB"] * has_peak
    cog.outl(f"| {' | '.join(columns)} |\n|{' --- |' * len(columns)}")
    for group, rows in groupby(measured[part], lambda row: row["group"]):
        own = None
        for row in rows:
            own = own or row["processor"]
            cells = [
                "" if row["name"] != "facekit" else group,
                row["name"],
                f"{row['processor']:.2f}",
                f"{row['processor'] / own:.1f}",
                f"{row['wall']:.2f}",
            ]
            cells += [str(row["peak_mb"])] * has_peak
            cog.outl(f"| {' | '.join(cells)} |")


def show_peers_versions() -> None:
    """Writes on what machine, when and with what versions `show_peers` was measured."""
    measured = json.loads(_PEERS.read_bytes())
    versions = ", ".join(f"{name} {version}" for name, version in measured["versions"].items())
    counts = measured["counts"]
    low, high = sorted(measured["load"])
    cog.outl(
        f"Measured on {measured['day']}: {measured['machine']}, with a load of {low:.0f} to "
        f"{high:.0f} by other work; Python {measured['python']}, {versions}. Medians of "
        f"{counts['verify_s']} runs, {counts['detect_ms']} photos and {counts['embed_ms']} crops."
    )


def _output(command: str) -> str:
    """Runs it in a shell with this environment's facekit on the path."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        command,
        shell=True,
        cwd=_work.name,
        env={**os.environ, "PATH": path, "COLUMNS": COLUMNS},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if "Traceback" in done.stdout:
        raise RuntimeError(f"{command}\n{done.stdout}")
    return done.stdout
