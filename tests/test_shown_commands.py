"""Every command that README and manual show is run, or read by its parser where it takes too long.

A `sh` block is run by bash in a folder with photos, a small LFW and the models; a comment
"exit code N" says what a command ends with, 0 where none does.  A `console` block is made by cog,
which runs its commands anew in scripts/test.sh.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import click
import cv2
import pytest

from docs.commands import every_command
from facekit.cli import cli
from facekit.model.store import home
from tests.small_lfw import make_small_lfw

ROOT = Path(__file__).resolve().parents[1]
PAGES = {
    str(path.relative_to(ROOT)): path.read_text()
    for path in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))
}
SHELL = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)
FENCE = re.compile(r"^```(\w*)\n.*?^```", re.MULTILINE | re.DOTALL)
COG = re.compile(r"^<!-- \[\[\[cog\n.*?^<!-- \[\[\[end\]\]\] -->", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`(facekit [a-z][^`]*)`")
NOT_RUN = {
    r"pip install|-m venv|scripts/demo.sh|scripts/test.sh": "installs",
    r"scripts/test-versions.sh": "installs, then runs the tests",
    r"apt-get|scripts/emulate-board.sh": "installs; tests/scripts/test_emulated_board.py",
    r"neutron-converter|^strings ": "a board's firmware, NXP's converter; tests/board",
    r"/opt/|/etc/|systemctl|journalctl": "a service of the system; tests/scripts checks the unit",
    r"facekit serve |--server|curl": "does not end by itself; tests/server asks it",
    r"facekit watch": "does not end by itself; tests/cli/test_watch_command.py",
    r"uv tool|pipx|scripts/dist.sh": "installs; tests/test_packages.py",
    r"podman|meta-mine|bitbake": "other programs; tests/test_container.py, test_yocto.py",
    r"scripts/recipe.sh": "minutes; tests/scripts runs it",
    r"benchmarks/|--ray|--workers-at|/shared/|gallery-size 582": "other machines, or all of LFW",
    r"facekit train|run/run_float32|tuned/": "minutes; tests/training trains small networks",
    r"--vela|facekit bundle|imx93|^\./|benchmark_model|board.log": "minutes; tests/board does it",
    r"int8|fp16": "minutes; tests/conversion does it",
    r"calibrate": "wants thousands of pairs; tests/cli calibrates on made-up ones",
    r"facekit benchmark": "minutes; tests/bench measures",
    r"sphere": "no published weights are here; tests/conversion writes such files",
    r"\bfas\b|antispoof|npm pack": "a user's own, or npm; tests/cli/test_liveness_options.py",
    r"\.bin\b|mine\.csv": "data sets of others; tests/evaluation reads such files",
    r"ediffiqa": "a network of others; tests/cli/test_quality_command.py has one like it",
    r"keras|saved-model": "starts TensorFlow; tests/training does it",
}
"""what a command's text matches, and why it is not run here"""
NETWORKS = {
    "mine.onnx": "facekit export sface --format onnx -o",
    "vggface2.pt": "facekit export --format facenet-pytorch -o",
}
"""files that stand for a user's own, and what makes them"""


@pytest.fixture
def folder(tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Photos and data under the names that the pages use, and a home whose models may change."""
    make_small_lfw(tmp_path, data)
    photos = {
        "obama": "obama a door ada1 ada2",
        "obama2": "obama2 b resident byron",
        "biden": "biden group stranger",
    }
    for photo, names in photos.items():
        for name in names.split():
            (tmp_path / f"{name}.jpg").symlink_to(data / f"{photo}.jpg")
    upright = cv2.imread(str(data / "obama2.jpg"))
    assert upright is not None
    cv2.imwrite(str(tmp_path / "upside-down.jpg"), upright[::-1, ::-1])
    for name in ("photos", "people", "others"):
        shutil.copytree(tmp_path / "lfw", tmp_path / name)
        shutil.rmtree(tmp_path / name / "Nobody")
        for path in (tmp_path / name).glob("*/*.jpg"):  # LFW's names would call for LFW's lists
            path.rename(path.with_name(path.name.rpartition("_")[2]))
    people = tmp_path / "people"
    shutil.rmtree(people / "Joe_Biden")  # the stranger
    shutil.rmtree(people / "Barack_Mirrored")
    (people / "Barack_Obama").rename(people / "Barack Obama")
    (tmp_path / "people.csv").write_text(
        "person,group\nBarack_Obama,A\nBarack_Mirrored,A\nJoe_Biden,B\n"
    )
    _film(tmp_path / "visitors.mp4", data / "obama.jpg")
    models = tmp_path / "home" / "models"
    for path in (home() / "models").glob("*/*"):
        (models / path.parent.name).mkdir(parents=True, exist_ok=True)
        if path.suffix == ".json":
            shutil.copy(path, models / path.parent.name)
        else:
            (models / path.parent.name / path.name).symlink_to(path)
    monkeypatch.setenv("FACEKIT_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("FACEKIT_GALLERY", str(tmp_path / "gallery.db"))
    monkeypatch.setenv("FACEKIT_OFFLINE", "1")
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.model
@pytest.mark.parametrize("page", [page for page, text in PAGES.items() if SHELL.search(text)])
def test_the_commands_of_a_page_run(page: str, folder: Path) -> None:
    for name, made in NETWORKS.items():
        if name in PAGES[page]:
            subprocess.run([*made.split(), name], check=True, capture_output=True)
            Path(name).with_suffix(".json").unlink(missing_ok=True)
    for block in SHELL.finditer(PAGES[page]):
        line = PAGES[page].count("\n", 0, block.start(1)) + 1
        script = "\n".join(map(_to_run, _logical_lines(block[1])))
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            cwd=folder,
            capture_output=True,
            stdin=subprocess.DEVNULL,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{page}:{line}\n{script}\n{done.stdout}\n{done.stderr}"


@pytest.mark.parametrize("page", PAGES)
def test_every_console_block_is_made_by_cog(page: str) -> None:
    by_hand = COG.sub("", PAGES[page])
    assert "console" not in FENCE.findall(by_hand)
    assert not re.search(r"^(    |\t)(\$ )?facekit ", by_hand, re.MULTILINE), "not in a sh block"


@pytest.mark.parametrize("page", PAGES)
def test_commands_within_sentences_have_these_options(page: str) -> None:
    for match in INLINE.finditer(FENCE.sub("", PAGES[page]).replace("\n", " ")):
        command, arguments = _command(match[1].split()[1:])
        known = _options(command)
        used = {word.partition("=")[0] for word in arguments if word.startswith("-")}
        assert used - {"-", "--version"} <= known, match[1]


@pytest.mark.parametrize("page", PAGES)
def test_options_within_sentences_exist(page: str) -> None:
    used = re.findall(r"`(--[a-z][a-z-]*)[ =`]", FENCE.sub("", PAGES[page]))
    known = set().union(*map(_options, every_command().values()))
    assert set(used) - known == set()


def test_each_reason_for_not_running_a_command_is_needed() -> None:
    lines = [
        line
        for text in PAGES.values()
        for one in SHELL.findall(text)
        for line in _logical_lines(one)
    ]
    assert [
        reason for reason in NOT_RUN if not any(re.search(reason, line) for line in lines)
    ] == []


def _to_run(line: str) -> str:
    """The line for bash: as it is, checked for its exit code, or nothing where it is not run."""
    if any(re.search(reason, line) for reason in NOT_RUN):
        _parse(line)
        return ":"
    code = re.search(r"# .*exit code (\d+)", line)
    return f"code=0; {line[: code.start()]} || code=$?; [ $code = {code[1]} ]" if code else line


def _logical_lines(block: str) -> list[str]:
    return block.replace("\\\n", " ").splitlines()


def _parse(line: str) -> None:
    """Its options and arguments are those of the command: click's own parser reads them."""
    words = shlex.split(line, comments=True)
    if words and words[0] == "facekit":
        ends = [number for number, word in enumerate(words) if re.match(r"[|>&]|2>", word)]
        command, arguments = _command(words[1 : min(ends, default=len(words))])
        command.make_context(command.name, arguments, parent=click.Context(cli))


def _command(words: list[str]) -> tuple[click.Command, list[str]]:
    command: click.Command = cli
    for place, word in enumerate(words):
        if not isinstance(command, click.Group):
            return command, words[place:]
        if word.startswith("-"):
            return command, words[place:]
        found = command.get_command(click.Context(command), word)
        assert found is not None, f"{word} is no command"
        command = found
    return command, []


def _options(command: click.Command) -> set[str]:
    parameters = command.get_params(click.Context(command))
    return {name for one in parameters for name in (*one.opts, *one.secondary_opts)}


def _film(path: Path, photo: Path) -> None:
    """Ten frames of one face."""
    face = cv2.imread(str(photo))
    assert face is not None
    frame = cv2.resize(face, (320, 400))
    film = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 10, (320, 400))
    for _ in range(10):
        film.write(frame)
    film.release()
