"""The rows of the BSP table: what they say, and that the installed versions tested agree."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import pytest

from facekit.board.bsp import BSPS, Bsp, Versions, version_text

CONSTRAINTS = Path(__file__).resolve().parents[2] / "constraints"
PIN = re.compile(r"(?m)^([A-Za-z0-9._-]+)==([0-9][0-9.]*)")


def numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))


def is_within(version: str, versions: Versions) -> bool:
    """Compares as many numbers as the table states: 4.7 contains 4.7.0.72."""
    lowest, highest = map(numbers, versions)
    found = numbers(version)
    return lowest <= found[: len(lowest)] and found[: len(highest)] <= highest


def test_rows_go_from_old_to_new_and_do_not_overlap() -> None:
    assert list(BSPS) == ["6.1", "6.6", "6.12", "6.18.2", "6.18.20"]
    for older, newer in pairwise(BSPS.values()):
        assert numbers(older.kernels[1]) < numbers(newer.kernels[0])
        assert numbers(older.vela[1]) < numbers(newer.vela[0])
    for name, row in BSPS.items():
        assert row.name == name
        for lowest, highest in (row.kernels, row.opencv, row.vela, row.tflite_runtime):
            assert numbers(lowest) <= numbers(highest)
        assert row.kernels[0].startswith(name)


@pytest.mark.parametrize("row", BSPS.values(), ids=BSPS)
def test_the_versions_tested_are_those_of_the_row(row: Bsp) -> None:
    """constraints/ pins what scripts/test-versions.sh installs for a row."""
    text = (CONSTRAINTS / f"bsp-{row.name}.txt").read_text()
    pins = {name.lower().replace("_", "-"): version for name, version in PIN.findall(text)}
    stated = {
        "numpy": (row.numpy, row.numpy),
        "click": (row.click, row.click),
        "opencv-python-headless": row.opencv,
    }
    assert f"\n# Python {'.'.join(row.python.split('.')[:2])}\n" in text
    assert text.startswith(f"# i.MX Linux {version_text(row.kernels)}")
    for name, versions in stated.items():
        assert is_within(pins[name], versions), f"{name} {pins[name]} is not within {versions}"
