"""README and docs tell what the code does; their outputs are checked by cog in scripts/test.sh."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
import signal
from math import prod
from pathlib import Path

import pytest

from docs import doors
from facekit import errors
from facekit.gallery import transfer
from facekit.gallery.sqlite import encryption
from facekit.model import archive
from facekit.model import trial as model_trial
from facekit.photo import header
from facekit.photo.limits import DEFAULT_LIMITS
from facekit.server import requests
from facekit.system import trial
from facekit.system.inputs import InputKind
from facekit.template import file
from tests.small_lfw import home_of_its_own, make_small_lfw

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text()
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]
PYTHON = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
MODULES = sorted((ROOT / "facekit").rglob("*.py"))


def test_the_readme_is_short() -> None:
    assert len(README.splitlines()) <= 150


def test_the_readme_shows_each_answer() -> None:
    """Same, different, unreadable: as the commands gave them when cog last ran."""
    assert re.findall(r"^exit code (\d+)$", README, re.MULTILINE) == ["0", "1", "4"]


def test_the_exit_codes_are_those_of_the_errors() -> None:
    raised = {
        value.exit_code
        for value in vars(errors).values()
        if inspect.isclass(value) and issubclass(value, errors.FacekitError)
    }
    page = (ROOT / "docs" / "reference" / "exit-codes.md").read_text()
    told = {int(code) for code in re.findall(r"^\| (\d+) \|", page, re.MULTILINE)}
    assert told == raised | {0, 1, errors.INTERRUPTED, errors.READER_GONE, 128 + signal.SIGTERM}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_module_says_what_it_is_for(path: Path) -> None:
    source = path.read_text()
    if source:
        assert ast.get_docstring(ast.parse(source)), "no docstring"


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_links_lead_to_files(page: Path) -> None:
    """Those to the pages that MkDocs makes of the commands are checked by its strict build."""
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text()):
        assert (page.parent / target).exists() or "/reference/commands/" in target, target


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


def test_the_security_page_names_the_limits_of_the_code() -> None:
    """Those that no table is made of."""
    page = " ".join((ROOT / "docs" / "explanation" / "security.md").read_text().split())
    work, default = encryption._SCRYPT, DEFAULT_LIMITS
    assert 16 * prod(work.values()) == encryption._MOST_WORK
    for told in (
        f"scrypt with n = {work['n']:,}, r = {work['r']}, p = {work['p']}; a file",
        f"than 16 times that work, or {encryption._MOST_BYTES >> 20} MB, is refused",
        f"at most {archive.MAX_MEMBERS} members",
        f"{archive.MAX_TOTAL_BYTES >> 30} GiB in all",
        f"no more than {default.max_bytes / 1e6:.0f} MB is read",
        f"| `--max-megapixels` | {default.max_pixels / 1e6:.0f} megapixels |",
        f"| {default.max_decoding_bytes / 1e6:,.0f} MB |",
        f"| {default.max_scanned_pixels / 1e6:,.0f} megapixels |",
        f"counts {header._ARITHMETIC_COST} times for each",
        f"more than {header._MOST_PACKED_TEXTS} packed texts",
        f"and {requests._MAX_DEPTH} levels",
        f"at most {trial._MAX_BYTES >> 30} GiB of memory and {model_trial._LONGEST_S:.0f} seconds "
        f"({trial.LONGEST_S:.0f} in `models import` of a network)",
        f"`.npz` unpacks to at most {file._NPZ_FREE_BYTES / 1e6:.0f} MB and "
        f"{file._NPZ_MOST_TIMES} times its size",
        f"fewer than {transfer._LONGEST_LINE:,} characters",
    ):
        assert told in page


@pytest.mark.tensorflow
def test_no_kind_of_file_is_missing_on_the_security_page_for_lack_of_tensorflow() -> None:
    listed = set(doors.kinds())
    for path in MODULES:
        if doors.NEEDS_TENSORFLOW in path.read_text():
            module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
            for value in vars(importlib.import_module(module)).values():
                assert not isinstance(value, InputKind) or not value.max_bytes or value in listed
