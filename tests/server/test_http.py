"""facekit serve as a process: what each path answers, and what is refused."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import facekit
from facekit.photo.write import write_jpeg
from facekit.server.client import verify
from tests.schemas import require_schema
from tests.server.service import BIDEN, OBAMA, OBAMA2, Answer, Service, encoded, running

pytestmark = pytest.mark.model


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    gallery = tmp_path_factory.mktemp("gallery") / "people.db"
    with running("--gallery", gallery, "--workers", 2, "--max-upload-mb", 3) as found:
        require_schema("serve", found.ready)
        yield found


def told(answer: Answer, name: str, *, status: int = 200) -> dict[str, Any]:
    """The object of an answer, which keeps to its schema."""
    assert answer.status == status, answer.content[:500]
    assert answer.headers["content-type"] == "application/json"
    payload: dict[str, Any] = answer.json
    require_schema(f"serve {name}", payload)
    return payload


def refused(answer: Answer, status: int, code: int, words: str) -> None:
    error = told(answer, "failure", status=status)["error"]
    assert error["exit_code"] == code
    assert words in error["message"]


def test_verify_answers_what_the_command_writes(service: Service) -> None:
    answer = told(service.post_form("/verify", ("img1", OBAMA), ("img2", OBAMA2)), "verify")
    expected = json.loads(json.dumps(facekit.verify(OBAMA, OBAMA2).to_dict()))
    assert answer.pop("id") is None
    assert answer["photo"] == {"img1": "obama.jpg", "img2": "obama2.jpg"}
    for member in ("verified", "facial_areas", "threshold", "threshold_source", "photo_sha256"):
        assert answer[member] == expected[member]
    assert answer["similarity"] == pytest.approx(expected["similarity"], abs=1e-6)


@pytest.mark.parametrize("prefix", ["", "data:image/jpeg;base64,"])
def test_deepfaces_requests_have_deepfaces_keys(service: Service, prefix: str) -> None:
    """The documented forms: base64 with or without a prefix, and the options it has by default."""
    a, b = (prefix + encoded(photo) for photo in (OBAMA, BIDEN))
    usual = {"enforce_detection": True, "align": True, "anti_spoofing": False, "silent": True}
    answer = told(
        service.post(
            "/verify",
            img1=a,
            img2=b,
            model_name="facenet512-casia",
            detector_backend="mtcnn",
            distance_metric="euclidean_l2",
            expand_percentage=0,
            normalization="base",
            **usual,
        ),
        "verify",
    )
    assert answer["verified"] is False
    assert answer["similarity_metric"] == "l2"
    assert answer["facial_areas"]["img1"].keys() == {"x", "y", "w", "h", "left_eye", "right_eye"}
    assert {"distance", "threshold", "model", "detector_backend", "time"} <= answer.keys()
    found = told(service.post("/represent", img=a, max_faces=1, id=[7], **usual), "represent")
    assert found["id"] == [7]
    (face,) = found["results"]
    assert np.linalg.norm(face["embedding"]) == pytest.approx(1, abs=1e-5)
    assert face["facial_area"] == answer["facial_areas"]["img1"]
    assert face["face_confidence"] > 0.9


@pytest.mark.parametrize(
    ("members", "words"),
    [
        ({"model_name": "VGG-Face"}, "This service answers with facenet512-casia"),
        ({"detector_backend": "retinaface"}, "This service answers with mtcnn"),
        ({"anti_spoofing": True}, "facekit has no anti_spoofing"),
        ({"align": False}, "facekit has no align"),
        ({"distance_metric": "euclidean"}, "embeddings have unit length"),
        ({"actions": ["age"]}, "no member 'actions'"),
    ],
)
def test_what_facekit_lacks_of_deepface_is_refused_rather_than_passed_over(
    service: Service, members: dict[str, Any], words: str
) -> None:
    photo = encoded(OBAMA)
    refused(service.post("/verify", img1=photo, img2=photo, **members), 400, 2, words)


def test_a_request_may_choose_threshold_and_face(service: Service) -> None:
    parts = (("img1", OBAMA), ("img2", BIDEN))
    answer = told(
        service.post_form("/verify", *parts, ("fmr", "1e-4"), ("face", "all"), ("id", "é")),
        "verify",
    )
    assert answer["threshold_source"].startswith("model card, fmr=1e-4")
    assert answer["id"] == "é"
    best = told(service.post_form("/verify", *parts, ("fmr", "best-accuracy")), "verify")
    assert best["threshold"] > answer["threshold"]
    refused(service.post_form("/verify", *parts, ("fmr", "1e-9")), 400, 2, "pairs")


def test_people_are_enrolled_named_merged_and_removed(service: Service) -> None:
    assert told(service.get("/people"), "people")["people"] == []
    name = "<script>alert(1)</script>/../Ωbama"
    told(service.post_form("/enroll", ("photos", OBAMA), ("name", name)), "enroll")
    told(service.post("/enroll", photos=[encoded(BIDEN)], name="Biden"), "enroll")
    found = told(service.post_form("/identify", ("photos", OBAMA2), ("photos", BIDEN)), "identify")
    assert [photo["faces"][0]["name"] for photo in found["photos"]] == [name, "Biden"]
    near = told(service.post_form("/identify", ("photos", OBAMA2), ("min_margin", "2")), "identify")
    (face,) = near["photos"][0]["faces"]
    assert (face["name"], face["ambiguous"], near["min_margin"]) == (None, True, 2)
    refused(service.post("/identify", photos=[encoded(OBAMA2)], min_margin=3), 400, 2, "min-margin")
    shown = told(service.get("/people/show?name=Biden"), "show")
    assert [template["photo"] for template in shown["templates"]] == ["photos[0]"]
    told(service.get("/people/show?name=Nobody"), "show", status=404)
    told(service.post("/people/rename", old=name, new="Obama"), "rename")
    told(service.post("/people/merge", name="Obama", other="Biden"), "merge")
    assert [one["name"] for one in service.get("/people").json["people"]] == ["Obama"]
    told(service.post("/people/unmerge", name="Obama", other="Biden"), "unmerge")
    for one in ("Obama", "Biden"):
        assert told(service.post("/people/remove", name=one), "remove")["removed_count"] == 1
    told(service.post("/people/remove", name="Biden"), "remove", status=404)


def test_compare_detect_and_models(service: Service) -> None:
    answer = told(
        service.post_form("/compare", ("photos", OBAMA), ("photos", "AAAA"), ("photos", OBAMA2)),
        "compare",
    )
    assert [face["photo"] for face in answer["faces"]] == ["obama.jpg", "obama2.jpg"]
    assert len(answer["failed"]) == 1
    assert told(service.post_form("/detect", ("img", OBAMA)), "detect")["face_count"] == 1
    rated = told(service.post_form("/quality", ("img", OBAMA), ("min_quality", "20")), "quality")
    assert rated["passed"]
    assert 50 < rated["faces"][0]["quality"]["unified_score"] <= 100
    assert told(service.get("/models"), "models")["models"]
    model = told(service.get("/model"), "model")
    assert model["card"]["calibration"]["fmr_curve"]
    assert told(service.get("/readyz"), "ready")["model"] == model["model"]
    told(service.get("/healthz"), "health")


@pytest.mark.parametrize(
    ("path", "members", "status", "code", "words"),
    [
        ("/verify", {"img1": "AAAA"}, 400, 2, "Missing: img2"),
        ("/verify", {"img1": "AAAA", "img2": "AAAA"}, 422, 4, "img1"),
        ("/verify", {"img1": "/etc/passwd", "img2": "AAAA"}, 400, 2, "--allow-paths"),
        ("/verify", {"img1": "http://localhost/a.jpg", "img2": "A"}, 400, 2, "not fetched"),
        ("/detect", {"img": 3}, 400, 2, "img is a string"),
        ("/detect", {"img": {"path": "a"}}, 400, 2, "img is a string"),
        ("/detect", {"img": "AAAA", "fase": "all"}, 400, 2, "Did you mean face"),
        ("/compare", {"photos": []}, 400, 2, "1 to 100"),
        ("/enroll", {"photos": ["AAAA"]}, 400, 2, "name"),
        ("/enroll", {"photos": ["AAAA"], "name": "\ud800"}, 400, 2, "printable"),
        ("/people/rename", {"old": "a"}, 400, 2, "new"),
        ("/people/merge", {"name": "a", "other": "a"}, 400, 2, "two names are needed"),
    ],
)
def test_what_is_not_valid_says_why(
    service: Service, path: str, members: dict[str, Any], status: int, code: int, words: str
) -> None:
    refused(service.post(path, **members), status, code, words)


def test_a_photo_without_a_face_and_one_of_too_many_pixels(
    service: Service, tmp_path: Path
) -> None:
    gray = tmp_path / "gray.jpg"
    write_jpeg(gray, np.full((100, 100, 3), 128, np.uint8))
    refused(service.post_form("/detect", ("img", gray)), 422, 3, "No face found in gray.jpg")
    claimed = bytearray(gray.read_bytes())
    place = claimed.index(b"\xff\xc0")
    claimed[place + 5 : place + 9] = b"\xff\xff\xff\xff"  # 65535 x 65535
    gray.write_bytes(claimed)
    refused(service.post_form("/detect", ("img", gray)), 413, 4, "megapixels")


JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize(
    ("method", "path", "body", "headers", "status"),
    [
        ("GET", "/nothing", None, {}, 404),
        ("GET", "/people/", None, {}, 404),
        ("GET", "/../../etc/passwd", None, {}, 404),
        ("GET", "/%2e%2e/%2e%2e/etc/passwd", None, {}, 404),
        ("GET", "/index.html%00.js", None, {}, 404),
        ("GET", "/verify", None, {}, 405),
        ("DELETE", "/people", None, {}, 405),
        ("POST", "/verify", b"{}", {}, 415),
        ("POST", "/verify", b"img1=a", {"Content-Type": "application/x-www-form-urlencoded"}, 415),
        ("POST", "/verify", b"{", JSON, 400),
        ("POST", "/verify", b"\xff", JSON, 400),
        ("POST", "/verify", b"[" * 100_000, JSON, 400),
        ("POST", "/verify", b"NaN", JSON, 400),
        ("POST", "/verify", b"", {"Content-Type": "multipart/form-data"}, 400),
        ("POST", "/verify", b"x", {"Content-Type": "multipart/form-data; boundary=x"}, 400),
        ("POST", "/verify", b" " * 3_000_001, JSON, 413),
        ("POST", "/verify", None, {"Content-Length": "10000000000", **JSON}, 413),
        ("POST", "/verify", None, {"Content-Length": "9" * 5000, **JSON}, 400),
        ("GET", "/healthz", None, {"Host": "evil.example"}, 421),
        ("GET", "/healthz", None, {"Host": "127.0.0.1.evil.example"}, 421),
        ("GET", "/healthz", None, {"Host": ""}, 421),
        ("GET", "/people", None, {"Origin": "http://evil.example"}, 403),
        ("GET", "/people", None, {"Origin": "null"}, 403),
        ("GET", "/people", None, {"Sec-Fetch-Site": "cross-site"}, 403),
        ("GET", "/people", None, {"Sec-Fetch-Site": "same-site"}, 403),
        ("GET", "/healthz", None, {"Host": "localhost:1"}, 200),
        ("GET", "/healthz", None, {"Host": "[::1]:80"}, 200),
        ("GET", "/healthz", None, {"Host": "192.168.1.9"}, 200),
        ("GET", "/healthz", None, {"Sec-Fetch-Site": "same-origin"}, 200),
    ],
)
def test_what_is_refused_before_it_is_looked_at(
    service: Service,
    method: str,
    path: str,
    body: bytes | None,
    headers: dict[str, str],
    status: int,
) -> None:
    answer = service.ask(method, path, body, headers)
    assert answer.status == status, answer.content[:300]
    if status >= 400 and answer.content.startswith(b"{"):
        require_schema("serve failure", answer.json)
    assert not any(name.startswith("access-control") for name in answer.headers)


def test_every_answer_forbids_scripts_of_others_and_keeping(service: Service) -> None:
    for path in ("/healthz", "/nothing", "/docs", "/openapi.json"):
        headers = service.get(path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] == "no-store"
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "unsafe-inline" not in headers["content-security-policy"]
        assert "server" not in headers


def test_half_a_request_and_two_hundred_idle_connections_hold_nobody_up(service: Service) -> None:
    idle = [socket.create_connection(("127.0.0.1", service.port)) for _ in range(200)]
    idle[0].sendall(b"POST /verify HTTP/1.1\r\nHost: localhost\r\n")
    idle[1].sendall(
        b"POST /verify HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        b"Content-Length: 1000\r\n\r\n{"
    )
    began = time.monotonic()
    assert service.get("/healthz").status == 200
    assert time.monotonic() - began < 5
    for connection in idle:
        connection.settimeout(30)
    assert idle[0].recv(100) == b"", "the head did not arrive within 10 s"
    assert idle[2].recv(100) == b""
    assert time.monotonic() - began < 30
    for connection in idle:
        connection.close()


def test_a_worker_that_is_killed_costs_its_request_alone(service: Service) -> None:
    workers = [
        int(child)
        for child in Path(f"/proc/{service.process.pid}/task/{service.process.pid}/children")
        .read_text()
        .split()
        if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()
    ]
    assert len(workers) == 2
    statuses: list[int] = []

    def ask() -> None:
        for _ in range(3):
            statuses.append(service.post_form("/verify", ("img1", OBAMA), ("img2", OBAMA2)).status)

    clients = [threading.Thread(target=ask) for _ in range(4)]
    for client in clients:
        client.start()
    time.sleep(0.5)
    os.kill(workers[0], signal.SIGKILL)
    for client in clients:
        client.join(120)
    assert len(statuses) == 12
    assert statuses.count(200) >= 11
    assert set(statuses) <= {200, 503}
    text = service.get("/metrics").content.decode()
    assert "facekit_worker_restarts 1.0" in text
    assert 'facekit_requests_total{route="/verify",status="200"}' in text
    assert "facekit_stage_seconds_count" in text
    assert 'facekit_memory_bytes{process="workers"}' in text


def test_the_document_names_every_path_and_its_schemas_are_there(service: Service) -> None:
    document = service.get("/openapi.json").json
    assert {"/verify", "/represent", "/people/remove", "/readyz"} <= document["paths"].keys()
    text = json.dumps(document)
    for reference in {part.partition('"')[0] for part in text.split('"$ref": "')[1:]}:
        found: Any = document
        for step in reference.removeprefix("#/").split("/"):
            found = found[step]
    page = service.get("/docs").content.decode()
    assert "POST /verify" in page
    assert "<script" not in page


def test_a_full_queue_is_told_at_once_and_a_slow_request_is_ended(tmp_path: Path) -> None:
    with running("--workers", 1, "--queue", 0, "--time-limit", 2) as service:
        waiting = socket.create_connection(("127.0.0.1", service.port))
        waiting.sendall(
            b"POST /verify HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            b"Content-Length: 1000\r\n\r\n{"
        )
        time.sleep(0.3)
        busy = service.get("/people")
        refused(busy, 503, 8, "busy")
        assert busy.headers["retry-after"] == "1"
        waiting.settimeout(20)
        assert b" 408 " in waiting.recv(1000).partition(b"\r\n")[0]
        waiting.close()
        assert service.get("/readyz").status == 200


def test_a_token_is_needed_and_nothing_is_changed_where_it_may_only_be_read(
    tmp_path: Path,
) -> None:
    token = tmp_path / "token"
    token.write_text("0123456789abcdef\n")
    folder = tmp_path / "photos"
    folder.mkdir()
    (folder / "a.jpg").symlink_to(OBAMA)
    (folder / "b.jpg").write_bytes(OBAMA.read_bytes())
    (tmp_path / "secret.jpg").write_bytes(OBAMA.read_bytes())
    with running(
        *("--token-file", token, "--read-only", "--workers", 1, "--allow-paths", folder),
        *("--host", "0.0.0.0", "--allow-host", "door.example"),
    ) as service:
        right = {"Authorization": "Bearer 0123456789abcdef"}
        for wrong in ({}, {"Authorization": "Bearer 0"}, {"Authorization": "0123456789abcdef"}):
            answer = service.ask("GET", "/model", headers=wrong)
            refused(answer, 401, 2, "token")
            assert answer.headers["www-authenticate"].startswith("Bearer")
        for path in ("/healthz", "/docs", "/openapi.json"):  # nothing of anybody
            assert service.get(path).status == 200
        assert service.ask("GET", "/model", headers={**right, "Host": "door.example"}).status == 200

        def post(path: str, **members: Any) -> Answer:
            return service.ask("POST", path, json.dumps(members).encode(), {**right, **JSON})

        refused(post("/enroll", photos=["AAAA"], name="A"), 403, 2, "--read-only")
        refused(post("/people/remove", name="A"), 403, 2, "--read-only")
        assert told(post("/detect", img="b.jpg"), "detect")["face_count"] == 1
        assert post("/detect", img=str(folder / "b.jpg")).status == 200
        for path in ("a.jpg", "../secret.jpg", str(tmp_path / "secret.jpg"), "/etc/passwd", "\0."):
            refused(post("/detect", img=path), 400, 2, "below the folder")
        refused(post("/detect", img="missing.jpg"), 422, 4, "missing.jpg")


@pytest.mark.skipif(shutil.which("systemd-socket-activate") is None, reason="apt install systemd")
def test_a_socket_of_systemd_is_answered_at_and_systemd_told(tmp_path: Path) -> None:
    path, told_at = tmp_path / "socket", tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notified:
        notified.bind(str(told_at))
        notified.settimeout(60)
        process = subprocess.Popen(
            [
                *("systemd-socket-activate", "-l", str(path), "-E", f"NOTIFY_SOCKET={told_at}"),
                *("-E", "PYTHONPATH", "-E", "FACEKIT_HOME", "-E", "HOME", "-E", "FACEKIT_THREADS"),
                *(sys.executable, "-m", "facekit", "serve", "--workers", "1"),
            ],
            stderr=subprocess.DEVNULL,
        )
        while not path.exists():
            time.sleep(0.05)
        assert verify(f"unix:{path}", str(OBAMA), str(OBAMA2))["verified"] is True
        assert notified.recv(100) == b"READY=1"
        process.terminate()
        assert process.wait(60) == 143
