"""The Containerfile: what it copies, who it runs as, and what it answers where an engine runs."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from facekit.board.wheel import _FOLDERS, _SOURCES
from facekit.model.registry import DEFAULT_MODEL, DETECTOR
from facekit.model.store import models_folder
from tests.test_project import PROJECT, ROOT

CONTAINERFILE = (ROOT / "Containerfile").read_text()
STEPS = re.findall(
    r"^([A-Z]+) (.*)$", re.sub(r"\\\n|^#.*\n", "", CONTAINERFILE, flags=re.MULTILINE), re.MULTILINE
)


def values(instruction: str) -> list[str]:
    return [value for name, value in STEPS if name == instruction]


def test_it_builds_from_the_files_that_a_wheel_is_built_from_and_sees_no_others() -> None:
    copied = [line.split() for line in values("COPY") if not line.startswith("--from")]
    sources = {source for line in copied for source in line[:-1]}
    assert sources == {*_SOURCES, *_FOLDERS}
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    assert {line[1:] for line in ignored if line.startswith("!")} == sources
    assert "*" in ignored


def test_it_runs_as_nobody_special_and_starts_facekit() -> None:
    assert values("USER") == ["1000:1000"]  # numbers, by which Kubernetes sees that it is not root
    assert values("ENTRYPOINT") == ['["facekit"]']
    assert values("WORKDIR") == ["/photos"]
    assert f'source="{PROJECT["urls"]["Source"]}"' in values("LABEL")[0]


def test_its_python_is_one_that_the_project_names() -> None:
    version = re.search(r"/python:(\d+\.\d+)-slim$", values("ARG")[0])
    assert version
    assert f"Programming Language :: Python :: {version[1]}" in PROJECT["classifiers"]


@pytest.fixture(scope="module")
def engine() -> str:
    """The program podman or docker, where it can start containers."""
    for name in ("podman", "docker"):
        if (
            shutil.which(name)
            and not subprocess.run([name, "info"], capture_output=True).returncode
        ):
            return name
    pytest.skip("neither podman nor docker runs here, so that the Containerfile is not built")


@pytest.mark.install
@pytest.mark.model
def test_the_built_container_tells_people_apart(engine: str, data: Path, tmp_path: Path) -> None:
    """Models of this machine stand in for those that MODELS would build into it."""
    for name in (DEFAULT_MODEL, DETECTOR):
        shutil.copytree(models_folder() / name, tmp_path / "models" / name)
    subprocess.run(["chmod", "-R", "a+rX", tmp_path], check=True)
    tag = ["--tag", "facekit-test", "--file", str(ROOT / "Containerfile")]
    subprocess.run([engine, "build", *tag, str(ROOT)], check=True)
    run = [engine, "run", "--rm", "--network", "none", "--env", "FACEKIT_OFFLINE=1"]
    mounts = ["--volume", f"{data}:/photos:ro", "--volume", f"{tmp_path}:/models:ro"]
    answers = [
        subprocess.run([*run, *mounts, "facekit-test", "verify", "obama.jpg", other], check=False)
        for other in ("obama2.jpg", "biden.jpg")
    ]
    assert [answer.returncode for answer in answers] == [0, 1]
