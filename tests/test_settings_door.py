"""Files of settings and results made to do harm: refused by a sentence, at once, never by 70."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from facekit.bench import speed
from facekit.board.manifest import read_bundle
from facekit.conversion.crops import choose_photos
from facekit.conversion.quantize.ranges import read_ranges
from facekit.conversion.quantize.recipe import read_recipe
from facekit.conversion.vela.target import read_target
from facekit.errors import (
    FacekitError,
    InputError,
    ModelMismatchError,
    StorageError,
    UsageError,
)
from facekit.model import checksum, trial
from facekit.model.folders import BUNDLE_MANIFEST
from facekit.tasks.benchmark import read_log, read_result
from facekit.training import checkpoint
from facekit.training.config_file import read_config
from facekit.training.dataset.aligned import FAILURES_NAME, SETTINGS_NAME, read_failures
from facekit.training.dataset.aligned import read_settings as read_align_settings
from facekit.training.request import SETTINGS_NAME as RUN_NAME
from facekit.training.request import require_same_data, resumed
from tests.sparse_file import four_terabytes

READERS: dict[str, tuple[str, Callable[[Path], Any], type[FacekitError]]] = {
    "manifest": (BUNDLE_MANIFEST, lambda path: read_bundle(path.parent), ModelMismatchError),
    "ranges": ("ranges.json", read_ranges, InputError),
    "recipe": ("recipe.json", lambda path: read_recipe(str(path)), UsageError),
    "target": ("target.toml", lambda path: read_target(str(path)), UsageError),
    "training": ("config.toml", lambda path: read_config(str(path), {}), UsageError),
    "list": ("photos.txt", lambda path: choose_photos(path, 9, seed=1), InputError),
    "benchmark": ("benchmark.json", read_result, InputError),
    "log": ("board.log", read_log, InputError),
    "checkpoint": ("step-1.npz", lambda path: checkpoint.restore(path, {}), ModelMismatchError),
    "run": (RUN_NAME, lambda path: resumed(path.parent), UsageError),
    "align": (SETTINGS_NAME, lambda path: read_align_settings(path.parent), InputError),
    "failures": (FAILURES_NAME, lambda path: read_failures(path.parent), InputError),
    "data": ("data.sha256", lambda path: require_same_data(path.parent, "0", is_chief=False),
             InputError),
}  # fmt: skip


CONTENTS: dict[str, Callable[[Path], Any]] = {
    "a pipe": os.mkfifo,
    "a device": lambda path: path.symlink_to("/dev/zero"),
    "a folder": lambda path: path.mkdir(),
    "4 TB": four_terabytes,
    "deep lists": lambda path: path.write_text("[" * 100_000),
    "deep tables": lambda path: path.write_text("a = " + "[" * 100_000),
    "deep objects": lambda path: path.write_text('{"a":' * 100_000),
    "invalid UTF-8": lambda path: path.write_bytes(b'{"title": "\xff\xfe"}\n\xff'),
    "no number": lambda path: path.write_text('{"schema_version": NaN}'),
    "a huge number": lambda path: path.write_text('{"schema_version": 1e999}'),
    "digits": lambda path: path.write_text("9" * 5_000),
    "an archive cut off": lambda path: path.write_bytes(b"PK\3\4" + bytes(100)),
    "nothing": lambda path: path.write_bytes(b""),
}
HARMLESS = {("list", one) for one in ("deep lists", "deep tables", "deep objects", "no number",
            "a huge number", "digits", "an archive cut off", "nothing")} | {
    ("training", "nothing"),
}  # fmt: skip
"""Lists of odd names, and settings that are all left as they are."""


CASES = [
    (reader, content)
    for reader in READERS
    for content in CONTENTS
    if (reader, content) != ("list", "a folder")  # which is the folder of photos itself
]


@pytest.mark.parametrize(("reader", "content"), CASES)
def test_a_file_of_settings_made_to_do_harm_is_refused(
    reader: str, content: str, tmp_path: Path
) -> None:
    name, read, error = READERS[reader]
    CONTENTS[content](tmp_path / name)
    if (reader, content) in HARMLESS:
        read(tmp_path / name)
        return
    with pytest.raises(error) as raised:
        read(tmp_path / name)
    assert str(tmp_path) in str(raised.value)
    assert len(str(raised.value)) < 1_000


@pytest.mark.parametrize("content", CONTENTS)
def test_remembered_values_that_are_damaged_are_forgotten(
    content: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FACEKIT_HOME", str(tmp_path))
    CONTENTS[content](tmp_path / "speed.json")
    assert speed._remembered() == {}
    assert checksum._read(tmp_path / "speed.json") == {}
    (tmp_path / "speed.json").rename(tmp_path / "tried.json")
    assert trial._passed() == []


@pytest.mark.parametrize(
    "read",
    [
        read_bundle,
        resumed,
        read_align_settings,
        read_failures,
        lambda folder: require_same_data(folder, "0", is_chief=False),
    ],
)
def test_a_folder_that_cannot_be_looked_into_is_told(read: Callable[[Path], Any]) -> None:
    folder = Path("a" * 300)
    with pytest.raises(FacekitError, match=r"a/.* cannot be read: File name too long"):
        read(folder)


def test_what_to_do_about_a_file_of_settings_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / SETTINGS_NAME).write_text("[]")
    with pytest.raises(InputError, match=r"must hold an object\. Remove it, or pass --force\.$"):
        read_align_settings(tmp_path)
    four_terabytes(tmp_path / SETTINGS_NAME)
    with pytest.raises(InputError, match=r"may have\. Remove it, or pass --force\.$"):
        read_align_settings(tmp_path)


def test_a_checkpoint_of_other_members_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "step-000000004.npz"
    np.savez(path, step=np.zeros(3, np.int64))
    with pytest.raises(ModelMismatchError, match=r"Remove it to go on from the one before\.$"):
        checkpoint.restore(path, {})
    np.savez(path, step=np.array(4))
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("kernel", b"no array")
    variable = OneVariable(np.ones(3, np.float32))
    with pytest.raises(ModelMismatchError, match="kernel does not fit"):
        checkpoint.restore(path, {"kernel": variable})
    np.savez(path, step=np.array(4), kernel=np.array(["a", "b", "c"]))
    with pytest.raises(ModelMismatchError, match="kernel does not fit"):
        checkpoint.restore(path, {"kernel": variable})
    assert (variable.value == 1).all()
    np.savez(path, step=np.array(4), kernel=np.zeros(3, np.float32))
    assert checkpoint.restore(path, {"kernel": variable}) == 4
    assert (variable.value == 0).all()


@dataclass
class OneVariable:
    """What a checkpoint needs of a variable of TensorFlow."""

    value: np.ndarray[Any, Any]

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.value.shape)

    def numpy(self) -> np.ndarray[Any, Any]:
        return self.value

    def assign(self, value: np.ndarray[Any, Any]) -> None:
        self.value = value


@pytest.mark.tensorflow
@pytest.mark.parametrize("content", CONTENTS)
def test_a_damaged_curve_is_empty_and_what_is_no_file_is_told(content: str, tmp_path: Path) -> None:
    """What is no file of lines at all is told: a curve that is taken for empty is overwritten."""
    from facekit.training.curve import read_curve

    CONTENTS[content](tmp_path / "curve.jsonl")
    assert read_curve(tmp_path / "none.jsonl") == []
    if content in ("a pipe", "a device", "a folder", "4 TB"):
        with pytest.raises(StorageError, match=r"curve\.jsonl .*Move it away to go on without it"):
            read_curve(tmp_path / "curve.jsonl")
    else:
        assert read_curve(tmp_path / "curve.jsonl") == []


@pytest.mark.tensorflow
def test_a_cluster_that_is_nested_too_deeply_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    from facekit.training.devices import cluster_of_environment

    monkeypatch.setenv("TF_CONFIG", "[" * 100_000)
    with pytest.raises(UsageError, match="TF_CONFIG cannot be read as a cluster of workers"):
        cluster_of_environment()
