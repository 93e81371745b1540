from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import pytest

from facekit.model import checksum
from facekit.model.checksum import remembered_sha256, sha256_of


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "verified.json"


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file that counts as settled at once."""
    monkeypatch.setattr(checksum, "_SETTLED_NS", -1)
    path = tmp_path / "model.tflite"
    path.write_bytes(b"one")
    return path


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The files that were read whole."""
    seen: list[Path] = []

    def counted(path: Path) -> str:
        seen.append(path)
        return sha256_of(path)

    monkeypatch.setattr(checksum, "sha256_of", counted)
    return seen


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def test_sha256_of_a_file_of_several_chunks(tmp_path: Path) -> None:
    content = bytes(range(256)) * 10_000
    path = tmp_path / "big"
    path.write_bytes(content)
    assert sha256_of(path) == sha256(content)


def test_an_unchanged_file_is_read_once(file: Path, state: Path, reads: list[Path]) -> None:
    assert [remembered_sha256(file, state) for _ in range(3)] == [sha256(b"one")] * 3
    assert reads == [file]


def test_a_file_just_written_is_not_remembered(
    file: Path, state: Path, reads: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checksum, "_SETTLED_NS", 2_000_000_000)
    remembered_sha256(file, state)
    remembered_sha256(file, state)
    assert len(reads) == 2
    assert not state.exists()


def test_a_change_that_keeps_size_and_time_of_content_is_seen(file: Path, state: Path) -> None:
    remembered_sha256(file, state)
    before = file.stat()
    file.write_bytes(b"two")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert file.stat().st_mtime_ns == before.st_mtime_ns
    assert remembered_sha256(file, state) == sha256(b"two")


def test_a_file_renamed_over_it_is_seen(file: Path, state: Path) -> None:
    remembered_sha256(file, state)
    other = file.with_name("other")
    other.write_bytes(b"two")
    other.replace(file)
    assert remembered_sha256(file, state) == sha256(b"two")


@pytest.mark.parametrize("content", ["", "[]", "{", '{"x": 3}', '{"FILE": []}', '{"FILE": [1]}'])
def test_a_damaged_state_costs_a_read_only(file: Path, state: Path, content: str) -> None:
    state.write_text(content.replace("FILE", str(file)))
    assert remembered_sha256(file, state) == sha256(b"one")


def test_a_state_that_cannot_be_written_costs_a_read_only(file: Path, tmp_path: Path) -> None:
    (tmp_path / "blocked").touch()
    assert remembered_sha256(file, tmp_path / "blocked" / "verified.json") == sha256(b"one")


def test_files_that_are_gone_are_forgotten(file: Path, state: Path) -> None:
    gone = file.with_name("gone")
    gone.write_bytes(b"gone")
    remembered_sha256(gone, state)
    gone.unlink()
    remembered_sha256(file, state)
    assert list(json.loads(state.read_bytes())) == [str(file)]


def test_a_remembered_file_that_cannot_be_looked_for_is_forgotten(file: Path, state: Path) -> None:
    """As one in a folder of another user, which Path.exists() reports by an error."""
    state.write_text(json.dumps({"/" + "x" * 5000: [1, 2, 3, 4, 5, "sha256"]}))
    assert remembered_sha256(file, state) == sha256(b"one")
    assert list(json.loads(state.read_bytes())) == [str(file)]
