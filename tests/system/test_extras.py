"""Optional packages: the command that installs a missing one, and no cover for a broken one."""

from pathlib import Path

import pytest

from facekit.errors import MissingExtraError
from facekit.system.extras import require, require_installed


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
