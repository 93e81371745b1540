"""Spoilt inputs of every kind are read or refused; scripts/fuzz.sh tries as many as there is time.

Here each door gets a few, the same ones each time, and all that have ever done harm.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from facekit.gallery.sqlite import encryption
from facekit.graph.read import formats
from facekit.system import trial
from tests.fuzz.door import Source, Spoilt, attempt
from tests.fuzz.doors import DOORS
from tests.fuzz.forks import end_fork

INPUTS = 50
HARMFUL = sorted((Path(__file__).parent / "found").glob("*/*"))
NEEDS_MODEL = ("requests",)


@pytest.fixture(autouse=True)
def _restored(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What doors change of facekit, to be quick or to have a home of their own, is put back."""
    monkeypatch.setattr(encryption, "_SCRYPT", encryption._SCRYPT)
    monkeypatch.setattr(trial, "try_each", trial.try_each)
    monkeypatch.setattr(formats, "try_each", trial.try_each)
    monkeypatch.setenv("FACEKIT_HOME", os.environ.get("FACEKIT_HOME", ""))
    monkeypatch.setenv("XDG_CONFIG_HOME", os.environ.get("XDG_CONFIG_HOME", ""))
    monkeypatch.chdir(Path.cwd())
    yield
    end_fork()


def door(name: str, *values: object) -> object:
    """A case of the test; some doors need the models that scripts/test.sh builds."""
    marks = [pytest.mark.model] if name in NEEDS_MODEL else []
    return pytest.param(name, *values, marks=marks)


@pytest.mark.parametrize("name", [door(name) for name in DOORS])
def test_sound_inputs_are_accepted_and_spoilt_ones_do_no_harm(name: str, tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    use = DOORS[name].open(tmp_path / "own")
    source = Source(DOORS[name], seed=16)
    for sound in source.sound:
        assert attempt(use, sound, tmp_path)[0] or DOORS[name].are_parts
    refused = 0
    for _ in range(INPUTS):
        spoilt = source.next()
        is_accepted, answer = attempt(use, spoilt, tmp_path)
        source.learn(spoilt, answer)
        refused += not is_accepted
    assert refused > INPUTS / 5 or name == "requests", "they are not spoilt enough"


@pytest.mark.parametrize(
    ("name", "path"),
    [door(path.parent.name, path) for path in HARMFUL],
    ids=[f"{path.parent.name}/{path.name}" for path in HARMFUL],
)
def test_what_has_done_harm_does_none_now(name: str, path: Path, tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    use = DOORS[name].open(tmp_path / "own")
    is_accepted, _ = attempt(use, Spoilt("".join(path.suffixes), path.read_bytes()), tmp_path)
    assert not is_accepted
