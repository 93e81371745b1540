"""Pair lists: what is read, what is carried along, and what is refused with its line."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest

from facekit.cli.render.verification import pair_lines
from facekit.enums import Metric
from facekit.errors import ImageError, PairListError
from facekit.pipeline.photos import PhotoFailure
from facekit.tasks.verify_pairs import PhotoPair, VerifiedPair, read_pairs
from facekit.template.threshold import given_threshold


def written(folder: Path, content: bytes) -> Path:
    path = folder / "list.csv"
    path.write_bytes(content)
    return path


def paths(pairs: list[PhotoPair]) -> list[tuple[str, str]]:
    return [(pair.a, pair.b) for pair in pairs]


def test_two_columns_with_and_without_a_heading(tmp_path: Path) -> None:
    expected = [("x.jpg", "y.jpg"), ("has, comma.jpg", "z.jpg")]
    body = b'x.jpg,y.jpg\n\n"has, comma.jpg", z.jpg\n'
    for head in (b"", b"\xef\xbb\xbfa,b\r\n", b"img1,img2\n"):
        assert paths(read_pairs(written(tmp_path, head + body))) == expected
    assert paths(read_pairs(written(tmp_path, b"x.jpg;y.jpg\n"))) == [("x.jpg", "y.jpg")]


def test_other_columns_are_carried_along_but_those_of_an_earlier_result(tmp_path: Path) -> None:
    table = b'note;Image1;image2;same;similarity\nold;x;y;1;0.5\n"a;b";x;z;0;0.1\n'
    pairs = read_pairs(written(tmp_path, table))
    assert [dict(pair.others) for pair in pairs] == [
        {"same": "1", "note": "old"},
        {"same": "0", "note": "a;b"},
    ]
    failure = PhotoFailure("x", ImageError("no x"))
    threshold = given_threshold(0.6, Metric.COSINE)
    results = [VerifiedPair(pair, None, failure, threshold, Metric.COSINE) for pair in pairs]
    text = "".join(pair_lines(results, as_json=False))
    rows = list(csv.DictReader(io.StringIO(text)))
    assert text.startswith("a,b,same,note,verified,similarity,")
    assert [(row["b"], row["note"], row["similarity"]) for row in rows] == [
        ("y", "old", ""),
        ("z", "a;b", ""),
    ]
    assert results[1].to_dict()["columns"] == {"same": "0", "note": "a;b"}
    again = read_pairs(written(tmp_path, text.encode()))
    assert [dict(pair.others) for pair in again] == [dict(pair.others) for pair in pairs]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "no pair"),
        (b"a,b\n", "no pair"),
        (b"a.jpg,b.jpg\nc.jpg\n", "line 2"),
        (b"a.jpg,b.jpg,c.jpg\n", "line 1"),
        (b"a.jpg,\n", "line 1"),
        (b"a,b,note\nx,y\n", "line 2: 3 cells"),
        (b"\xff\xfe", "UTF-8"),
        (b'"a.jpg,b.jpg\n', "line"),
    ],
)
def test_anything_else_is_refused_with_its_line(
    tmp_path: Path, content: bytes, message: str
) -> None:
    with pytest.raises(PairListError, match=f"list.csv.*{message}"):
        read_pairs(written(tmp_path, content))
