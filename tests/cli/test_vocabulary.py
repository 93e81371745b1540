"""One word, one meaning: every command's options are those of docs/reference/vocabulary.md."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from docs.commands import every_command
from facekit.cli import cli
from tests.test_public_names import VERBS, named

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "reference" / "vocabulary.md").read_text()
ALL = every_command()
LEAVES = {words: one for words, one in ALL.items() if not isinstance(one, click.Group)}
COMMON = {"--help", "--help-all", "--quiet", "--verbose", "--version"}
"""Every command's, which its help page explains."""

OTHER_NAMES = {"--json": "as_json", "--csv": "as_csv", "--as": "as_name"}
"""Parameters of options that Python has another use for."""

PYTHON_ALONE = {
    *("self", "reporter", "should_stop", "only_if_missing", "passphrase"),
    *("request", "options", "plan", "run", "locate", "accelerator", "detector_options", "limits"),
    *("a", "b", "photos", "pairs", "folder", "name", "names", "name_or_path", "model", "models"),
    *("workers", "detect", "library_folders"),
}
"""What runs tell and ask, records of options, and what is positional in the shell."""

EXTRAS = {"--plot", "--draw", "--save-crops", "--copy-to", "--sheets", "--install"}
"""What is written besides, or into the store."""

RESUMING = {("data", "fetch")}
"""Goes on with what is there, so that there is nothing to force."""

JSON_WITHOUT_ASKING = {("serve-stdin",)}
NO_RESULT = {("completion",), ("help",)}
"""Print text for a shell or a person, and nothing else."""

MODEL_COMMANDS = {"convert", "quantize", "export", "compile", "inspect", "bundle"}
"""Their object is a model."""

ABOUT_NO_ONE_MODEL = {("models", "list"), ("models", "import"), ("models", "key")}

BRITISH = re.compile(
    r"\b(colour|centre|grey|licence|catalogue|analyse|behaviour|favour|neighbour|artefact|enrol"
    r"|\w*(quantis|normalis|optimis|recognis|organis|minimis|initialis|serialis)(e|es|ed|ing|ation)"
    r"|labell(ed|ing)|modell(ed|ing)|cancell(ed|ing)|travell(ed|ing))\b",
    re.IGNORECASE,
)
METAVAR = re.compile(r"\[?[A-Z][A-Za-z]*(=VALUE)?( [A-Z]+)*(\.\.\.|,\.\.\.|\|[a-z-]+)?\]?(\.\.\.)?")


@dataclass(frozen=True, slots=True)
class Row:
    """An option of the page."""

    values: frozenset[str]
    said: tuple[str, ...]
    """what stands in the help text in every command"""
    commands: tuple[str, ...]


def rows() -> dict[str, Row]:
    """The table of options."""
    table = PAGE.partition("\n## Options\n")[2]
    found = re.findall(r"^\| `(--[\w-]+)` \| (.*?) ?\| (.*) \| (.*) \|$", table, re.MULTILINE)
    return {
        option: Row(
            frozenset(cell.strip("`") for cell in values.split(" or ") if cell),
            tuple(re.findall(r"\*(.+?)\*", meaning)),
            tuple(commands.split(", ")),
        )
        for option, values, meaning, commands in found
    }


ROWS = rows()


def options() -> Iterator[tuple[tuple[str, ...], str, click.Option]]:
    """Command, long name, option."""
    for words, command in LEAVES.items():
        for parameter in command.params:
            if isinstance(parameter, click.Option) and COMMON.isdisjoint(parameter.opts):
                yield words, max(parameter.opts, key=len), parameter


OPTIONS = list(options())


def value_of(option: click.Option) -> str:
    """As the page has it: "" of a flag, "word" of a choice, else the metavar of one value."""
    if option.is_flag:
        return ""
    if isinstance(option.type, click.Choice) and option.metavar is None:
        return "word"
    return re.split(r"[|,]", shown_metavar(option))[0].strip("[]")


def shown_metavar(parameter: click.Parameter) -> str:
    make: Any = parameter.make_metavar  # of click 8.1 it takes no context
    context = (click.Context(click.Command("any")),)
    return str(make(*context[: len(inspect.signature(make).parameters)]))


def names(words: tuple[str, ...]) -> set[str]:
    return {name for parameter in LEAVES[words].params for name in parameter.opts}


def test_the_page_has_every_option_with_its_commands() -> None:
    found: dict[str, list[str]] = {}
    for words, option, _ in OPTIONS:
        found.setdefault(option, []).append(" ".join(words))
    assert list(ROWS) == sorted(ROWS)
    for option in found.keys() | ROWS.keys():
        assert sorted(ROWS[option].commands) == sorted(found[option]), option


@pytest.mark.parametrize("option", ROWS)
def test_an_option_takes_the_same_and_means_the_same_everywhere(option: str) -> None:
    of_this = [(words, one) for words, name, one in OPTIONS if name == option]
    assert {value_of(one) for _, one in of_this} == (ROWS[option].values or {""})
    assert len({one.multiple for _, one in of_this}) <= 2
    for words, one in of_this:
        for said in ROWS[option].said:
            assert said.lower() in (one.help or "").lower(), f"{' '.join(words)}: {one.help}"


def test_options_with_several_help_texts_say_what_they_share() -> None:
    texts: dict[str, set[str]] = {}
    for _, option, one in OPTIONS:
        texts.setdefault(option, set()).add((one.help or "").partition("  [default")[0])
    several = {option for option, found in texts.items() if len(found) > 1} - {"--output"}
    assert {option for option in several if not ROWS[option].said} == set()


@pytest.mark.parametrize(("words", "option", "one"), OPTIONS, ids=str)
def test_python_calls_an_option_as_the_shell_does(
    words: tuple[str, ...], option: str, one: click.Option
) -> None:
    name = OTHER_NAMES.get(option, option.removeprefix("--").replace("-", "_"))
    assert one.name in ((name, f"{name}s") if one.multiple else (name,))


@pytest.mark.parametrize("command", VERBS)
def test_a_verb_of_python_has_the_options_names(command: str) -> None:
    """A length has its unit there; records stand for several options."""
    options = {str(one.name) for one in LEAVES[tuple(command.split())].params}
    for verb in VERBS[command]:
        taken = set(inspect.signature(named(verb)).parameters) - PYTHON_ALONE
        assert {name for name in taken if name.removesuffix("_px") not in options} == set(), verb


@pytest.mark.parametrize("words", LEAVES, ids=" ".join)
def test_a_command_that_writes_has_output_and_force(words: tuple[str, ...]) -> None:
    has = names(words)
    if "--output" in has:
        assert "-o" in has
    if has & (EXTRAS | {"--output"}) and words not in RESUMING:
        assert "--force" in has
    if "--force" in has:
        assert has & (EXTRAS | {"--output"}) or words == ("models", "import")


@pytest.mark.parametrize("words", LEAVES, ids=" ".join)
def test_every_result_can_be_json(words: tuple[str, ...]) -> None:
    assert ("--json" in names(words)) != (words in JSON_WITHOUT_ASKING | NO_RESULT)


@pytest.mark.parametrize("words", LEAVES, ids=" ".join)
def test_a_model_is_an_argument_or_an_option_by_rule(words: tuple[str, ...]) -> None:
    positional = {one.name for one in LEAVES[words].params if isinstance(one, click.Argument)}
    is_about_models = words[0] in MODEL_COMMANDS or words[0] == "models"
    takes = bool(positional & {"model", "models"})
    assert takes == (is_about_models and words not in ABOUT_NO_ONE_MODEL)
    assert not ("--model" in names(words) and takes)


@pytest.mark.parametrize("words", LEAVES, ids=" ".join)
def test_metavars_are_words_in_capitals(words: tuple[str, ...]) -> None:
    for one in LEAVES[words].params:
        is_choice = isinstance(one.type, click.Choice) and one.metavar is None
        if is_choice or (isinstance(one, click.Option) and one.is_flag):
            continue
        assert METAVAR.fullmatch(shown_metavar(one)), f"{one.opts[0]} {shown_metavar(one)}"


@pytest.mark.parametrize("words", ALL, ids=" ".join)
def test_help_is_american_and_speaks_of_photos(words: tuple[str, ...]) -> None:
    page = "--help-all" if words in LEAVES else "--help"
    text = CliRunner().invoke(cli, [*words, page]).stdout
    assert text
    assert not BRITISH.findall(text)
    left = re.sub(r"picture of (both|the drift)|as one picture", "", re.sub(r"\s+", " ", text))
    assert not re.findall(r"\b(?:images?|pictures?)\b", left, re.IGNORECASE)


@pytest.mark.parametrize(
    "word", ["colour", "centre", "quantised", "normalisation", "labelled", "enrol", "licence"]
)
def test_the_list_of_british_words_finds_them(word: str) -> None:
    assert BRITISH.search(f"a {word} b")
    assert not BRITISH.search(
        "color center quantized normalization labeled enroll enrolled license"
    )
