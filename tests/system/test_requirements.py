"""What facekit needs, as read from made-up metadata, and which package an error is due to."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest

from facekit.errors import PackageError
from facekit.system import requirements
from facekit.system.requirements import Package, is_older, needed_packages, package_at_fault
from tests.made_up_packages import write_metadata, write_package


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that Python searches first, with metadata of facekit."""
    write_metadata(tmp_path, "invented-one>=2.5", "flatbuffers>=24.3")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "invented_one", raising=False)
    monkeypatch.setitem(requirements._MODULES, "invented-one", "invented_one")
    return tmp_path


def fault_of(statement: str) -> PackageError | None:
    try:
        exec(statement, {"__name__": "facekit.made_up_caller"})
    except Exception as error:
        return package_at_fault(error)
    raise AssertionError("no error")


def test_the_packages_are_those_of_the_metadata(site: Path) -> None:
    write_metadata(
        site,
        "numpy>=1.24",
        "ai-edge-litert>=1.2; platform_machine == 'x86_64' or platform_machine == 'aarch64'",
        "psycopg[binary] (>=3.2) ; extra == 'postgres'",
        "tomli>=2; python_version < '3.10'",
        "typing-extensions>=4; python_version < '3.99'",
        "click",
        python=">=3.10",
    )
    assert needed_packages() == (
        Package("numpy", "1.24"),
        Package("ai-edge-litert", "1.2"),
        Package("typing-extensions", "4"),
        Package("click", ""),
    )
    assert requirements.least_python() == "3.10"


def test_without_metadata_they_are_known_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requirements, "DISTRIBUTION", "no-such-distribution")
    assert {package.module for package in needed_packages()} >= {"numpy", "cv2", "click"}
    assert requirements.least_python() == ""


@pytest.mark.parametrize(
    ("version", "least", "older"),
    [
        ("4.10.0", "4.12", True),
        ("4.9", "4.10", True),
        ("4.12.0", "4.12", False),
        ("4.12", "4.12.0", False),
        ("5.0.0.93", "4.12", False),
        ("8.1.3", "8.1.3", False),
        ("8.1", "8.1.3", True),
        ("2.17.0-rc0", "2.17", False),
        ("", "4.12", False),
        ("master", "4.12", False),
        ("1.0", "", False),
    ],
)
def test_versions_are_compared_by_their_numbers(version: str, least: str, older: bool) -> None:
    assert is_older(version, least) is older


def test_a_version_is_that_of_the_module_before_that_of_the_metadata(site: Path) -> None:
    """An image's own build may stand before pip's, and pip's may have another name."""
    write_metadata(site, name="invented-one-headless", version="2.6")
    write_package(site, "invented_one", version="2.4")
    invented_one = Package("invented-one", "2.5")
    importlib.import_module("invented_one")
    assert requirements.version_of(invented_one) == "2.4"


def test_without_a_version_in_the_module_the_distribution_has_it(site: Path) -> None:
    info = write_metadata(site, name="invented-one-headless", version="2.6")
    (info / "top_level.txt").write_text("invented_one\n")
    write_package(site, "invented_one", version="")
    assert requirements.version_of(Package("invented-one", "2.5")) == "2.6"
    assert requirements.version_of(Package("never-invented-one")) == ""


@pytest.mark.usefixtures("site")
def test_a_missing_package_is_named_with_the_version_to_install() -> None:
    fault = fault_of("import invented_one.part")
    assert "needs the package invented-one 2.5 or later, which is not installed" in str(fault)
    assert "python -m pip install 'invented-one>=2.5'" in str(fault)
    assert fault is not None
    assert fault.exit_code == 5
    assert isinstance(fault.__cause__, ModuleNotFoundError)


@pytest.mark.parametrize(
    "statement",
    [
        "import invented_one; invented_one.IMREAD_COLOR_RGB",
        "from invented_one import Choice",
        "import invented_one; 1/0",
    ],
)
def test_an_error_with_a_package_that_is_too_old_names_both_versions(
    site: Path, statement: str
) -> None:
    write_package(site, "invented_one", version="2.4.9")
    fault = fault_of(statement)
    assert "invented-one 2.5 or later. Received: 2.4.9 (" in str(fault)


def test_a_package_whose_library_is_missing_is_broken(site: Path) -> None:
    write_package(
        site, "invented_one", version="2.5", code="raise ImportError('libGL.so.1: cannot open')"
    )
    fault = fault_of("import invented_one")
    assert str(fault).startswith("The package invented-one")
    assert "is installed, and cannot be imported: libGL.so.1: cannot open" in str(fault)


def test_an_error_with_packages_that_are_new_enough_is_facekits_own(site: Path) -> None:
    write_package(site, "invented_one", version="2.5.0")
    assert fault_of("import invented_one; invented_one.absent") is None
    assert fault_of("import facekit.not_a_module") is None


@pytest.mark.usefixtures("site")
def test_what_a_package_needs_itself_is_named() -> None:
    fault = fault_of("import needed_by_pooch")
    assert "the package needed_by_pooch, which is not installed" in str(fault)


def test_a_part_of_python_that_an_image_leaves_out_is_named() -> None:
    fault = package_at_fault(ModuleNotFoundError("No module named 'sqlite3'", name="sqlite3"))
    assert "This Python lacks sqlite3" in str(fault)
    assert "python3-sqlite3" in str(fault)
