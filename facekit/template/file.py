"""Embeddings on disk: .npz, .csv and .jsonl, without pickle.

Every row keeps what it came from, and the model and crop rule that made it; vectors of another
model are never compared.  Columns: name, photo_sha256, face, x1 y1 x2 y2, score, model,
model_sha256, crop, vector.  A photo that gave no embedding is a row with `error` instead.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from facekit.errors import EmbeddingFileError
from facekit.system.files import write_atomically
from facekit.types import Float32Array

SUFFIXES = (".npz", ".csv", ".jsonl")
_SCHEMA_VERSION = 1
_COLUMNS = (
    *("name", "photo_sha256", "face", "x1", "y1", "x2", "y2", "score"),
    *("model", "model_sha256", "crop", "error"),
)


@dataclass(frozen=True, slots=True, eq=False)
class EmbeddingRow:
    """One embedded face, or one photo that gave none."""

    name: str
    photo_sha256: str
    face: int
    """0-based place among the photo's selected faces"""
    box_xyxy: tuple[float, float, float, float] | None
    """pixels of the photo; None for a crop or a failure"""
    score: float | None
    vector: Float32Array | None
    """(D,) float32 of unit length; None for a failure"""
    error: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class EmbeddingTable:
    """The rows of one file, all made by one model and one crop rule."""

    model: str
    model_sha256: str
    crop: str
    """the crop rule as text, e.g. "margin 32 px, area" """
    rows: tuple[EmbeddingRow, ...]

    @property
    def vectors(self) -> Float32Array:
        """(N, D) float32 of the rows that have one."""
        good = [row.vector for row in self.rows if row.vector is not None]
        return np.stack(good) if good else np.zeros((0, 0), np.float32)


def write_embeddings(path: Path, table: EmbeddingTable) -> None:
    """Writes by temporary name and rename.  Raises EmbeddingFileError for another suffix."""
    write_atomically(path, _format(path).encode(table))


def read_embeddings(path: Path) -> EmbeddingTable:
    """Raises EmbeddingFileError, which names the file and what is wrong with it."""
    import csv  # these two cost 15 ms, which comparing two photos need not pay
    import zipfile

    decode = _format(path).decode
    try:
        table = decode(path.read_bytes())
    except OSError as error:
        raise EmbeddingFileError(f"{path}: {error.strerror or error}") from error
    except (ValueError, KeyError, TypeError, EOFError, csv.Error, zipfile.BadZipFile) as error:
        raise EmbeddingFileError(f"{path}: not an embedding file of facekit: {error}") from error
    lengths = {len(row.vector) for row in table.rows if row.vector is not None}
    if len(lengths) > 1:
        raise EmbeddingFileError(f"{path}: vectors of different lengths: {sorted(lengths)}")
    for number, row in enumerate(table.rows, 1):
        if row.vector is not None and not abs(float(np.linalg.norm(row.vector)) - 1) <= 1e-3:
            raise EmbeddingFileError(
                f"{path}: row {number} ({row.name}) is not of unit length; facekit writes only "
                "unit vectors, so the file has been changed."
            )
    return table


def _row_fields(table: EmbeddingTable, row: EmbeddingRow) -> dict[str, Any]:
    """Everything but the vector, in the order of the columns."""
    box = row.box_xyxy or (None,) * 4
    cells = (
        *(row.name, row.photo_sha256, row.face, *box, row.score),
        *(table.model, table.model_sha256, table.crop, row.error),
    )
    return dict(zip(_COLUMNS, cells, strict=True))


def _number(value: Any) -> float | None:
    return None if value is None or value == "" else float(value)


def _table(rows: list[Mapping[str, Any]], vectors: list[Float32Array | None]) -> EmbeddingTable:
    made_by = {(str(row["model"]), str(row["model_sha256"]), str(row["crop"])) for row in rows}
    if len(made_by) != 1:
        raise ValueError(f"rows of one model and crop rule needed. Received: {len(made_by)}")
    model, sha256, crop = made_by.pop()
    return EmbeddingTable(model, sha256, crop, tuple(map(_row, rows, vectors)))


def _row(fields: Mapping[str, Any], vector: Float32Array | None) -> EmbeddingRow:
    x1, y1, x2, y2 = (_number(fields[side]) for side in ("x1", "y1", "x2", "y2"))
    has_box = x1 is not None and y1 is not None and x2 is not None and y2 is not None
    if vector is None and not fields["error"]:
        raise ValueError(f"row {fields['name']!r} has neither a vector nor an error")
    return EmbeddingRow(
        name=str(fields["name"]),
        photo_sha256=str(fields["photo_sha256"]),
        face=int(fields["face"]),
        box_xyxy=(x1, y1, x2, y2) if has_box else None,  # type: ignore[arg-type] # checked above
        score=_number(fields["score"]),
        vector=vector,
        error=str(fields["error"] or ""),
    )


def _to_npz(table: EmbeddingTable) -> bytes:
    """`vectors` holds the good rows only; `vector_row` says which row each belongs to."""
    good = [place for place, row in enumerate(table.rows) if row.vector is not None]
    buffer = io.BytesIO()
    np.savez(
        buffer,
        schema_version=np.int64(_SCHEMA_VERSION),
        rows=np.array([json.dumps(_row_fields(table, row)) for row in table.rows], dtype=np.str_),
        names=np.array([table.rows[place].name for place in good], dtype=np.str_),
        vectors=table.vectors,
        vector_row=np.array(good, np.int64),
    )
    return buffer.getvalue()


def _from_npz(content: bytes) -> EmbeddingTable:
    with np.load(io.BytesIO(content), allow_pickle=False) as file:
        if int(file["schema_version"]) != _SCHEMA_VERSION:
            raise ValueError(f"schema_version {_SCHEMA_VERSION} needed")
        rows = [json.loads(str(text)) for text in file["rows"]]
        vectors: list[Float32Array | None] = [None] * len(rows)
        for place, vector in zip(file["vector_row"], file["vectors"], strict=True):
            vectors[int(place)] = np.asarray(vector, np.float32)
    return _table(rows, vectors)


def _to_csv(table: EmbeddingTable) -> bytes:
    import csv

    text = io.StringIO(newline="")
    size = table.vectors.shape[1]
    writer = csv.writer(text)
    writer.writerow([*_COLUMNS, *(f"e{place}" for place in range(size))])
    for row in table.rows:
        vector = [""] * size if row.vector is None else [f"{v:.9g}" for v in row.vector]
        writer.writerow([*_row_fields(table, row).values(), *vector])
    return text.getvalue().encode()


def _from_csv(content: bytes) -> EmbeddingTable:
    import csv

    reader = csv.DictReader(io.StringIO(content.decode(), newline=""), strict=True)
    if missing := [name for name in _COLUMNS if name not in (reader.fieldnames or ())]:
        raise ValueError(f"no column {', '.join(missing)}")
    rows: list[Mapping[str, Any]] = list(reader)
    vectors: list[Float32Array | None] = []
    for row in rows:
        values = [row[name] for name in row if name[:1] == "e" and name[1:].isdigit()]
        vectors.append(None if row["error"] else np.array(values, np.float32))
    return _table(rows, vectors)


def _to_jsonl(table: EmbeddingTable) -> bytes:
    lines = (
        json.dumps(
            {
                "schema_version": _SCHEMA_VERSION,
                **_row_fields(table, row),
                "vector": None if row.vector is None else [float(f"{v:.9g}") for v in row.vector],
            }
        )
        for row in table.rows
    )
    return "".join(line + "\n" for line in lines).encode()


def _from_jsonl(content: bytes) -> EmbeddingTable:
    rows = [json.loads(line) for line in content.decode().splitlines() if line.strip()]
    vectors = [
        None if row["vector"] is None else np.array(row["vector"], np.float32) for row in rows
    ]
    return _table(rows, vectors)


@dataclass(frozen=True, slots=True)
class _Format:
    encode: Callable[[EmbeddingTable], bytes]
    decode: Callable[[bytes], EmbeddingTable]


_FORMATS = {
    ".npz": _Format(_to_npz, _from_npz),
    ".csv": _Format(_to_csv, _from_csv),
    ".jsonl": _Format(_to_jsonl, _from_jsonl),
}


def _format(path: Path) -> _Format:
    try:
        return _FORMATS[path.suffix.lower()]
    except KeyError:
        raise EmbeddingFileError(
            f"{path}: an embedding file ends in {', '.join(SUFFIXES)}. Received: {path.suffix!r}"
        ) from None
