"""facekit serve-stdin as a process: an answer a line, at once, whatever is asked."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings

from tests.schemas import require_schema
from tests.server.json_lines import json_lines

DATA = Path(__file__).parents[1] / "data"
OBAMA, OBAMA2, BIDEN = (str(DATA / f"{name}.jpg") for name in ("obama", "obama2", "biden"))


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
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    gallery = tmp_path_factory.mktemp("gallery") / "people.db"
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "facekit", "serve-stdin"),
            *("--threshold", "0.6", "--gallery", str(gallery)),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    first = json.loads(process.stdout.readline())
    require_schema("serve-stdin", first)
    assert first["ready"] is True
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
def test_ping_says_what_the_first_line_says(server: Server) -> None:
    answer = server.request(ping=1, id="a")
    assert (answer["id"], answer["ready"]) == ("a", True)
    assert answer["model"].startswith("facenet512-casia:")


@pytest.mark.model
def test_a_request_may_choose_its_own_threshold_metric_and_face(server: Server) -> None:
    own = server.request(verify=[OBAMA, BIDEN], fmr=1e-4, metric="l2", face="all")
    assert own["threshold_source"].startswith("model card, fmr=1e-4")
    assert (own["similarity_metric"], own["fmr_at_most"]) == ("l2", pytest.approx(1e-4, rel=0.1))
    usual = server.request(verify=[OBAMA, BIDEN])
    assert (usual["threshold"], usual["threshold_source"]) == (0.6, "given")
    assert server.request(verify=[OBAMA, BIDEN], fmr=1e-9)["error"]["exit_code"] == 2


@pytest.mark.model
def test_people_are_enrolled_and_named(server: Server) -> None:
    encoded = base64.b64encode(Path(BIDEN).read_bytes()).decode()
    unknown = server.request(identify=OBAMA)
    assert unknown["error"]["type"] == "StorageError", "nobody has made the gallery yet"
    added = server.request(enroll=[OBAMA, "missing.jpg"], name="Obama")["people"]
    assert [(one["name"], one["added_count"], len(one["failed"])) for one in added] == [
        ("Obama", 1, 1)
    ]
    server.request(enroll=f"data:image/jpeg;base64,{encoded}", name="Biden")
    found = server.request(identify=[OBAMA2, BIDEN, "missing.jpg"], top=1, id=4)
    assert [photo["faces"][0]["name"] for photo in found["photos"]] == ["Obama", "Biden"]
    assert [failure["photo"] for failure in found["failed"]] == ["missing.jpg"]
    assert found["id"] == 4
    again = server.request(enroll={"base64": encoded}, name="Biden")["people"]
    assert (again[0]["added_count"], again[0]["already_enrolled_count"]) == (0, 1)


@pytest.mark.model
def test_photos_are_compared_with_each_other(server: Server) -> None:
    found = server.request(compare=[OBAMA, "missing.jpg", OBAMA2])
    assert [face["photo"] for face in found["faces"]] == [OBAMA, OBAMA2]
    assert found["similarity"][0][1] > 0.4
    assert server.request(compare=["missing.jpg"])["error"]["exit_code"] == 4


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


@pytest.mark.model
def test_it_survives_what_ended_it(server: Server, tmp_path: Path) -> None:
    (tmp_path / "damaged.jsonl").write_text('{"schema_version": 2, "space": {"model": 1e999}}\n')
    (tmp_path / "damaged.npz").write_bytes(b"PK\3\4" + bytes(100))
    (tmp_path / "deep.jsonl").write_text('{"space": ' + "[" * 10_000)
    for suffix in ("npz", "jpg"):
        os.mkfifo(tmp_path / f"pipe.{suffix}")
    codes = {
        b'{"id": NaN, "detect": "x"}': 2,
        b'{"id": 1e999, "detect": "x"}': 2,
        '{"detect": {"base64": "é"}}'.encode(): 2,
        b'{"detect": "\xff.jpg"}': 2,
        b"[" * 1_000_000: 2,
        b'{"id": ' + b"[" * 900 + b"]" * 900 + b', "detect": "x"}': 2,
        b'{"id": ' + b"9" * 5000 + b', "detect": "x"}': 2,
        b" " * 120_000_000 + b"{}": 2,
        json.dumps({"embed": str(tmp_path / "damaged.jsonl")}).encode(): 4,
        json.dumps({"embed": str(tmp_path / "damaged.npz")}).encode(): 4,
        json.dumps({"verify": [OBAMA, str(tmp_path / "deep.jsonl")]}).encode(): 4,
        json.dumps({"embed": str(tmp_path / "pipe.npz")}).encode(): 4,
        json.dumps({"embed": str(tmp_path / "pipe.jpg")}).encode(): 4,
        b'{"detect": "/dev/stdin"}': 4,
        b'{"detect": "/proc/self/fd/0"}': 4,
        b'{"detect": "/dev/zero"}': 4,
        json.dumps({"detect": "x" * 5000}).encode(): 4,
        json.dumps({"embed": str(tmp_path)}).encode(): 4,
        json.dumps({"detect": {"base64": ""}}).encode(): 4,
    }
    for line, code in codes.items():
        answer = server.ask(line)
        assert answer["error"]["exit_code"] == code, (line[:80], answer)
    assert server.request(detect=OBAMA)["face_count"] == 1


@pytest.mark.model
@settings(max_examples=150)
@given(json_lines().filter(lambda line: bool(line.strip()) and b"\n" not in line))
def test_every_line_has_an_answer_and_none_is_a_mistake(server: Server, line: bytes) -> None:
    answer = server.ask(line)
    assert answer["error"]["exit_code"] in (2, 4), answer


def test_a_missing_model_ends_it_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACEKIT_HOME", str(tmp_path))
    done = subprocess.run(
        [sys.executable, "-m", "facekit", "serve-stdin", "--model", str(tmp_path / "no.tflite")],
        input=b'{"detect": "a.jpg"}\n',
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (5, b"")
