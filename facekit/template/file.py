"""Reads and writes files of embeddings: .npz, .csv and .jsonl, without pickle.

A file stores the TemplateSpace of the vectors and the mean embedding that was subtracted, so that
the vectors can be converted when the model is calibrated anew.  Every row stores its origin: photo,
photo_sha256, face, x1 y1 x2 y2, score, vector.  A photo without an embedding is a row with `error`.

    .npz      arrays schema_version, space (JSON), mean, rows (JSON), photos, vectors, vector_row
    .csv      one line per row; `space` in every row, `mean` (float32, base64) in the first
    .jsonl    a line with schema_version, space and mean (float32, base64), then one line per row
"""

from __future__ import annotations

import base64
import io
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from facekit.errors import EmbeddingFileError
from facekit.system.fields import Fields
from facekit.system.files import write_atomically
from facekit.system.inputs import InputKind, open_zip, parse_json, read_input, reading
from facekit.template.match import has_unit_length
from facekit.template.space import TemplateSpace, mean_sha256_of, parse_space
from facekit.template.table import EmbeddingRow, EmbeddingTable
from facekit.types import Float32Array

SUFFIXES = (".npz", ".csv", ".jsonl")
EMBEDDING_FILE = InputKind("an embedding file", EmbeddingFileError, max_bytes=1 << 31)
_SCHEMA_VERSION = 2
_NPZ_FREE_BYTES = 64_000_000
_NPZ_MOST_TIMES = 16
"""An .npz may unpack to so many bytes, and so many times its size besides.  facekit packs nothing,
and packed vectors of random direction are hardly smaller."""
_COLUMNS = ("photo", "photo_sha256", "face", "x1", "y1", "x2", "y2", "score", "error")


def write_embeddings(path: Path, table: EmbeddingTable) -> None:
    """Writes under a temporary name, mode 0600, and renames.

    Raises EmbeddingFileError for another suffix.
    """
    write_atomically(path, _format(path).encode(table), private=True)


def read_embeddings(path: Path) -> EmbeddingTable:
    """Reads a file of embeddings.

    Raises EmbeddingFileError, which names the file and the fault.
    """
    decode = _format(path).decode
    content = read_input(path, EMBEDDING_FILE)
    with reading(EMBEDDING_FILE, path):
        table = decode(content)
    if table.mean is not None and (
        mean_sha256_of(table.mean) != table.space.mean_sha256
        or table.mean.shape != (table.space.size,)
    ):
        raise EmbeddingFileError(f"{path}: its mean is not the one that its space names.")
    for number, row in enumerate(table.rows, 1):
        if row.vector is None:
            continue
        if row.vector.shape != (table.space.size,):
            raise EmbeddingFileError(
                f"{path}: row {number} ({row.photo}) has {row.vector.size} numbers; "
                f"{table.space.size} needed."
            )
        if not has_unit_length(row.vector):
            raise EmbeddingFileError(
                f"{path}: row {number} ({row.photo}) is not of unit length; facekit writes only "
                "unit vectors, so the file has been changed."
            )
    return table


def _row_fields(row: EmbeddingRow) -> dict[str, Any]:
    """Returns all values but the vector, in the order of the columns."""
    box = row.box_xyxy or (None,) * 4
    cells = (row.photo, row.photo_sha256 or None, row.face, *box, row.score, row.error or None)
    return dict(zip(_COLUMNS, cells, strict=True))


def _number(value: Any) -> float | None:
    if value is None or value == "":
        return None
    if not math.isfinite(number := float(value)):
        raise ValueError(f"a finite number is needed. Received: {value!r}")
    return number


def _space(texts: set[str]) -> TemplateSpace:
    """Parses the space, which the file may state several times, from JSON."""
    if len(texts) != 1:
        raise ValueError(f"rows of one space needed. Received: {len(texts)} spaces")
    return parse_space(Fields(parse_json(texts.pop()), "space"))


def _require_version(version: object) -> None:
    if version != _SCHEMA_VERSION:
        raise ValueError(
            f"schema_version {_SCHEMA_VERSION} needed, received {version}. Files of version 1 do "
            "not say which detector and mean embedding made them: embed the photos again."
        )


def _mean_text(mean: Float32Array | None) -> str | None:
    return None if mean is None else base64.b64encode(mean.astype("<f4").tobytes()).decode()


def _mean(text: str | None) -> Float32Array | None:
    return np.frombuffer(base64.b64decode(text, validate=True), "<f4") if text else None


def _row(fields: Mapping[str, Any], vector: Float32Array | None) -> EmbeddingRow:
    x1, y1, x2, y2 = (_number(fields[side]) for side in ("x1", "y1", "x2", "y2"))
    has_box = x1 is not None and y1 is not None and x2 is not None and y2 is not None
    if vector is None and not fields["error"]:
        raise ValueError(f"row {fields['photo']!r} has neither a vector nor an error")
    return EmbeddingRow(
        photo=str(fields["photo"]),
        photo_sha256=str(fields["photo_sha256"] or ""),
        face=int(fields["face"]),
        box_xyxy=(x1, y1, x2, y2) if has_box else None,  # type: ignore[arg-type] # checked above
        score=_number(fields["score"]),
        vector=vector,
        error=str(fields["error"] or ""),
    )


def _to_npz(table: EmbeddingTable) -> bytes:
    """Encodes as .npz: `vectors` has no failed rows; `vector_row` is the row of each vector."""
    good = [index for index, row in enumerate(table.rows) if row.vector is not None]
    buffer = io.BytesIO()
    np.savez(
        buffer,
        schema_version=np.int64(_SCHEMA_VERSION),
        space=np.array(json.dumps(table.space.to_dict())),
        mean=np.zeros(0, np.float32) if table.mean is None else table.mean,
        rows=np.array([json.dumps(_row_fields(row)) for row in table.rows], dtype=np.str_),
        photos=np.array([table.rows[index].photo for index in good], dtype=np.str_),
        vectors=table.vectors,
        vector_row=np.array(good, np.int64),
    )
    return buffer.getvalue()


def _from_npz(content: bytes) -> EmbeddingTable:
    packed = io.BytesIO(content)
    with open_zip(packed, max_bytes=_NPZ_FREE_BYTES + _NPZ_MOST_TIMES * len(content)):
        packed.seek(0)  # np.load opens it by itself
    with np.load(packed, allow_pickle=False) as file:
        _require_version(int(file["schema_version"]))
        space = _space({str(file["space"])})
        mean = np.asarray(file["mean"], np.float32) if len(file["mean"]) else None
        rows = [parse_json(str(text)) for text in file["rows"]]
        embeddings, places = np.asarray(file["vectors"], np.float32), file["vector_row"].tolist()
        if sorted({*places} & {*range(len(rows))}) != places:
            raise ValueError(f"vector_row must name rows from 0 to {len(rows) - 1} in order")
        vectors: list[Float32Array | None] = [None] * len(rows)
        for place, vector in zip(places, embeddings, strict=True):
            vectors[place] = vector
    return EmbeddingTable(space, mean, tuple(map(_row, rows, vectors)))


def _to_csv(table: EmbeddingTable) -> bytes:
    import csv

    text = io.StringIO(newline="")
    size = table.space.size
    writer = csv.writer(text)
    writer.writerow([*_COLUMNS, "space", "mean", *(f"e{index}" for index in range(size))])
    space, mean = json.dumps(table.space.to_dict()), _mean_text(table.mean)
    for row in table.rows:
        vector = [""] * size if row.vector is None else [f"{v:.9g}" for v in row.vector]
        writer.writerow([*_row_fields(row).values(), space, mean, *vector])
        mean = None
    # Names that are no UTF-8 on disk are escaped, e.g. a\\udce9.jpg, as in JSON.
    return text.getvalue().encode(errors="backslashreplace")


def _from_csv(content: bytes) -> EmbeddingTable:
    import csv

    reader = csv.DictReader(io.StringIO(content.decode(), newline=""), strict=True)
    columns = reader.fieldnames or ()
    if "model_sha256" in columns and "space" not in columns:
        _require_version(1)
    if missing := [name for name in (*_COLUMNS, "space", "mean") if name not in columns]:
        raise ValueError(f"no column {', '.join(missing)}")
    rows: list[Mapping[str, Any]] = list(reader)
    vectors: list[Float32Array | None] = []
    for row in rows:
        values = [row[name] for name in row if name[:1] == "e" and name[1:].isdigit()]
        vectors.append(None if row["error"] else np.array(values, np.float32))
    mean = next((row["mean"] for row in rows if row["mean"]), "")
    space = _space({str(row["space"]) for row in rows})
    return EmbeddingTable(space, _mean(mean), tuple(map(_row, rows, vectors)))


def _to_jsonl(table: EmbeddingTable) -> bytes:
    header = {
        "schema_version": _SCHEMA_VERSION,
        "space": table.space.to_dict(),
        "mean": _mean_text(table.mean),
    }
    lines = (
        {
            **_row_fields(row),
            "vector": None if row.vector is None else [float(f"{v:.9g}") for v in row.vector],
        }
        for row in table.rows
    )
    return "".join(json.dumps(line) + "\n" for line in (header, *lines)).encode()


def _from_jsonl(content: bytes) -> EmbeddingTable:
    lines = [parse_json(line) for line in content.decode().splitlines() if line.strip()]
    headers = [line for line in lines if "schema_version" in line]  # several in joined files
    for header in headers:
        _require_version(header["schema_version"])
    space = _space({json.dumps(header["space"]) for header in headers})
    rows = [line for line in lines if "schema_version" not in line]
    vectors = [
        None if row["vector"] is None else np.array(row["vector"], np.float32) for row in rows
    ]
    return EmbeddingTable(space, _mean(headers[0]["mean"]), tuple(map(_row, rows, vectors)))


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
