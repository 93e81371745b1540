"""The files about the project: versions that agree, and a lock file that fits the packaging."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from facekit.version import __version__

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parents[1]
PACKAGING = tomllib.loads((ROOT / "pyproject.toml").read_text())
BUILD_SYSTEM, PROJECT = PACKAGING["build-system"], PACKAGING["project"]
PINS = [
    Requirement(line)
    for line in (ROOT / "requirements-dev.lock").read_text().splitlines()
    if not line.startswith("#")
]
CHANGELOG = (ROOT / "CHANGELOG.md").read_text()
GUIDE = (ROOT / "CONTRIBUTING.md").read_text()
TEST_SCRIPT = (ROOT / "scripts" / "test.sh").read_text()
KINDS = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
"""of change, by https://keepachangelog.com"""


def test_the_changelog_begins_with_this_version() -> None:
    releases = re.findall(r"^## \[?([\d.]+)\]? - (\d{4}-\d\d-\d\d)$", CHANGELOG, re.MULTILINE)
    assert releases[0][0] == __version__
    assert [day for _, day in releases] == sorted((day for _, day in releases), reverse=True)
    assert f"\n[{__version__}]: https://" in CHANGELOG


def test_changes_stand_below_their_kind() -> None:
    assert set(re.findall(r"^### (.*)$", CHANGELOG, re.MULTILINE)) <= KINDS


def test_this_version_is_cited() -> None:
    assert f"\nversion: {__version__}\n" in (ROOT / "CITATION.cff").read_text()


def wanted(requirements: list[str]) -> Iterator[Requirement]:
    """The requirements, and those of the project's own extras in their place."""
    for line in requirements:
        requirement = Requirement(line)
        if requirement.name == PROJECT["name"]:
            for extra in requirement.extras:
                yield from wanted(PROJECT["optional-dependencies"][extra])
        else:
            yield requirement


@pytest.mark.parametrize("python", ["3.10", "3.11", "3.12", "3.13"])
def test_the_lock_gives_every_requirement_one_version_that_fits(python: str) -> None:
    environment = {
        **{key: str(value) for key, value in default_environment().items()},
        "python_version": python,
        "python_full_version": f"{python}.9",
        "sys_platform": "linux",
        "platform_machine": "x86_64",
    }
    locked: dict[str, Version] = {}
    for pin in PINS:
        if pin.marker is None or pin.marker.evaluate(environment):
            (specifier,) = pin.specifier
            assert specifier.operator == "=="
            assert pin.name not in locked
            locked[pin.name] = Version(specifier.version)
    for requirement in wanted([*PROJECT["dependencies"], f"{PROJECT['name']}[dev]"]):
        if requirement.marker is None or requirement.marker.evaluate(environment):
            version = locked[canonicalize_name(requirement.name)]
            assert requirement.specifier.contains(version), f"{requirement}: locked is {version}"


def test_the_lock_brings_nothing_for_gpus_and_from_no_place_of_its_own() -> None:
    assert not [pin for pin in PINS if pin.name.startswith(("nvidia", "cuda", "triton"))]
    assert not [pin for pin in PINS if pin.url]
    assert str(next(pin for pin in PINS if pin.name == "torch").specifier) == "==2.13.0"


def test_files_that_the_guide_for_contributors_names_are_there() -> None:
    """But for those that it says to make, which have a word in capitals."""
    named = re.findall(r"`([\w.-]+(?:/[\w.-]+)*\.(?:py|json|sh|toml|md|lock|yml))`", GUIDE)
    assert len(named) > 20
    missing = [name for name in named if not (ROOT / name).exists()]
    assert [name for name in missing if not re.search("NAME|FORMAT", name)] == []


def test_parts_of_the_checks_that_the_guide_names_are_there() -> None:
    recipes = set(
        re.findall(r"^([a-z-]+)[ a-z*+]*:", (ROOT / "justfile").read_text(), re.MULTILINE)
    )
    assert set(re.findall(r"`just ([a-z-]+)", GUIDE)) <= recipes
    parts = re.search(r"^  ([a-z |]+)\) \"\$@\"", TEST_SCRIPT, re.MULTILINE)
    assert parts
    assert set(re.findall(r"bash scripts/test.sh (\w+)", GUIDE)) <= set(parts[1].split(" | "))


def test_the_package_says_where_its_home_is() -> None:
    home = PROJECT["urls"]["Homepage"]
    assert set(PROJECT["urls"]) == {"Homepage", "Documentation", "Source", "Changelog", "Issues"}
    assert all(url.startswith(home) for url in PROJECT["urls"].values())
    assert f"repository-code: {home}\n" in (ROOT / "CITATION.cff").read_text()
    assert f"[{__version__}]: {home}/" in CHANGELOG
