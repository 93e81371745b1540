"""Pair lists: what is read, and what is refused with its line."""

from __future__ import annotations

import pytest

from facekit.errors import PairListError
from facekit.tasks.verify_pairs import PhotoPair, parse_pairs


def test_two_columns_with_and_without_a_heading() -> None:
    expected = [PhotoPair("x.jpg", "y.jpg"), PhotoPair("has, comma.jpg", "z.jpg")]
    body = b'x.jpg,y.jpg\n\n"has, comma.jpg", z.jpg\n'
    assert parse_pairs(body, name="l") == expected
    assert parse_pairs(b"\xef\xbb\xbfa,b\r\n" + body, name="l") == expected


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "no pair"),
        (b"a,b\n", "no pair"),
        (b"a.jpg,b.jpg\nc.jpg\n", "line 2"),
        (b"a.jpg,b.jpg,c.jpg\n", "line 1"),
        (b"a.jpg,\n", "line 1"),
        (b"\xff\xfe", "UTF-8"),
        (b'"a.jpg,b.jpg\n', "line"),
    ],
)
def test_anything_else_is_refused_with_its_line(content: bytes, message: str) -> None:
    with pytest.raises(PairListError, match=f"l.*{message}"):
        parse_pairs(content, name="l")
