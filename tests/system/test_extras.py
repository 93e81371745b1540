"""Optional packages: the command that installs a missing one, and no cover for a broken one."""

import ast
import re
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from facekit.errors import MissingExtraError
from facekit.system.configs import parse_toml
from facekit.system.extras import EXTRAS, require, require_installed

ROOT = Path(__file__).resolve().parents[2]


def test_a_package_that_is_there_is_imported() -> None:
    assert require("numpy.linalg", extra="plot", needed_for="A test").__name__ == "numpy.linalg"


def test_a_missing_package_is_named_with_its_extra() -> None:
    with pytest.raises(MissingExtraError) as caught:
        require("not_a_package.part", extra="plot", needed_for="A figure")
    assert "A figure needs the package not_a_package" in str(caught.value)
    assert "facekit-cli[plot]" in str(caught.value)


def test_what_the_base_brings_is_asked_for_by_its_own_name() -> None:
    with pytest.raises(MissingExtraError, match=r"python -m pip install not_a_package$"):
        require("not_a_package", extra="", needed_for="A test")


def test_a_broken_package_keeps_its_own_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "broken_package.py").write_text("import another_missing_package\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="another_missing_package"):
        require("broken_package", extra="plot", needed_for="A test")


def test_what_pip_calls_a_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match="A test needs the package ethos-u-vela"):
        require_installed("ethosu", extra="convert", needed_for="A test")


def test_a_package_that_is_asked_for_is_not_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "slow_package.py").write_text("raise SystemExit('imported')\n")
    monkeypatch.syspath_prepend(tmp_path)
    require_installed("slow_package", extra="convert", needed_for="A test")


def requirements() -> dict[str, set[str]]:
    """The distributions of each extra, "" for the base, as pyproject.toml has them."""
    project = parse_toml((ROOT / "pyproject.toml").read_text())["project"]
    listed = {"": project["dependencies"], **project["optional-dependencies"]}
    return {
        extra: {re.split(r"[^\w.-]", line, maxsplit=1)[0].lower() for line in lines}
        for extra, lines in listed.items()
    }


def asked_for() -> Iterator[tuple[str, str, str]]:
    """(place, package or "" where a variable holds it, extra) of every call in facekit/."""
    for path in sorted((ROOT / "facekit").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call):
                continue
            for extra in (one.value for one in node.keywords if one.arg == "extra"):
                if isinstance(extra, ast.Constant):
                    package = node.args[0].value if isinstance(node.args[0], ast.Constant) else ""
                    place = f"{path.relative_to(ROOT)}:{node.lineno}"
                    yield place, str(package).partition(".")[0], str(extra.value)


def test_every_message_names_an_extra_that_brings_the_package() -> None:
    extras, distributions = requirements(), packages_distributions()
    calls = list(asked_for())
    assert {"convert", "evaluate", "plot", ""} <= {extra for _, _, extra in calls}
    for place, package, extra in calls:
        assert extra in extras, f"{place}: there is no extra {extra}"
        if package in distributions:
            brought = {name.lower() for name in distributions[package]}
            assert brought & extras[extra], f"{place}: {extra or 'the base'} brings no {package}"


def test_the_extras_that_doctor_looks_for_are_those_of_the_project() -> None:
    extras, distributions = requirements(), packages_distributions()
    assert EXTRAS.keys() == extras.keys() - {"", "dev", "docs"}
    for extra, packages in EXTRAS.items():
        for package in set(packages) & set(distributions) - {"keras"}:  # TensorFlow brings Keras
            brought = {name.lower() for name in distributions[package]}
            assert brought & extras[extra], f"{extra} brings no {package}"
