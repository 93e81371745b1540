"""facekit enroll --data, killed while it works on real photos."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.model
FACEKIT = (sys.executable, "-m", "facekit")


@pytest.fixture
def people(tmp_path: Path, data: Path) -> Path:
    for number in range(12):
        folder = tmp_path / "people" / f"P{number:02d}"
        folder.mkdir(parents=True)
        for photo in ("obama.jpg", "biden.jpg"):
            shutil.copy(data / photo, folder)
    return tmp_path / "people"


def test_who_was_told_of_is_whole_and_a_second_run_completes_it(
    people: Path, tmp_path: Path
) -> None:
    url = str(tmp_path / "gallery.db")
    enroll = [*FACEKIT, "enroll", "--data", str(people), "--gallery", url]
    output = tmp_path / "told.txt"
    for pause_s in (0.0, 0.2):
        with output.open("w") as told:
            process = subprocess.Popen(
                enroll, stdout=told, env={**os.environ, "PYTHONUNBUFFERED": "1"}
            )
            while output.read_text().count("\n") < 2:  # the header, and somebody
                time.sleep(0.005)
            time.sleep(pause_s)
            process.send_signal(signal.SIGKILL)
            assert process.wait() == -signal.SIGKILL
        header, *lines = output.read_text().splitlines()
        assert header.split()[-1] == "NAME"
        names = {line.split()[-1] for line in lines}
        listed = people_in(url)
        assert names <= set(listed)
        assert set(listed.values()) == {2}
        assert len(listed) < 12, "it was over before it was killed"
    subprocess.run(enroll, check=True, stdout=subprocess.DEVNULL)
    assert people_in(url) == {f"P{number:02d}": 2 for number in range(12)}
    check = subprocess.run([*FACEKIT, "gallery", "check", "--gallery", url], capture_output=True)
    assert check.returncode == 0, check.stdout


def people_in(url: str) -> dict[str, int]:
    command = [*FACEKIT, "gallery", "list", "--json", "--gallery", url]
    listed = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    return {person["name"]: person["template_count"] for person in listed["people"]}
