"""Requests of serve-stdin: what is taken, and what is refused with a reason."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from facekit.errors import UsageError
from facekit.server.requests import Request, Verb, parse_object, parse_request


@pytest.mark.parametrize(
    ("line", "request_"),
    [
        (b'{"verify": ["a.jpg", "b.jpg"], "id": [1]}', Request(Verb.VERIFY, ("a.jpg", "b.jpg"))),
        (b'{"detect": "a.jpg"}', Request(Verb.DETECT, ("a.jpg",))),
        (b'{"embed": ["a.jpg"]}\r\n', Request(Verb.EMBED, ("a.jpg",))),
        (b'{"embed": {"base64": "AAEC"}}', Request(Verb.EMBED, (b"\0\1\2",))),
    ],
)
def test_a_line_becomes_the_request_it_means(line: bytes, request_: Request) -> None:
    assert parse_request(parse_object(line)) == request_


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b"", "no JSON"),
        (b"a.jpg b.jpg", "no JSON"),
        (b"\xff\xfe", "no JSON"),
        (b"[" * 100_000, "no JSON"),
        (b"[1]", "list"),
        (b"{}", "no member"),
        (b'{"id": 3}', "Received: id"),
        (b'{"detect": "a", "embed": "a"}', "detect, embed"),
        (b'{"detect": "a", "face": "all"}', "detect, face"),
        (b'{"verify": "a.jpg"}', "2 picture"),
        (b'{"detect": []}', "1 picture"),
        (b'{"detect": "-"}', "stdin holds the"),
        (b'{"detect": 3}', "Received: 3"),
        (b'{"detect": {"base64": "?"}}', "not base64"),
        (b'{"detect": {"base64": 3}}', "Received"),
    ],
)
def test_anything_else_is_refused(line: bytes, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        parse_request(parse_object(line))


@given(st.binary())
def test_no_line_raises_anything_else(line: bytes) -> None:
    with suppress(UsageError):
        parse_request(parse_object(line))
