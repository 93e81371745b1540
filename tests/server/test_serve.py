"""facekit serve-stdin as a process: an answer a line, at once, whatever is asked."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.schemas import require_schema

DATA = Path(__file__).parents[1] / "data"
OBAMA, OBAMA2, BIDEN = (str(DATA / f"{name}.jpg") for name in ("obama", "obama2", "biden"))


@pytest.mark.model
class Server:
    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process

    def ask(self, line: bytes) -> dict[str, Any]:
        """The answer arrives while stdin stays open: nothing waits for more lines."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(line + b"\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline())
        require_schema("serve-stdin", answer)
        assert answer.pop("schema_version") == 1
        assert isinstance(answer, dict)
        return answer

    def request(self, **members: Any) -> dict[str, Any]:
        return self.ask(json.dumps(members).encode())


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    process = subprocess.Popen(
        [sys.executable, "-m", "facekit", "serve-stdin", "--threshold", "0.6"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    yield Server(process)
    rest, complaints = process.communicate(timeout=60)
    assert (rest, complaints, process.returncode) == (b"", b"", 0)


@pytest.mark.model
def test_verify_tells_same_from_different(server: Server) -> None:
    same = server.request(verify=[OBAMA, OBAMA2], id="x")
    assert (same["id"], same["verified"]) == ("x", True)
    different = server.request(verify=[OBAMA, BIDEN])
    assert different["id"] is None
    assert different["verified"] is False
    assert different["time"] < 60, "each answer has its own time"


@pytest.mark.model
def test_detect_finds_the_face(server: Server) -> None:
    found = server.request(detect=OBAMA, id=None)
    assert found["id"] is None
    assert len(found["faces"]) == 1
    assert found["faces"][0]["score"] > 0.9


@pytest.mark.model
def test_embed_from_a_path_and_from_base64(server: Server) -> None:
    encoded = base64.b64encode(Path(OBAMA).read_bytes()).decode()
    by_path, by_content = server.request(embed=OBAMA), server.request(embed={"base64": encoded})
    assert by_path["photo_sha256"] == by_content["photo_sha256"]
    assert by_path["embeddings"] == by_content["embeddings"]
    assert np.linalg.norm(by_path["embeddings"][0]) == pytest.approx(1, abs=1e-5)


@pytest.mark.model
@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b"nonsense", 2),
        (b'{"verify": ["a.jpg"], "id": 9}', 2),
        (b'{"detect": "missing.jpg", "id": 9}', 4),
    ],
)
def test_a_failure_is_an_answer_and_the_next_request_is_served(
    server: Server, line: bytes, code: int
) -> None:
    answer = server.ask(line)
    assert answer["error"]["exit_code"] == code
    assert answer.get("id") == (9 if b"id" in line else None)
    assert server.request(detect=OBAMA)["face_count"] >= 1


def test_a_missing_model_ends_it_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACEKIT_HOME", str(tmp_path))
    done = subprocess.run(
        [sys.executable, "-m", "facekit", "serve-stdin", "--model", str(tmp_path / "no.tflite")],
        input=b'{"detect": "a.jpg"}\n',
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (5, b"")
