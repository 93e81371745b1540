"""What is told on stderr, by --quiet and --verbose, and how it is colored."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from facekit.cli import cli
from facekit.cli.render.style import Style, shows_color, styled
from facekit.gallery.transfer import CONTAINS

NOTE = re.escape(CONTAINS)


@pytest.fixture
def gallery(tmp_path: Path) -> Path:
    path = tmp_path / "people.db"
    assert run("gallery", "init", "--gallery", str(path)).exit_code == 0
    return path


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli, arguments, prog_name="facekit")


def export(gallery: Path, *options: str, before: tuple[str, ...] = ()) -> Result:
    """`facekit gallery export`, which tells a note."""
    output = gallery.with_name("people.jsonl")
    output.unlink(missing_ok=True)
    words = ("gallery", "export", "--gallery", str(gallery), "-o", str(output))
    result = run(*before, *words, *options)
    assert result.exit_code == 0, result.output
    return result


def test_a_note_is_told_once_without_a_time(gallery: Path) -> None:
    assert re.fullmatch(rf"facekit: \S+ holds {NOTE}\n", export(gallery).stderr)


@pytest.mark.parametrize("option", ["-q", "--quiet"])
def test_quiet_leaves_the_note_out_and_the_result_in(gallery: Path, option: str) -> None:
    quiet = export(gallery, option)
    assert quiet.stderr == ""
    assert quiet.stdout == export(gallery).stdout != ""


def test_verbose_says_when(gallery: Path) -> None:
    assert re.match(rf"facekit: \d+\.\d\d s: \S+ holds {NOTE}\n", export(gallery, "-v").stderr)


def test_both_may_stand_before_the_command(gallery: Path) -> None:
    assert export(gallery, before=("-q",)).stderr == ""
    assert " s: " in export(gallery, before=("--verbose",)).stderr


def test_the_one_at_the_command_counts(gallery: Path) -> None:
    assert export(gallery, "-q", before=("-v",)).stderr == ""


def test_neither_holds_for_the_next_command_of_a_process(gallery: Path) -> None:
    export(gallery, "-q")
    assert CONTAINS in export(gallery).stderr


def test_quiet_still_tells_errors(tmp_path: Path) -> None:
    result = run("gallery", "list", "-q", "--gallery", str(tmp_path / "none.db"))
    assert result.exit_code == 7
    assert result.stderr.startswith("facekit: error: ")


def test_quiet_still_tells_of_options_that_cannot_be_meant() -> None:
    assert run("-q", "detect", "--no-such", "a.jpg").stderr.startswith("facekit: error: ")


def test_verbose_tells_what_an_error_came_from(tmp_path: Path) -> None:
    broken = tmp_path / "broken.toml"
    broken.write_text("model = [")
    words = ("benchmark", "--config", str(broken))
    short, long = run(*words).stderr, run("-v", *words).stderr
    assert "Traceback" not in short
    assert "TOMLDecodeError" in long
    assert long.endswith(short)


@pytest.mark.model
def test_verbose_tells_how_long_each_stage_took(data: Path) -> None:
    photos = (str(data / "obama.jpg"), str(data / "obama2.jpg"))
    told = run("verify", "-v", *photos).stderr
    stages = re.findall(r"^facekit: \d+\.\d\d s: (\w+): \d+\.\d ms$", told, re.MULTILINE)
    assert list(dict.fromkeys(stages)) == ["decode", "load", "detect", "align", "embed", "match"]
    assert run("verify", *photos).stderr == ""


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class TestColor:
    @pytest.fixture(autouse=True)
    def _usual(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("NO_COLOR", raising=False)
        monkeypatch.setenv("TERM", "xterm")

    def facekit(self, *arguments: str, **environment: str) -> str:
        """What a terminal is sent, on stdout and stderr."""
        ours, theirs = os.openpty()
        code = "from facekit.cli import main; main()"
        with subprocess.Popen(
            [sys.executable, "-c", code, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=theirs,
            stderr=theirs,
            env={**os.environ, **environment},
        ) as process:
            os.close(theirs)
            sent = b""
            while True:
                try:
                    part = os.read(ours, 65536)
                except OSError:  # how Linux says that the other side is closed
                    break
                if not part:
                    break
                sent += part
            process.wait()
        os.close(ours)
        return sent.decode()

    def test_headings_are_bold_and_errors_red_on_a_terminal(self) -> None:
        assert "\x1b[1mExamples:\x1b[0m" in self.facekit("models", "--help")
        assert "\x1b[31m\x1b[1merror:\x1b[0m" in self.facekit("models", "buld")

    def test_no_color_is_respected(self) -> None:
        assert "\x1b" not in self.facekit("models", "--help", NO_COLOR="1")
        assert "\x1b" not in self.facekit("models", "buld", NO_COLOR="1")

    def test_json_has_none_on_a_terminal(self) -> None:
        assert "\x1b" not in self.facekit("models", "list", "--json")

    def test_a_pipe_has_none(self) -> None:
        code = "from facekit.cli import main; main()"
        done = subprocess.run(
            [sys.executable, "-c", code, "models", "--help"], capture_output=True, check=True
        )
        assert b"\x1b" not in done.stdout

    @pytest.mark.parametrize(
        ("name", "value", "shown"),
        [("NO_COLOR", "1", False), ("NO_COLOR", "", True), ("TERM", "dumb", False)],
    )
    def test_the_environment_decides(
        self, name: str, value: str, shown: bool, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv(name, value)
        assert shows_color(Terminal()) is shown
        assert ("\x1b" in styled("same", Style.YES, stream=Terminal())) is shown
