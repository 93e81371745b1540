"""What the Tab key offers, in a real bash and as zsh and fish ask for it."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.shell_completion import CompletionItem, get_completion_class
from click.testing import CliRunner

from docs.commands import every_command
from facekit.cli import cli
from facekit.cli.completion import MODELS, OTHERS, PEOPLE, VARIABLE, WORDS, script
from facekit.cli.types import Word

FREE = {
    *("fmr", "batch", "threads"),
    *("words", "delegate_options", "delegate_option", "provider", "providers", "ray"),
    *(
        "install",
        "license",
        "as_name",
        "cpu_variant",
        "npu_compiler",
        "setting",
        "settings",
        "workers_at",
    ),
    *("gallery", "find_links", "host", "allow_hosts", "server"),
}
"""plain text that nobody can guess, or that has a completion of its own"""

READ = "import sys; sys.argv[0] = 'facekit'; from facekit.cli import main; main()"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """With photos, an own network, a stored model and a gallery of two people."""
    import sqlite3

    from facekit.gallery.sqlite.gallery import create_sqlite

    for name in ("ada 1.jpg", "ada2.jpg", "mine.onnx"):
        (tmp_path / name).touch()
    (tmp_path / "photos").mkdir()
    monkeypatch.setenv("FACEKIT_HOME", str(tmp_path / "home"))
    stored = tmp_path / "home" / "models" / "sface"
    stored.mkdir(parents=True)
    (stored / "sface_int8.tflite").touch()
    people = tmp_path / "people.db"
    create_sqlite(people)
    with sqlite3.connect(people) as file:
        file.executemany(
            "INSERT INTO person (name, seal, enrolled_at) VALUES (?, x'', '')",
            [("Ada Lovelace",), ("Alan Turing",)],
        )
    file.close()
    monkeypatch.setenv("FACEKIT_GALLERY", str(people))
    monkeypatch.chdir(tmp_path)
    command = tmp_path / "bin" / "facekit"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -c {shlex.quote(READ)} "$@"\n')
    command.chmod(0o755)
    monkeypatch.setenv("PATH", f"{command.parent}{os.pathsep}{os.environ['PATH']}")
    return tmp_path


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
class TestBash:
    def offered(self, folder: Path, line: str) -> list[str]:
        """What a real bash has after its own completion function ran for this line.

        `compopt` works in a completion of readline alone, so that here it prints its options.
        """
        typed = line.replace(":", " : ").replace("=", " = ")
        words = shlex.split(typed.rstrip()) if typed.count('"') % 2 == 0 else typed.split()
        words += [""] if line.endswith(" ") else []
        program = f"""
            complete() {{ :; }}
            compopt() {{ echo "($*)"; }}
            eval "$(facekit completion bash)"
            COMP_LINE={shlex.quote(line)} COMP_POINT={len(line)}
            COMP_WORDS=({" ".join(map(shlex.quote, words))}) COMP_CWORD={len(words) - 1}
            _facekit_completion facekit
            printf '%s\\n' "${{COMPREPLY[@]}}"
        """
        done = subprocess.run(
            ["bash", "--norc", "-c", program],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stderr == ""
        return done.stdout.splitlines()

    def test_commands(self, folder: Path) -> None:
        assert self.offered(folder, "facekit ver") == ["verify"]
        assert self.offered(folder, "facekit models b") == ["build"]

    def test_options(self, folder: Path) -> None:
        assert self.offered(folder, "facekit verify --min-s") == [
            *("--min-similarity", "--min-score")
        ]

    def test_photos_are_files_as_bash_completes_them(self, folder: Path) -> None:
        assert self.offered(folder, "facekit verify ad") == ["(-o default)", ""]
        assert self.offered(folder, "facekit verify ada2.jpg ") == ["(-o default)", ""]

    def test_a_folder_is_a_folder(self, folder: Path) -> None:
        assert self.offered(folder, "facekit train --data ") == ["(-o dirnames)", ""]

    def test_a_model_is_a_name_or_a_file(self, folder: Path) -> None:
        assert self.offered(folder, "facekit verify --model fac") == [
            *("(-o filenames)", "facenet512-casia", "facenet512")
        ]
        assert self.offered(folder, "facekit verify --model=mi") == ["(-o default)", ""]

    def test_files_stand_beside_names(self, folder: Path) -> None:
        (folder / "sface_of_mine.onnx").touch()
        offered = self.offered(folder, "facekit inspect sf")
        assert set(offered) == {"(-o filenames)", "sface", "sface:int8", "sface_of_mine.onnx"}

    def test_a_variant_follows_its_colon(self, folder: Path) -> None:
        """Bash takes the word apart there, and replaces only what follows."""
        assert "int8" in self.offered(folder, "facekit models info sface:i")

    def test_a_name_with_a_space_is_quoted(self, folder: Path) -> None:
        assert self.offered(folder, 'facekit gallery show "Ada L') == [
            *("(-o filenames)", "Ada Lovelace")
        ]


def shell_offers(shell: str, words: list[str], typed: str) -> list[CompletionItem]:
    kind = get_completion_class(shell)
    assert kind is not None
    items = kind(cli, {}, "facekit", VARIABLE).get_completions(words, typed)
    return [item for item in items if item.type != "plain" or item.value]


def values(items: list[CompletionItem]) -> list[str]:
    return [str(item.value) if item.type == "plain" else f"<{item.type}>" for item in items]


@pytest.mark.parametrize("shell", ["zsh", "fish"])
@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("verify ", ["<file>"]),
        ("verify --face l", ["largest"]),
        ("verify --face L", ["largest"]),
        ("verify --model sf", ["sface", "sface:int8", "<file>"]),
        ("verify --detector ", ["mtcnn", "yunet", "<file>"]),
        ("models remove mt", ["mtcnn", "<file>"]),
        ("enroll al", ["Alan Turing"]),
        ("gallery merge Ada", ["Ada Lovelace"]),
        ("quantize sface --recipe dyn", ["dynamic_wi8_afp32", "<file>"]),
        ("compile a.tflite --target imx", ["imx93", "<file>"]),
        ("convert --vela ethos-u85", ["ethos-u85-256", "<file>"]),
        ("train --config fine", ["finetune", "<file>"]),
        ("benchmark --config ", ["ixrt", "<file>"]),
        ("eval-lfw --protocol dev", ["devtrain", "devtest"]),
        ("train --data ", ["<dir>"]),
        ("bundle --target c", ["cpu"]),
        ("data fetch ", ["lfw"]),
        ("completion z", ["zsh"]),
        ("help mod", ["models"]),
        ("help models b", ["build"]),
        ("config show imx", ["imx93"]),
    ],
)
def test_what_is_offered(shell: str, line: str, offered: list[str], folder: Path) -> None:
    *words, typed = line.split(" ")
    assert values(shell_offers(shell, words, typed)) == offered


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_is_printed(shell: str) -> None:
    printed = CliRunner().invoke(cli, ["completion", shell], prog_name="facekit").stdout
    assert printed == script(cli, shell)
    assert "_facekit_completion" in printed
    assert f"{VARIABLE}={shell}_complete" in printed


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_bash_accepts_its_script() -> None:
    subprocess.run(["bash", "-n", "-c", script(cli, "bash")], check=True)


def test_a_gallery_that_cannot_be_read_offers_nobody(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FACEKIT_GALLERY", str(folder / "ada2.jpg"))
    assert values(shell_offers("zsh", ["gallery", "show"], "")) == []
    monkeypatch.setenv("FACEKIT_GALLERY", "postgresql://localhost/nobody")
    assert values(shell_offers("zsh", ["gallery", "show"], "")) == []


def test_every_parameter_of_plain_text_is_completed_or_free() -> None:
    known = MODELS | OTHERS | WORDS | PEOPLE | FREE
    for words, command in every_command().items():
        for parameter in command.params:
            if isinstance(parameter.type, Word):
                assert parameter.name in known, f"{parameter.name} of {' '.join(words)}"


def test_every_command_completes_its_options() -> None:
    for words, command in every_command().items():
        if not isinstance(command, click.Group):
            offered = values(shell_offers("zsh", list(words), "--"))
            assert {"--help", "--help-all", "--quiet", "--verbose"} <= set(offered), words


def test_no_completion_imports_numpy_or_opencv(folder: Path) -> None:
    lines = ("", "models build ", "gallery show ", "verify --model ", "convert --vela ")
    code = f"""
import sys
from click.shell_completion import get_completion_class
from facekit.cli import cli
for line in {lines}:
    *words, typed = line.split(" ")
    zsh = get_completion_class("zsh")(cli, {{}}, "facekit", "X")
    assert zsh.get_completions(words, typed), line
print(sorted(set(sys.modules) & {{"numpy", "cv2"}}))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
