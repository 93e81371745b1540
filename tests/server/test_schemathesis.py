"""What openapi.json says, against what is answered: by schemathesis, where it is installed."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.server.service import running

CHECKS = (
    *("not_a_server_error", "response_schema_conformance"),
    *("status_code_conformance", "content_type_conformance"),
)


@pytest.mark.model
@pytest.mark.slow
@pytest.mark.skipif(shutil.which("schemathesis") is None, reason="pip install schemathesis")
def test_made_up_requests_are_answered_as_the_document_says(tmp_path: Path) -> None:
    with running("--gallery", tmp_path / "people.db", "--workers", 1) as service:
        done = subprocess.run(
            [
                *("schemathesis", "run", f"{service.ready['address']}/openapi.json"),
                *("--max-examples", "100", "--checks", ",".join(CHECKS)),
            ],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stdout[-5000:]
