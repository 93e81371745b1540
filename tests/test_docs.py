"""README and docs tell what the code does; their outputs are checked by cog in scripts/test.sh."""

from __future__ import annotations

import ast
import inspect
import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from facekit import errors
from facekit.cli import COMMANDS, INTERRUPTED, cli
from facekit.version import __version__
from tests.small_lfw import home_of_its_own, make_small_lfw

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text()
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
PYTHON = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
MODULES = sorted((ROOT / "facekit").rglob("*.py"))


def section(heading: str) -> str:
    """The text below "## heading" in the README, up to the next one."""
    return README.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]


def first_column(table: str) -> list[str]:
    return re.findall(r"^\| `?([\w.]+)`? \|", table, re.MULTILINE)[1:]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_in_the_readme(command: str) -> None:
    assert re.search(rf"^  {command}  ", section("Use"), re.MULTILINE)


def test_the_readme_shows_each_answer() -> None:
    """Same, different, unreadable: as the commands gave them when cog last ran."""
    shown = re.findall(r"^exit code (\d+)$", section("Use"), re.MULTILINE)
    assert shown == ["0", "1", "4", "0"]


def test_the_exit_codes_are_those_of_the_errors() -> None:
    raised = {
        value.exit_code
        for value in vars(errors).values()
        if inspect.isclass(value) and issubclass(value, errors.FacekitError)
    }
    results = {0, 1, INTERRUPTED}
    assert set(map(int, first_column(section("Exit codes")))) == raised | results


@pytest.mark.model
def test_the_json_table_has_every_key_in_order(data: Path) -> None:
    arguments = ["verify", "--json", "--threshold", "0.5", "obama.jpg", "biden.jpg"]
    paths = [str(data / word) if word.endswith(".jpg") else word for word in arguments]
    result = CliRunner().invoke(cli, paths)
    assert first_column(section("JSON of verify")) == list(json.loads(result.stdout))


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_module_says_what_it_is_for(path: Path) -> None:
    source = path.read_text()
    if source:
        assert ast.get_docstring(ast.parse(source)), "no docstring"


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_links_lead_to_files(page: Path) -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text()):
        assert (page.parent / target).exists(), target


def test_the_changelog_begins_with_this_version() -> None:
    versions = re.findall(r"^## (\S+?),? ", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert versions[0] == __version__


@pytest.mark.model
@pytest.mark.parametrize(
    "page", [page for page in PAGES if PYTHON.search(page.read_text())], ids=lambda path: path.name
)
def test_python_examples_run(
    page: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One after the other, each by itself, in a folder with the photos that they name."""
    make_small_lfw(tmp_path, data)
    for photo in data.glob("*.jpg"):
        (tmp_path / photo.name).symlink_to(photo)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FACEKIT_HOME", str(home_of_its_own(tmp_path / "home")))
    monkeypatch.setenv("FACEKIT_GALLERY", str(tmp_path / "default.db"))
    for example in PYTHON.finditer(page.read_text()):
        line = page.read_text().count("\n", 0, example.start(1))
        exec(compile("\n" * line + example[1], str(page), "exec"), {"__name__": "example"})
