"""Requests of serve-stdin: what is taken, and what is refused with a reason."""

from __future__ import annotations

import io
import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from facekit.errors import InputError, UsageError
from facekit.server.requests import Request, Verb, parse_object, parse_request, request_lines
from tests.server.json_lines import json_lines


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
        (b"", "one JSON object"),
        (b"a.jpg b.jpg", "one JSON object"),
        (b"\xff\xfe", "one JSON object"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"id": ' + b"[" * 100 + b"]" * 100 + b', "detect": "a"}', "nested at most 100 levels"),
        (b'{"id": ' + b'{"a":' * 500 + b"1" + b"}" * 500 + b"}", "nested at most 100 levels"),
        (b'{"id": NaN, "detect": "a"}', "NaN is no number"),
        (b'{"id": -Infinity, "detect": "a"}', "-Infinity is no number"),
        (b'{"id": 1e999, "detect": "a"}', "1e999 is beyond"),
        (b'{"id": ' + b"9" * 10_000 + b', "detect": "a"}', "one JSON object"),
        (b" " * 100_000_001, "at most 100,000,000 bytes"),
        (b"[1]", "list"),
        (b"{}", "no member"),
        (b'{"id": 3}', "Received: id"),
        (b'{"detect": "a", "embed": "a"}', "detect, embed"),
        (b'{"detect": "a", "face": "all"}', "detect, face"),
        (b'{"verify": "a.jpg"}', "2 photo"),
        (b'{"detect": []}', "1 photo"),
        (b'{"detect": "-"}', "stdin holds the"),
        (b'{"detect": 3}', "Received: 3"),
        (b'{"detect": {"base64": "?"}}', "not base64"),
        (b'{"detect": {"base64": 3}}', "Received"),
        ('{"detect": {"base64": "é"}}'.encode(), "not base64"),
        (b'{"detect": ""}', "path needed"),
        (b'{"detect": "a\\u0000b"}', "path needed"),
        (b'{"detect": "\\ud800"}', "path needed"),
        (b'{"detect": ' + b"7" * 1000 + b"}", r"Received: 7{80}\.\.\."),
    ],
)
def test_anything_else_is_refused(line: bytes, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        parse_request(parse_object(line))


@given(st.binary() | json_lines())
def test_no_line_raises_anything_else(line: bytes) -> None:
    with suppress(UsageError):
        parse_request(parse_object(line))


def test_what_is_nested_as_deep_as_allowed_is_returned() -> None:
    line = b'{"id": ' + b"[" * 99 + b"]" * 99 + b', "detect": "a"}'
    assert json.dumps(parse_object(line)["id"]) == "[" * 99 + "]" * 99


def test_a_line_that_is_too_long_is_refused_and_the_next_is_read() -> None:
    """And no more of it is held than is needed to refuse it."""
    too_long = b"x" * 250_000_000
    stream = io.BytesIO(too_long + b'\n{"detect": "a"}\n' + too_long)
    first, second, third = request_lines(stream)
    assert len(first) == len(third) == 100_000_001
    assert second == b'{"detect": "a"}\n'
    with pytest.raises(UsageError, match="at most 100,000,000 bytes"):
        parse_object(first)


def test_a_closed_stream_is_an_error() -> None:
    with pytest.raises(InputError, match="closed"):
        next(request_lines(None))
