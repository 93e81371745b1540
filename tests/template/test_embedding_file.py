"""Embedding files: round trips in every format, and files that are not ours."""

from __future__ import annotations

import stat
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facekit.errors import EmbeddingFileError, StorageError
from facekit.template.file import (
    SUFFIXES,
    EmbeddingRow,
    EmbeddingTable,
    read_embeddings,
    write_embeddings,
)
from facekit.template.match import unit_length

NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1, max_size=20)


def table(names: list[str], seed: int = 0) -> EmbeddingTable:
    generator = np.random.default_rng(seed)
    rows = [
        EmbeddingRow(
            name, "ab" * 32, 0, (1.5, 2.0, 30.25, 40.0), 0.875, unit_length(vector[None])[0]
        )
        for name, vector in zip(
            names, generator.normal(size=(len(names), 16)).astype(np.float32), strict=True
        )
    ]
    rows.append(EmbeddingRow("bad.jpg", "", 0, None, None, None, "NoFaceError: bad.jpg: no face"))
    return EmbeddingTable("net:float32", "cd" * 32, "margin, 32 px, area", tuple(rows))


def assert_same(a: EmbeddingTable, b: EmbeddingTable) -> None:
    assert (a.model, a.model_sha256, a.crop) == (b.model, b.model_sha256, b.crop)
    for mine, theirs in zip(a.rows, b.rows, strict=True):
        for field in ("name", "photo_sha256", "face", "box_xyxy", "score", "error"):
            assert getattr(mine, field) == getattr(theirs, field)
    np.testing.assert_array_equal(a.vectors, b.vectors)  # bit for bit: 9 digits carry a float32


@pytest.mark.parametrize("suffix", SUFFIXES)
@given(names=st.lists(NAMES, max_size=4), seed=st.integers(0, 99))
def test_round_trip(
    suffix: str, names: list[str], seed: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("embeddings") / f"e{suffix}"
    written = table(names, seed)
    write_embeddings(path, written)
    assert_same(read_embeddings(path), written)


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("content", [b"", b"hello", b"\xff\xfe\x00", b"PK\x03\x04 not a zip"])
def test_foreign_content_is_refused_with_the_name(
    suffix: str, content: bytes, tmp_path: Path
) -> None:
    path = tmp_path / f"x{suffix}"
    path.write_bytes(content)
    with pytest.raises(EmbeddingFileError, match=f"x{suffix}"):
        read_embeddings(path)


def test_a_pickle_in_an_npz_is_not_executed(tmp_path: Path) -> None:
    class Bomb:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return (Path.touch, (Path(tmp_path / "boom"),))  # type: ignore[return-value]

    path = tmp_path / "x.npz"
    np.savez(path, schema_version=1, rows=np.array([Bomb()], dtype=object))
    with pytest.raises(EmbeddingFileError, match="pickle"):
        read_embeddings(path)
    assert not (tmp_path / "boom").exists()


def test_a_changed_vector_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    write_embeddings(path, table(["a"]))
    text = path.read_text()
    start = text.index('"vector": [') + len('"vector": [')
    path.write_text(text[:start] + "7.5" + text[text.index(",", start) :])
    with pytest.raises(EmbeddingFileError, match="unit length"):
        read_embeddings(path)


def test_rows_of_two_models_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    write_embeddings(path, table(["a", "b"]))
    lines = path.read_text().splitlines()
    lines[1] = lines[1].replace("cd" * 32, "ef" * 32)
    path.write_text("\n".join(lines))
    with pytest.raises(EmbeddingFileError, match="Received: 2"):
        read_embeddings(path)


def test_missing_file_and_unknown_suffix(tmp_path: Path) -> None:
    with pytest.raises(EmbeddingFileError, match="No such file"):
        read_embeddings(tmp_path / "none.npz")
    with pytest.raises(EmbeddingFileError, match=r"\.pkl"):
        write_embeddings(tmp_path / "x.pkl", table([]))


def test_a_failed_write_leaves_the_earlier_file(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "x.npz"
    (tmp_path / "folder").write_text("a file where the folder should be")
    with pytest.raises(StorageError, match=r"x\.npz"):
        write_embeddings(path, table(["a"]))
    assert (tmp_path / "folder").read_text().startswith("a file")


def test_written_files_have_ordinary_rights_and_no_leftovers(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    write_embeddings(path, table(["a"]))
    assert [one.name for one in tmp_path.iterdir()] == ["x.csv"]
    assert stat.S_IMODE(path.stat().st_mode) & 0o444 == 0o444
