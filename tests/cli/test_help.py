"""Every command explains itself, with an example that can be typed."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from functools import cache
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from docs.commands import every_command
from facekit.cli import COMMANDS, cli
from facekit.cli.command import Command, Group, context_of
from facekit.cli.pages import SECTIONS, long_name

ALL = every_command()
LEAVES = {words: one for words, one in ALL.items() if isinstance(one, Command)}
GROUPS = {(): cli} | {words: one for words, one in ALL.items() if isinstance(one, Group)}
WITHOUT_JSON = {("serve-stdin",), ("completion",), ("help",)}
"""answers in JSON Lines always; prints a text for a shell, and one for people"""
WIDE, NARROW = 200, 40


def run(*arguments: str, columns: int = 80) -> Result:
    return CliRunner(env={"COLUMNS": str(columns)}).invoke(cli, arguments, prog_name="facekit")


def help_of(words: tuple[str, ...], option: str = "--help", *, columns: int = 80) -> str:
    result = run(*words, option, columns=columns)
    assert result.exit_code == 0, result.output
    return result.stdout


@cache
def pages(columns: int) -> dict[str, str]:
    """Every page there is, by what is typed to see it."""
    found = {" ".join(words): help_of(words, columns=columns) for words in ((), *ALL)}
    more = {
        f"{' '.join(words)} --help-all": help_of(words, "--help-all", columns=columns)
        for words in LEAVES
    }
    return found | more


def options_in(page: str) -> set[str]:
    """The long options that have a row on it."""
    return set(re.findall(r"^  (?:-\w, )?--([a-z0-9-]+)", page, re.MULTILINE))


def test_a_class_of_ours_makes_every_page() -> None:
    assert len(LEAVES) + len(GROUPS) - 1 == len(ALL)


def test_no_page_is_wider_than_80_columns_however_wide_the_terminal() -> None:
    for name, page in pages(WIDE).items():
        assert max(map(len, page.splitlines())) <= 80, name


def test_a_narrower_terminal_is_respected() -> None:
    for name, page in pages(NARROW).items():
        wider = [line for line in page.splitlines() if len(line) > NARROW]
        words = [line.removesuffix(" \\").split() for line in wider]
        assert all(len(one) <= 2 for one in words), (
            f"{name}: {wider}"
        )  # an option with a long value


def test_no_summary_is_cut_and_every_one_is_short_and_plain() -> None:
    for words, command in ({(): cli} | ALL).items():
        assert isinstance(command, (Command, Group))
        summary = command.explanation.summary
        assert re.fullmatch(r"[A-Z][^.;]{1,59}", summary), f"{words}: {summary}"
        assert f"\n\n  {summary}\n\n" in help_of(words)
    for name, page in pages(80).items():
        assert not re.search(r"^(?!Usage).*\w\.\.\.$", page, re.MULTILINE), name


@pytest.mark.parametrize("words", GROUPS, ids=" ".join)
def test_every_command_stands_under_one_heading_with_its_whole_summary(
    words: tuple[str, ...],
) -> None:
    page = help_of(words)
    below = [path for path in ALL if path[:-1] == words]
    assert below
    for path in below:
        command = ALL[path]
        assert isinstance(command, (Command, Group))
        rows = re.findall(rf"^  {path[-1]}  +(.*)$", page, re.MULTILINE)
        assert rows == [command.explanation.summary]


def test_the_front_page_has_groups_exit_codes_and_a_way_on() -> None:
    page = help_of(())
    headings = re.findall(r"^(\S.*):$", page, re.MULTILINE)
    assert headings == [
        *("Examples", "Verify", "Known people", "Measure", "Models and boards", "Train", "Serve"),
        *("This installation", "Exit codes", "Options"),
    ]
    assert page.endswith("About one command: facekit help COMMAND\n")


def test_no_command_is_an_error_that_shows_the_front_page() -> None:
    result = run()
    assert result.exit_code == 2
    assert result.stdout == ""
    assert "Usage: facekit [OPTIONS] COMMAND [ARGS]..." in result.stderr


@pytest.mark.parametrize("words", ALL, ids=" ".join)
def test_examples_come_first(words: tuple[str, ...]) -> None:
    page = help_of(words)
    headings = re.findall(r"^(\S.*):$", page, re.MULTILINE)
    assert headings[0] == "Examples"
    assert f"  facekit {' '.join(words)}" in page.partition("Examples:")[2]


@pytest.mark.parametrize("words", ALL, ids=" ".join)
def test_the_examples_can_be_parsed(words: tuple[str, ...]) -> None:
    """Each example line is parsed, not run: its commands, options and words exist."""
    command = ALL[words]
    assert isinstance(command, (Command, Group))
    for line in command.explanation.examples:
        arguments = shlex.split(re.split(r" # | \| (?!facekit)| > | < ", line)[0])
        if arguments[0] == "openssl":
            continue
        arguments = arguments[arguments.index("facekit") + 1 :]
        depth = next(
            (count for count in range(len(arguments), 0, -1) if tuple(arguments[:count]) in ALL), 0
        )
        assert depth, f"{line}: no such command"
        ALL[tuple(arguments[:depth])].make_context("facekit", list(arguments[depth:]))


@pytest.mark.parametrize("words", LEAVES, ids=" ".join)
def test_all_options_are_listed_and_the_basic_ones_are_among_them(words: tuple[str, ...]) -> None:
    context = context_of(click.Context(cli, info_name="facekit"), words)
    options = [one for one in LEAVES[words].get_params(context) if isinstance(one, click.Option)]
    everything = help_of(words, "--help-all")
    assert options_in(everything) == set(map(long_name, options))
    basic = help_of(words)
    assert options_in(basic) < options_in(everything)
    assert len(options_in(basic)) <= 12
    assert basic.endswith(f"All options: facekit {' '.join(words)} --help-all\n")


def test_every_option_in_a_section_is_one_of_some_command() -> None:
    there = {
        long_name(parameter)
        for command in ALL.values()
        for parameter in command.params
        if isinstance(parameter, click.Option)
    }
    listed = [name for names in SECTIONS.values() for name in names]
    assert set(listed) - there <= {"help", "version"}
    assert len(listed) == len(set(listed))


@pytest.mark.parametrize("words", ALL, ids=" ".join)
def test_every_option_is_explained(words: tuple[str, ...]) -> None:
    for parameter in ALL[words].params:
        if isinstance(parameter, click.Option):
            assert parameter.help, f"{parameter.opts[0]} of {' '.join(words)}"


def test_defaults_and_ranges_are_said_in_one_way() -> None:
    for name, page in pages(80).items():
        assert "[default: (" not in page, name
        assert not re.search(r"x[<>]=?\d|\d<=?x|RANGE|Sentinel|UNSET", page), name
    detect = " ".join(help_of(("detect",), "--help-all").split())
    assert "pyramid levels. [above 0, at most 0.95; default: 0.709]" in detect


@pytest.mark.parametrize("words", ALL, ids=" ".join)
def test_every_command_that_reports_has_json(words: tuple[str, ...]) -> None:
    command = ALL[words]
    if not isinstance(command, click.Group) and words not in WITHOUT_JSON:
        assert "--json" in {name for parameter in command.params for name in parameter.opts}


@pytest.mark.parametrize("words", [("verify",), ("models", "build"), ("gallery",)], ids=" ".join)
def test_facekit_help_is_the_same_page(words: tuple[str, ...]) -> None:
    assert run("help", *words).stdout == help_of(words)


def test_facekit_help_alone_is_the_front_page() -> None:
    assert run("help").stdout == help_of(())


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (("verfy",), "Did you mean verify?"),
        (("Verify",), "Did you mean verify?"),
        (("models", "buld", "sface"), "Did you mean build?"),
        (("help", "modls"), "Did you mean models?"),
        (("build",), "There is facekit models build."),
        (("verify", "--treshold", "1", "a", "b"), "Did you mean --threshold?"),
        (("verify", "--FMR", "1", "a", "b"), "Did you mean --fmr?"),
        (("detect", "--face", "Largst", "a"), "Did you mean largest?"),
        (("models", "build", "sfce"), "Did you mean sface?"),
        (("models", "build", "SFace"), "Did you mean sface?"),
        (("verify", "--model", "facenet512casia", "a", "b"), "Did you mean facenet512-casia?"),
        (("benchmark", "--config", "ixtr"), "Did you mean ixrt?"),
    ],
)
def test_what_is_mistyped_gets_a_suggestion(arguments: tuple[str, ...], hint: str) -> None:
    result = run(*arguments)
    missing_model = "No model is called" in result.stderr
    assert result.exit_code == (5 if missing_model else 2)
    assert hint in result.stderr
    assert result.stdout == ""


def test_what_is_like_nothing_gets_no_suggestion() -> None:
    assert "Did you mean" not in run("zzzz").stderr


@pytest.mark.parametrize("word", ["Cosine", "COSINE", "cosine"])
def test_words_of_closed_sets_are_taken_in_any_case(word: str) -> None:
    context = ALL[("verify",)].make_context("verify", ["--metric", word, "a", "b"])
    assert context.params["metric"].value == "cosine"


@pytest.fixture(scope="module")
def man_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With the man pages of all commands."""
    folder = tmp_path_factory.mktemp("man")
    assert run("help", "--man", "-o", str(folder)).exit_code == 0
    return folder


class TestManPages:
    def test_every_command_has_one(self, man_folder: Path) -> None:
        names = {f"{'-'.join(('facekit', *words))}.1" for words in ((), *ALL)}
        assert {path.name for path in man_folder.iterdir()} == names

    def test_they_are_not_written_over(self, man_folder: Path) -> None:
        again = run("help", "--man", "-o", str(man_folder))
        assert again.exit_code == 2
        assert "--force" in again.stderr
        assert run("help", "--man", "-o", str(man_folder), "--force").exit_code == 0

    @pytest.mark.skipif(shutil.which("man") is None, reason="needs man-db")
    def test_groff_warns_of_nothing(self, man_folder: Path) -> None:
        done = subprocess.run(
            ["man", "--warnings", "-l", *map(str, sorted(man_folder.iterdir()))],
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stderr == ""

    @pytest.mark.skipif(shutil.which("man") is None, reason="needs man-db")
    def test_a_page_shows_what_was_written(self, man_folder: Path) -> None:
        done = subprocess.run(
            ["man", "-E", "ascii", "-l", str(man_folder / "facekit-models-build.1")],
            capture_output=True,
            text=True,
            check=True,
            env={"MANWIDTH": "80", "PATH": "/usr/bin:/bin"},
        )
        text = re.sub(".\b", "", done.stdout)
        assert "facekit-models-build - Build a model from its source weights" in text
        assert "facekit models build facenet512-casia" in text
        assert "python -m pip install 'facekit-cli[convert]'" in " ".join(text.split())


def test_the_table_of_the_front_page_says_what_the_commands_say() -> None:
    for name, (_place, summary) in COMMANDS.items():
        command = ALL[(name,)]
        assert isinstance(command, (Command, Group))
        assert command.explanation.summary == summary
