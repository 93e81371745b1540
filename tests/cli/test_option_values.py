"""No number on a command line is taken that no command can work with."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from facekit.cli import cli
from facekit.cli.threshold_options import Rate
from facekit.cli.types import Numbers, PixelSize, Real, Whole

OURS = (Whole, Real, Numbers, PixelSize, Rate)
NO_NUMBERS = ("nan", "inf", "-inf", "1e999", str(10**30), "9" * 5000, "-1", "")
ROOT = Path(__file__).resolve().parents[2]
FETCH_APART = {"models", "gallery", "data"}
"""Groups of which some commands alone fetch."""
NEGATIVE = {"--min-similarity", "--mean", "--quality-range"}


def commands(
    group: click.Group, words: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    ctx = click.Context(group)
    for name in group.list_commands(ctx):
        command = group.get_command(ctx, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from commands(command, (*words, name))
        else:
            yield (*words, name), command


def kinds(option: click.Parameter) -> tuple[object, ...]:
    return tuple(option.type.types) if isinstance(option.type, click.Tuple) else (option.type,)


ALL = [
    (words, option)
    for words, command in commands(cli)
    for option in command.params
    if isinstance(option, click.Option)
]
NUMERIC = {
    (max(option.opts, key=len), repr(kinds(option))): (words, option.nargs)
    for words, option in ALL
    if isinstance(kinds(option)[0], OURS)
}
"""By name and type: one command with each."""


def test_every_numeric_option_has_a_type_with_limits() -> None:
    """click's own types take nan, inf, and whole numbers of any size."""
    plain = (click.types.IntParamType, click.types.FloatParamType, click.IntRange, click.FloatRange)
    for words, option in ALL:
        for kind in kinds(option):
            assert isinstance(kind, OURS) or not isinstance(kind, plain), (words, option.opts)
    assert len(NUMERIC) > 30


@pytest.mark.parametrize("value", NO_NUMBERS, ids=lambda value: value[:8] or "empty")
def test_what_is_no_number_within_limits_is_exit_code_2(value: str) -> None:
    for (name, _), (words, count) in NUMERIC.items():
        if value == "-1" and name in NEGATIVE:
            continue
        done = CliRunner().invoke(cli, [*words, name, *(value for _ in range(count))])
        assert done.exit_code == 2, (words, name, done.exception)
        assert name in done.stderr.splitlines()[0]


@pytest.mark.parametrize(
    "written",
    ["threads = nan", "threads = 0", "batch = 4.5", "runs = inf", "runs = 99999999999999999999"],
)
def test_the_same_in_a_configuration(written: str, tmp_path: Path) -> None:
    config = tmp_path / "benchmark.toml"
    config.write_text(f"{written}\n")
    done = CliRunner().invoke(cli, ["benchmark", "--config", str(config)])
    assert done.exit_code == 2, done.exception
    assert written.split()[0] in done.stderr


def test_whatever_may_use_the_network_can_be_told_not_to() -> None:
    """A network that is missing is fetched by all that open one by name."""
    fetching = re.compile(r"\b(open_pipeline|ensure_installed|ensure_detector|installed_for)\(")
    tasks = {
        path.stem for path in (ROOT / "facekit" / "tasks").glob("*.py")
        if fetching.search(path.read_text())
    } | {"data", "models"}  # fmt: skip
    offline = {words for words, option in ALL if "--offline" in option.opts}
    for words, command in commands(cli):
        assert command.callback is not None
        source = Path(inspect.unwrap(command.callback).__code__.co_filename).read_text()
        used = set(re.findall(r"facekit\.tasks\.(\w+)|facekit\.tasks import (\w+)", source))
        if {name for pair in used for name in pair if name} & tasks and words[0] not in FETCH_APART:
            assert words in offline, words
    assert {("models", "fetch"), ("models", "build"), ("data", "fetch")} <= offline
    assert ("gallery", "recenter") in offline


def test_a_pyramid_without_end_is_refused() -> None:
    done = CliRunner().invoke(cli, ["detect", "a.jpg", "--scale-factor", "0.999999"])
    assert done.exit_code == 2
    assert "--scale-factor" in done.stderr


def test_a_camera_has_no_number_of_many_digits() -> None:
    done = CliRunner().invoke(cli, ["track", "12345678901234567890"])
    assert (done.exit_code, done.stdout) == (2, "")
    assert "camera's number" in done.stderr


@pytest.mark.model
@pytest.mark.parametrize("limit", ["1e-9", "1e9"])
def test_numbers_at_the_ends_are_taken(limit: str, data: Path) -> None:
    done = CliRunner().invoke(
        cli, ["detect", str(data / "obama.jpg"), "--max-megapixels", limit, "--min-face", "1e9"]
    )
    assert done.exit_code in (3, 4), done.exception
