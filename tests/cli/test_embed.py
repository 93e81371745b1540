"""facekit embed and facekit compare, on real photos."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from facekit.cli import cli
from facekit.template.file import read_embeddings

DATA = Path(__file__).parents[1] / "data"
PHOTOS = [str(DATA / f"{name}.jpg") for name in ("biden", "obama", "obama2")]


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli, list(arguments))


@pytest.mark.model
@pytest.mark.parametrize("suffix", ["npz", "csv", "jsonl"])
def test_a_folder_in_every_format(suffix: str, tmp_path: Path) -> None:
    output = tmp_path / f"faces.{suffix}"
    result = run("embed", str(DATA), "-o", str(output))
    assert result.exit_code == 0, result.stderr
    table = read_embeddings(output)
    assert [row.photo for row in table.rows] == PHOTOS
    assert table.vectors.shape == (3, 512)
    similarity = table.vectors @ table.vectors.T
    assert similarity[1, 2] > 0.6
    assert similarity[0, 1:].max() < 0.3
    assert table.space.model == "facenet512-casia:float32"


@pytest.mark.model
def test_one_bad_photo_is_a_row_and_the_exit_code(tmp_path: Path) -> None:
    folder, output = tmp_path / "in", tmp_path / "out.npz"
    folder.mkdir()
    shutil.copy(PHOTOS[0], folder)
    (folder / "broken.jpg").write_bytes(b"\xff\xd8 not really")
    result = run("embed", "--json", str(folder), "-o", str(output))
    assert result.exit_code == 4
    payload = json.loads(result.stdout)
    assert (payload["photo_count"], payload["embedding_count"]) == (2, 1)
    assert "broken.jpg" in payload["failed"][0]["photo"]
    assert [bool(row.error) for row in read_embeddings(output).rows] == [False, True]


@pytest.mark.model
@pytest.mark.parametrize("suffix", ["npz", "csv", "jsonl"])
def test_a_photo_whose_name_is_no_utf_8_costs_no_batch(suffix: str, tmp_path: Path) -> None:
    folder, output = tmp_path / "in", tmp_path / f"out.{suffix}"
    folder.mkdir()
    shutil.copy(PHOTOS[0], folder)
    shutil.copy(PHOTOS[1], folder / os.fsdecode(b"caf\xe9.jpg"))
    (folder / os.fsdecode(b"broken\xe9.jpg")).write_bytes(b"\xff\xd8 not really")
    result = run("embed", str(folder), "-o", str(output))
    assert result.exit_code == 4, result.stderr
    names = [row.photo for row in read_embeddings(output).rows]
    assert [name.encode(errors="backslashreplace").decode() for name in names] == [
        str(folder / name) for name in ("biden.jpg", r"broken\udce9.jpg", r"caf\udce9.jpg")
    ]


@pytest.mark.model
def test_a_photo_whose_name_is_no_utf_8_is_enrolled(tmp_path: Path) -> None:
    photo = tmp_path / os.fsdecode(b"caf\xe9.jpg")
    shutil.copy(PHOTOS[1], photo)
    gallery = ("--gallery", str(tmp_path / "g.db"))
    for added in (1, 0):
        result = run("enroll", "--json", *gallery, "Ada", str(photo))
        assert result.exit_code == 0, result.stderr
        assert json.loads(result.stdout)["people"][0]["added_count"] == added
    with closing(sqlite3.connect(tmp_path / "g.db")) as database:
        ((name,),) = database.execute("SELECT photo FROM template")
    assert name == str(tmp_path / r"caf\udce9.jpg")


@pytest.mark.model
def test_a_pipe_in_place_of_a_photo_is_a_failure_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    result = run("enroll", "--gallery", str(tmp_path / "g.db"), "Ada", str(tmp_path / "pipe.jpg"))
    assert result.exit_code == 4
    assert "it is a pipe" in result.stderr


def test_an_unknown_format_is_refused_before_any_work(tmp_path: Path) -> None:
    result = run("embed", "missing.jpg", "-o", str(tmp_path / "x.pkl"))
    assert result.exit_code == 2
    assert ".npz" in result.stderr


@pytest.mark.model
def test_an_output_that_cannot_be_written_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert run("embed", PHOTOS[0], "-o", str(tmp_path / "file" / "x.npz")).exit_code == 7


@pytest.mark.model
def test_compare_prints_a_symmetric_matrix() -> None:
    payload = json.loads(run("compare", "--json", *PHOTOS).stdout)
    matrix = np.array(payload["similarity"])
    assert [face["photo"] for face in payload["faces"]] == PHOTOS
    np.testing.assert_allclose(matrix, matrix.T, atol=1e-6)
    np.testing.assert_allclose(np.diag(matrix), 1, atol=1e-5)
    assert matrix[1, 2] > 0.6 > 0.3 > matrix[0, 1]


@pytest.mark.model
def test_compare_as_csv_and_as_text_say_the_same() -> None:
    rows = list(csv.reader(io.StringIO(run("compare", "--csv", *PHOTOS).stdout)))
    assert rows[0] == ["", *PHOTOS]
    _folder, _header, *lines = run("compare", *PHOTOS).stdout.splitlines()
    for row, line in zip(rows[1:], lines, strict=True):
        assert [f"{float(cell):.3f}" for cell in row[1:]] == line.split()[1:4]


@pytest.mark.model
def test_compare_exits_with_the_code_of_a_photo_that_fails(tmp_path: Path) -> None:
    (tmp_path / "x.jpg").write_text("text")
    assert run("compare", PHOTOS[0], str(tmp_path / "x.jpg")).exit_code == 4
