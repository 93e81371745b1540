"""Optional packages: the command that installs a missing one, and no cover for a broken one."""

from pathlib import Path

import pytest

from facekit.errors import MissingExtraError
from facekit.system.extras import require


def test_a_package_that_is_there_is_imported() -> None:
    assert require("numpy.linalg", extra="plot", needed_for="A test").__name__ == "numpy.linalg"


def test_a_missing_package_is_named_with_its_extra() -> None:
    with pytest.raises(MissingExtraError) as caught:
        require("not_a_package.part", extra="plot", needed_for="A figure")
    assert "A figure needs the package not_a_package" in str(caught.value)
    assert "facekit-cli[plot]" in str(caught.value)


def test_a_broken_package_keeps_its_own_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "broken_package.py").write_text("import another_missing_package\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="another_missing_package"):
        require("broken_package", extra="plot", needed_for="A test")
