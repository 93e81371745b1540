"""Embedding files: round trips in every format, and files that are not ours."""

from __future__ import annotations

import csv
import json
import os
import stat
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facekit.errors import EmbeddingFileError, ModelMismatchError, StorageError
from facekit.template.file import SUFFIXES, read_embeddings, write_embeddings
from facekit.template.match import centered as centered_about
from facekit.template.match import unit_length
from facekit.template.space import mean_sha256_of
from facekit.template.table import EmbeddingRow, EmbeddingTable
from tests.template.spaces import CHANGES, MEAN, SPACE

NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1, max_size=20)


def table(names: list[str], seed: int = 0, *, centered: bool = False) -> EmbeddingTable:
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
    space = replace(SPACE, mean_sha256=mean_sha256_of(MEAN) if centered else "")
    return EmbeddingTable(space, MEAN if centered else None, tuple(rows))


def assert_same(a: EmbeddingTable, b: EmbeddingTable) -> None:
    assert a.space == b.space
    assert (a.mean is None) == (b.mean is None)
    if a.mean is not None and b.mean is not None:
        np.testing.assert_array_equal(a.mean, b.mean)
    for mine, theirs in zip(a.rows, b.rows, strict=True):
        for field in ("photo", "photo_sha256", "face", "box_xyxy", "score", "error"):
            assert getattr(mine, field) == getattr(theirs, field)
    np.testing.assert_array_equal(a.vectors, b.vectors)  # bit for bit: 9 digits carry a float32


@pytest.mark.parametrize("suffix", SUFFIXES)
@given(names=st.lists(NAMES, max_size=4), seed=st.integers(0, 99), centered=st.booleans())
def test_what_is_written_is_read_back(
    suffix: str,
    names: list[str],
    seed: int,
    centered: bool,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    path = tmp_path_factory.mktemp("embeddings") / f"e{suffix}"
    written = table(names, seed, centered=centered)
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


def test_rows_of_two_spaces_are_refused(tmp_path: Path) -> None:
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


def test_written_files_are_for_their_owner_alone_and_leave_nothing_over(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.touch(0o644)
    write_embeddings(path, table(["a"]))
    assert [one.name for one in tmp_path.iterdir()] == ["x.csv"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_file_of_version_1_says_to_embed_again(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"x{suffix}"
    if suffix == ".npz":
        np.savez(path, schema_version=np.int64(1), rows=np.array(["{}"]))
    elif suffix == ".csv":
        path.write_text("name,photo_sha256,model,model_sha256,crop,error,e0\na,,m,ab,none,,1\n")
    else:
        path.write_text(json.dumps({"schema_version": 1, "name": "a", "vector": [1.0]}) + "\n")
    with pytest.raises(EmbeddingFileError, match=r"received 1.*embed the photos again"):
        read_embeddings(path)


def test_any_csv_reader_reads_the_table(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    written = table(["a", "b"], centered=True)
    write_embeddings(path, written)
    with path.open(newline="") as file:
        first, second, _ = csv.DictReader(file)
    assert (first["photo"], second["photo"]) == ("a", "b")
    assert first["mean"]
    assert not second["mean"]  # the same for every row, and as long as half a vector
    assert json.loads(second["space"])["model_sha256"] == SPACE.model_sha256
    assert np.float32(second["e3"]) == written.vectors[1, 3]


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize(("change", "field"), CHANGES)
def test_a_file_of_another_space_is_refused_or_brought_over(
    change: dict[str, Any], field: str, suffix: str, tmp_path: Path
) -> None:
    path = tmp_path / f"x{suffix}"
    write_embeddings(path, table(["a", "b"]))
    file = read_embeddings(path)
    other = replace(SPACE, **change)
    if field == "embedding mean":
        moved = file.vectors_in(other, MEAN, where=str(path))
        np.testing.assert_allclose(moved, centered_about(file.vectors, MEAN), atol=1e-6)
        return
    with pytest.raises(ModelMismatchError, match=f"x{suffix} holds .*{field}.*cannot be compared"):
        file.vectors_in(other, None, where=str(path))


@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
def test_two_files_in_a_row_are_one_where_they_are_of_one_space(
    suffix: str, tmp_path: Path
) -> None:
    paths = [tmp_path / f"{name}{suffix}" for name in "ab"]
    for path in paths:
        write_embeddings(path, table([path.stem], centered=True))
    lines = paths[1].read_text().splitlines(keepends=True)[suffix == ".csv" :]
    paths[0].write_text(paths[0].read_text() + "".join(lines))
    assert [row.photo for row in read_embeddings(paths[0]).rows] == ["a", "bad.jpg", "b", "bad.jpg"]
    write_embeddings(paths[1], table(["c"]))
    lines = paths[1].read_text().splitlines(keepends=True)[suffix == ".csv" :]
    paths[0].write_text(paths[0].read_text() + "".join(lines))
    with pytest.raises(EmbeddingFileError, match="Received: 2 spaces"):
        read_embeddings(paths[0])


def test_without_the_row_that_keeps_the_mean_the_file_serves_its_own_space_alone(
    tmp_path: Path,
) -> None:
    path = tmp_path / "x.csv"
    write_embeddings(path, table(["a", "b"], centered=True))
    header, _, *rest = path.read_text().splitlines(keepends=True)
    path.write_text("".join((header, *rest)))
    file = read_embeddings(path)
    assert file.vectors_in(file.space, MEAN, where="x").shape == (1, 16)
    with pytest.raises(ModelMismatchError, match="embedding mean"):
        file.vectors_in(SPACE, None, where="x")


def test_another_mean_than_the_one_that_is_named_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    file = table(["a"], centered=True)
    write_embeddings(path, replace(file, mean=MEAN * 2))
    with pytest.raises(EmbeddingFileError, match="mean"):
        read_embeddings(path)


def test_vectors_of_another_length_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    write_embeddings(path, replace(table(["a"]), space=replace(SPACE, size=8)))
    with pytest.raises(EmbeddingFileError, match="16 numbers; 8 needed"):
        read_embeddings(path)


def changed_npz(path: Path, **arrays: Any) -> None:
    """Writes a sound .npz of two vectors and a failure, with some of its arrays replaced."""
    write_embeddings(path, table(["a", "b"]))
    with np.load(path) as file:
        np.savez(path, **{**file, **arrays})


def rows_with(**members: str) -> Any:
    """The rows of `table(["a", "b"])` as an .npz stores them, with members in JSON replaced."""
    fields = {
        "photo": '"a"',
        "photo_sha256": '""',
        "face": "0",
        "score": "0.5",
        "error": '""',
        **dict.fromkeys(("x1", "y1", "x2", "y2"), "1"),
        **members,
    }
    text = "{" + ", ".join(f'"{name}": {value}' for name, value in fields.items()) + "}"
    return np.array([text, text, '{"photo": "c"}'])


@pytest.mark.parametrize(
    "arrays",
    [
        {"vector_row": np.array([0, 99])},
        {"vector_row": np.array([-1, 0])},
        {"vector_row": np.array([1, 1])},
        {"vector_row": np.array([1, 0])},
        {"vector_row": np.array([0.5, 1])},
        {"vector_row": np.array(0)},
        {"vectors": np.ones((16, 1), np.float32)},
        {"vectors": np.float32(1)},
        {"vectors": np.full((2, 16), np.nan, np.float32)},
        {"schema_version": np.array([1, 2])},
        {"space": np.array("[" * 100_000)},
        {"space": np.array("null")},
        {"mean": np.float32(1)},
        {"rows": rows_with(face="1e999")},
        {"rows": rows_with(face="NaN")},
        {"rows": rows_with(score="1e999")},
        {"rows": rows_with(x1='"nan"')},
        {"rows": rows_with(x1="[" * 100_000)},
        {"rows": np.array("no list")},
        {"rows": np.array(["[]", "[]", "[]"])},
    ],
    ids=lambda arrays: next(iter(arrays)),
)
def test_an_npz_with_an_array_that_is_none_of_ours_is_refused(
    arrays: dict[str, Any], tmp_path: Path
) -> None:
    changed_npz(tmp_path / "x.npz", **arrays)
    with pytest.raises(EmbeddingFileError, match=r"x\.npz"):
        read_embeddings(tmp_path / "x.npz")


def test_an_npz_that_unpacks_to_gigabytes_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    np.savez_compressed(path, vectors=np.zeros((100, 1_000_000), np.float32))
    assert path.stat().st_size < 1_000_000
    with pytest.raises(EmbeddingFileError, match="unpacks to 400 MB"):
        read_embeddings(path)


def test_every_flipped_bit_of_an_npz_is_refused_or_harmless(tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    write_embeddings(path, table(["a", "b"]))
    sound = path.read_bytes()
    before = read_embeddings(path)
    generator = np.random.default_rng(1)
    for place in generator.integers(len(sound) * 8, size=400):
        content = bytearray(sound)
        content[place // 8] ^= 1 << (place % 8)
        path.write_bytes(content)
        try:
            read = read_embeddings(path)
        except EmbeddingFileError:
            continue
        np.testing.assert_array_equal(read.vectors, before.vectors)


def test_a_pipe_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "x.npz")
    with pytest.raises(EmbeddingFileError, match="is a pipe"):
        read_embeddings(tmp_path / "x.npz")
