"""facekit serve beside deepface's server: the same requests, in turns, with the same weights.

    benchmarks/install_peers.sh
    .venv-peers/bin/python benchmarks/weights_for_peers.py .venv-peers
    python benchmarks/server_peer.py --peers .venv-peers [--requests 40]

Both get deepface's JSON, with two portraits in base64, and find faces by MTCNN.
"""

from __future__ import annotations

import argparse
import base64
import http.client
import json
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from server import say, serving, timed

PHOTOS = Path(__file__).resolve().parents[1] / "tests" / "data"
_SERVER = """
import sys
from deepface.api.src.app import create_app
create_app().run(port=int(sys.argv[1]))
"""
_LONGEST_START_S = 120


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--peers", type=Path, required=True, help="of benchmarks/install_peers.sh")
    parser.add_argument("--requests", type=int, default=40)
    given = parser.parse_args()
    body = json.dumps(
        {
            "model_name": "Facenet512",
            "detector_backend": "mtcnn",
            **{
                name: "data:image/jpeg;base64,"
                + base64.b64encode((PHOTOS / photo).read_bytes()).decode()
                for name, photo in (("img1", "obama.jpg"), ("img2", "obama2.jpg"))
            },
        }
    )
    own = body.replace('"Facenet512"', '"facenet512-casia"')
    with (
        serving("--workers", "1", "--threads", "1", "--model", "facenet512-casia") as (port, _),
        deepface(given.peers, "tensorflow") as tensorflow,
        deepface(given.peers, "onnx") as onnx,
    ):
        servers = {
            "facekit serve": (port, own),
            "deepface, TensorFlow": (tensorflow, body),
            "deepface, ONNX": (onnx, body),
        }
        times: dict[str, list[float]] = {name: [] for name in servers}
        for turn in range(given.requests + 3):
            for name, (at, content) in servers.items():
                ms = timed(partial(answer, at, content))
                if turn >= 3:
                    times[name].append(ms)
        distances = {name: answer(*server)["distance"] for name, server in servers.items()}
    for name, found in times.items():
        say(f"{name}, distance {distances[name]:.4f}", found)


def answer(port: int, body: str) -> dict[str, float]:
    """What /verify answers.  Raises RuntimeError with the answer if it is an error."""
    connection = http.client.HTTPConnection("127.0.0.1", port)
    connection.request("POST", "/verify", body, {"Content-Type": "application/json"})
    response = connection.getresponse()
    content = response.read()
    connection.close()
    if response.status != 200:
        raise RuntimeError(f"{response.status}: {content[:500]!r}")
    found: dict[str, float] = json.loads(content)
    return found


@contextmanager
def deepface(peers: Path, engine: str) -> Iterator[int]:
    """deepface's Flask application in a process of its own; its port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    environment = os.environ | {
        "DEEPFACE_HOME": str(peers.resolve()),
        "DEEPFACE_BACKEND_ENGINE": engine,
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "OMP_NUM_THREADS": "1",
    }
    command = [str(peers / "bin" / "python"), "-W", "ignore", "-c", _SERVER, str(port)]
    with subprocess.Popen(command, env=environment, stdout=-3, stderr=-3) as process:
        try:
            end = time.monotonic() + _LONGEST_START_S
            while time.monotonic() < end and process.poll() is None:
                with socket.socket() as tried:
                    if tried.connect_ex(("127.0.0.1", port)) == 0:
                        break
                time.sleep(0.2)
            yield port
        finally:
            process.kill()


if __name__ == "__main__":
    main()
