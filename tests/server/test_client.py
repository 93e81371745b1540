"""facekit verify --server: the same output and exit codes, by a process that loads nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from facekit.cli import cli
from facekit.errors import ServiceError, UsageError
from facekit.server.client import verify
from tests.server.service import BIDEN, OBAMA, OBAMA2, Service, running


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    with running("--workers", 1) as found:
        yield found


def asked(service: Service | None, *arguments: object) -> Result:
    server = () if service is None else ("--server", service.ready["address"])
    return CliRunner().invoke(cli, ["verify", *server, *map(str, arguments)])


@pytest.mark.model
@pytest.mark.parametrize(
    "arguments",
    [
        (OBAMA, OBAMA2),
        (OBAMA, BIDEN, "--fmr", "1e-4"),
        (OBAMA, OBAMA2, "--threshold", "0.9", "--metric", "l2", "--face", "all"),
    ],
)
def test_output_and_exit_code_are_those_without_a_service(
    service: Service, arguments: tuple[object, ...]
) -> None:
    there, here = asked(service, *arguments), asked(None, *arguments)
    assert (there.stdout, there.exit_code) == (here.stdout, here.exit_code)
    there, here = asked(service, *arguments, "--json"), asked(None, *arguments, "--json")
    records = [json.loads(result.stdout) for result in (there, here)]
    for record in records:
        del record["time"], record["timings_ms"]
        similarity = record.pop("similarity"), record.pop("distance"), record.pop("probability")
        assert similarity[0] is not None
    assert records[0] == records[1]
    assert there.exit_code == here.exit_code


@pytest.mark.model
@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ((OBAMA, "missing.jpg"), 4, "missing.jpg cannot be read: No such file"),
        ((OBAMA, Path(__file__)), 4, "test_client.py"),
        ((OBAMA, OBAMA, "--fmr", "1e-9"), 2, "impostor pairs"),
        ((OBAMA,), 2, "Two photos"),
        ((OBAMA, OBAMA, "--model", "sface"), 2, "--model goes without --server"),
        (("--pairs", "list.csv"), 2, "--pairs goes without --server"),
    ],
)
def test_errors_have_their_own_codes(
    service: Service, arguments: tuple[object, ...], code: int, words: str
) -> None:
    result = asked(service, *arguments)
    assert (result.exit_code, result.stdout) == (code, "")
    assert words in " ".join(result.stderr.split())


@pytest.mark.model
def test_a_service_at_a_unix_socket_asks_for_a_token(tmp_path: Path) -> None:
    token, wrong = tmp_path / "token", tmp_path / "wrong"
    token.write_text("0123456789abcdef\n")
    wrong.write_text("0" * 16)
    path = tmp_path / "socket"
    strange = tmp_path / 'a "photo"\n\u00e9.jpg'
    strange.write_bytes(OBAMA.read_bytes())
    with running("--uds", path, "--workers", 1, "--token-file", token) as service:
        assert path.stat().st_mode & 0o777 == 0o600
        found = verify(f"unix:{path}", str(strange), str(OBAMA2), token_file=token)
        assert found["verified"] is True
        with pytest.raises(UsageError, match="token"):
            verify(f"unix:{path}", str(OBAMA), str(OBAMA2), token_file=wrong)
        environment = {
            **os.environ,
            "FACEKIT_SERVER": service.ready["address"],
            "FACEKIT_TOKEN_FILE": str(token),
        }
        code = (
            "import sys\n"
            "from facekit.cli import cli\n"
            f"try: cli.main(['verify', '-', {str(OBAMA2)!r}])\n"
            "except SystemExit as done: print(done.code)\n"
            "print(sorted({'numpy', 'cv2', 'uvicorn'} & set(sys.modules)))\n"
            "print(open('/proc/self/status').read().partition('VmHWM:')[2].split()[0])\n"
        )
        with OBAMA.open("rb") as photo:
            done = subprocess.run(
                [sys.executable, "-c", code],
                env=environment, stdin=photo, capture_output=True, text=True, check=True,
            )  # fmt: skip
        *_, answer, heavy, peak_kb = done.stdout.splitlines()
        assert (answer, heavy) == ("0", "[]"), done.stderr
        assert int(peak_kb) < 60_000
    assert not path.exists()


@pytest.mark.parametrize(
    "server", ["", "localhost:8000", "ftp://localhost", "http://", "http://a:b", "http://[::1"]
)
def test_another_form_of_address_is_refused(server: str) -> None:
    with pytest.raises(UsageError, match="unix:PATH"):
        verify(server, str(OBAMA), str(BIDEN))


@pytest.mark.parametrize(
    "server", ["http://127.0.0.1:9", "unix:/nowhere", "http://nowhere.invalid"]
)
def test_a_service_that_is_away_is_exit_code_8(server: str) -> None:
    result = CliRunner().invoke(cli, ["verify", "--server", server, str(OBAMA), str(BIDEN)])
    assert result.exit_code == 8
    assert "facekit serve starts one" in result.stderr


@pytest.mark.parametrize("content", [b"", b"<html>", b"[]", b'"error"', b'{"error": 3}'])
def test_something_else_at_the_address_is_told(content: bytes) -> None:
    class Other(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_arguments: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Other) as other:
        thread = threading.Thread(target=other.handle_request)
        thread.start()
        with pytest.raises(ServiceError, match="no facekit serve"):
            verify(f"http://127.0.0.1:{other.server_port}", str(OBAMA), str(BIDEN))
        thread.join()
