"""Records that survive kills, damage and other configurations."""

from __future__ import annotations

import hashlib
import stat
from pathlib import Path

import numpy as np
import pytest

from facekit.errors import StorageError
from facekit.evaluation.embedding_cache import CachedPhoto, EmbeddingCache

PHOTOS = tuple(hashlib.sha256(bytes([number])).hexdigest() for number in range(5))


def cache(folder: Path, **configuration: object) -> EmbeddingCache:
    return EmbeddingCache(folder, configuration, views=2, size=3)


def made(number: int, error: str = "") -> CachedPhoto:
    vectors = np.full((2, 3), number, np.float32)
    return CachedPhoto(PHOTOS[number], vectors * (not error), error)


def test_what_was_appended_is_read(tmp_path: Path) -> None:
    one = cache(tmp_path / "new" / "folder")
    assert one.read() == {}
    one.append([])
    assert not one.path.exists()
    one.append([made(1), made(2, "NoFaceError: é is not here")])
    one.append([made(3)])
    found = one.read()
    assert set(found) == set(PHOTOS[1:4])
    assert (found[PHOTOS[3]].vectors == 3).all()
    assert found[PHOTOS[2]].error == "NoFaceError: é is not here"


def test_the_file_is_for_its_owner_alone_also_where_it_was_not(tmp_path: Path) -> None:
    one = cache(tmp_path)
    one.append([made(1)])
    assert stat.S_IMODE(one.path.stat().st_mode) == 0o600
    one.path.chmod(0o644)
    one.append([made(2)])
    assert stat.S_IMODE(one.path.stat().st_mode) == 0o600


def test_another_configuration_is_another_file(tmp_path: Path) -> None:
    cache(tmp_path, model="a").append([made(1)])
    assert cache(tmp_path, model="b").read() == {}


@pytest.mark.parametrize("cut", [1, 100, 250])
def test_a_record_that_was_cut_short_is_not_there_and_spoils_no_later_one(
    tmp_path: Path, cut: int
) -> None:
    one = cache(tmp_path)
    one.append([made(1), made(2)])
    with one.path.open("r+b") as file:
        file.truncate(one.path.stat().st_size - cut)
    assert set(one.read()) == {PHOTOS[1]}
    one.append([made(3)])
    assert set(one.read()) == {PHOTOS[1], PHOTOS[3]}


def test_a_damaged_record_is_not_there(tmp_path: Path) -> None:
    one = cache(tmp_path)
    one.append([made(1), made(2)])
    content = bytearray(one.path.read_bytes())
    content[-1] ^= 1
    one.path.write_bytes(bytes(content))
    assert set(one.read()) == {PHOTOS[1]}


def test_a_folder_that_cannot_be_written_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StorageError, match="FACEKIT_HOME"):
        cache(tmp_path / "file").append([made(1)])
