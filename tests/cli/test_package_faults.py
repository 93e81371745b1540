"""Every command without OpenCV or NumPy, or with a click that is too old: one plain error."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import venv
from pathlib import Path

import click
import pytest

from tests.first_commands import OF_ANOTHER, OF_THE_DEFAULT_MODEL, prepare
from tests.made_up_packages import write_metadata, write_package
from tests.schemas import require_failure, require_schema
from tests.test_light_imports import without

ROOT = Path(__file__).resolve().parents[2]
FACEKIT = (sys.executable, "-m", "facekit")


def run_all(package: str, commands: list[list[str]], folder: Path) -> list[tuple[int, str, str]]:
    """The exit code, stdout and stderr of each command where a package is not installed."""
    program = f"""{without((package,))}
import contextlib, io, json
from facekit.cli import cli
answers = []
for arguments in {commands}:
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            cli.main(arguments, prog_name="facekit")
        except SystemExit as done:
            code = done.code
        except Exception as error:
            code = repr(error)
    answers.append((code, out.getvalue(), err.getvalue()))
print(json.dumps(answers))
"""
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return [tuple(answer) for answer in json.loads(done.stdout)]


@pytest.mark.parametrize("package", ["numpy", "cv2"])
def test_every_command_names_a_package_that_is_missing(
    package: str, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare(tmp_path, data)
    monkeypatch.setenv("FACEKIT_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("FACEKIT_OFFLINE", "1")
    given = {**OF_THE_DEFAULT_MODEL, **OF_ANOTHER}
    del given[("serve-stdin",)]  # whose answers are JSON without being asked
    commands = [[*words, *line.split(), "--json"] for words, line in given.items()]
    for words, (code, out, err) in zip(given, run_all(package, commands, tmp_path), strict=True):
        assert code == 5, (words, err)
        failure = json.loads(out)
        require_failure(failure, exit_code=5)
        assert failure["error"]["type"] == "PackageError", words
        wanted = {"numpy": "numpy", "cv2": "opencv-python-headless"}[package]
        assert f"needs the package {wanted}" in failure["error"]["message"], words
        assert err.startswith("facekit: error: "), words
        assert len(err.splitlines()) == 1, words


def facekit_before(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs facekit where Python searches a folder first."""
    paths = [str(folder), str(ROOT)]
    return subprocess.run(
        [*FACEKIT, *arguments],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_an_opencv_that_is_too_old_is_named_with_both_versions(data: Path, tmp_path: Path) -> None:
    write_metadata(tmp_path, "opencv-python-headless>=4.7")
    write_package(tmp_path, "cv2", version="4.5.5")
    photos = [str(data / name) for name in ("obama.jpg", "biden.jpg")]
    done = facekit_before(tmp_path, "verify", *photos)
    assert done.returncode == 5
    assert "opencv-python-headless 4.7 or later. Received: 4.5.5 (AttributeError: " in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert "Traceback" in facekit_before(tmp_path, "verify", *photos, "-v").stderr


def test_a_click_that_the_command_line_cannot_be_made_with_is_named(tmp_path: Path) -> None:
    write_metadata(tmp_path, "click>=8.1.3")
    write_package(tmp_path, "click", version="7.1.2")
    done = facekit_before(tmp_path, "--help")
    assert done.returncode == 5
    assert done.stderr.startswith("facekit: error: facekit needs the package click 8.1.3 or later.")
    assert "Received: 7.1.2" in done.stderr
    assert "Traceback" not in done.stderr


def test_where_nothing_is_installed_click_is_asked_for_and_then_doctor_names_the_rest(
    tmp_path: Path,
) -> None:
    """In an environment of its own that has no package at all."""
    venv.create(tmp_path / "empty")
    site = tmp_path / "site"
    write_metadata(site, "click>=8.1.3", "numpy>=1.24", "opencv-python-headless>=4.7")

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(tmp_path / "empty" / "bin" / "python"), "-m", "facekit", *arguments],
            cwd=tmp_path,  # where Python finds no metadata of the checkout before those of `site`
            env={**os.environ, "PYTHONPATH": f"{site}{os.pathsep}{ROOT}"},
            capture_output=True,
            text=True,
            check=False,
        )

    done = run("verify", "a.jpg", "b.jpg", "--json")
    assert done.returncode == 5
    require_failure(json.loads(done.stdout), exit_code=5)
    assert "needs the package click 8.1.3 or later, which is not installed" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    (site / "click").symlink_to(Path(click.__file__).parent)
    done = run("doctor", "--json")
    assert done.returncode == 5, done.stderr
    report = json.loads(done.stdout)
    require_schema("doctor", report)
    assert {part["name"]: part["missing"] for part in report["parts"]} == {
        "python": False,
        "click": False,
        "numpy": True,
        "opencv-python-headless": True,
        "facekit": False,
    }
    messages = [problem["message"] for problem in report["problems"]]
    for message, name in zip(messages, ("numpy 1.24", "opencv-python-headless 4.7"), strict=False):
        assert f"needs the package {name} or later, which is not installed" in message
    assert "No LiteRT runtime can be imported" in messages[2]


def test_a_mistake_while_the_command_line_is_imported_does_not_say_different(
    tmp_path: Path,
) -> None:
    write_package(tmp_path, "click", version="99.0", code="raise RuntimeError('a mistake')")
    done = facekit_before(tmp_path, "verify", "a.jpg", "b.jpg")
    assert done.returncode == 70
    assert "RuntimeError: a mistake" in done.stderr
