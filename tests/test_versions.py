"""The versions that facekit is tested with agree: constraints, packaging, images, manual."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.version import Version

from facekit.board.bsp import BSPS

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
ROWS = {path.stem: path.read_text() for path in (ROOT / "constraints").glob("*.txt")}
PAGE = (ROOT / "docs" / "reference" / "versions.md").read_text()
PYTHONS = {"3.10", "3.11", "3.12", "3.13", "3.14"}
OPENCV, LITERT, TFLITE = "opencv-python-headless", "ai-edge-litert", "tflite-runtime"


def python_of(row: str) -> str:
    (python,) = re.findall(r"^# Python (3\.\d+)$", ROWS[row], re.MULTILINE)
    return str(python)


def pins_of(row: str, python: str | None = None) -> dict[str, Version]:
    """What the row installs on that Python; None for its own."""
    environment = {
        **{key: str(value) for key, value in default_environment().items()},
        "python_version": python or python_of(row),
    }
    lines = [Requirement(line) for line in ROWS[row].splitlines() if line[0] != "#"]
    kept = [one for one in lines if one.marker is None or one.marker.evaluate(environment)]
    assert all(re.fullmatch(r"==[\d.]+", str(one.specifier)) for one in kept)
    pins = {one.name: Version(str(one.specifier)[2:]) for one in kept}
    assert len(pins) == len(kept)
    return pins


def is_release_of(version: Version, text: str) -> bool:
    """Whether 4.7.0.72 is a release of "4.7"."""
    wanted = Version(text).release
    return version.release[: len(wanted)] == wanted


def floors(requirements: list[str]) -> dict[str, str]:
    read = [Requirement(line) for line in requirements]
    lowest = {one.name: re.findall(r">=([\d.]+)", str(one.specifier)) for one in read}
    assert all(len(found) == 1 for found in lowest.values())
    return {name: found for name, (found,) in lowest.items()}


def test_the_oldest_versions_are_the_floors_of_the_packaging() -> None:
    extras = PROJECT["optional-dependencies"]
    declared = floors(PROJECT["dependencies"])
    for extra in ("encrypt", "evaluate", "onnx", "serve"):
        declared |= floors(extras[extra])
    pins = pins_of("oldest")
    assert pins.keys() == declared.keys()
    assert {
        name: floor for name, floor in declared.items() if not is_release_of(pins[name], floor)
    } == {}
    assert PROJECT["requires-python"] == f">={python_of('oldest')}"


def test_every_image_has_its_row() -> None:
    assert ROWS.keys() == {"oldest", *(f"bsp-{name}" for name in BSPS)}


@pytest.mark.parametrize("name", BSPS)
def test_a_row_has_the_versions_of_its_image(name: str) -> None:
    bsp, row = BSPS[name], f"bsp-{name}"
    assert is_release_of(Version(bsp.python), python_of(row))
    for python in sorted(PYTHONS):
        pins = pins_of(row, python)
        assert is_release_of(pins["numpy"], bsp.numpy)
        assert pins["click"] == Version(bsp.click)
        assert any(is_release_of(pins[OPENCV], version) for version in bsp.opencv)
        assert len(pins.keys() & {LITERT, TFLITE}) == 1


@pytest.mark.parametrize("row", sorted(ROWS))
def test_no_row_is_below_the_floors(row: str) -> None:
    lowest = floors(PROJECT["dependencies"])
    too_old = [
        name for name, pin in pins_of(row).items() if name in lowest and pin < Version(lowest[name])
    ]
    assert too_old == []


def test_pythons_that_were_run_are_those_that_are_declared() -> None:
    said = {
        word.rpartition(" ")[2] for word in PROJECT["classifiers"] if " :: Python :: 3." in word
    }
    assert said == PYTHONS
    assert set(re.findall(r"^\| `(3\.\d+)` \|", PAGE, re.MULTILINE)) == PYTHONS - {"3.11"}


@pytest.mark.parametrize("row", sorted(ROWS))
def test_the_page_has_the_versions_of_the_row(row: str) -> None:
    (line,) = re.findall(rf"^\| `{row}` \| (.*) \|$", PAGE, re.MULTILINE)
    python, numpy, click, opencv, runtime, *_ = re.split(r" *\| *", line)
    pins = pins_of(row, python)
    name, _, version = runtime.partition(" ")
    found = {"numpy": numpy, "click": click, OPENCV: opencv, name: version}
    assert {key: Version(text) for key, text in found.items()} == {
        key: pin if key != OPENCV else Version(pin.public.rpartition(".")[0])
        for key, pin in pins.items()
        if key in found
    }
    assert len(found) == 4
