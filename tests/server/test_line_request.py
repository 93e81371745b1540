"""Requests of serve-stdin: what is taken, and what is refused with a reason."""

from __future__ import annotations

import io
import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from facekit.enums import FacePolicy, Metric, PersonRule
from facekit.errors import InputError, UsageError
from facekit.photo.reading import NamedBytes, source_name
from facekit.server.requests import Request, parse_line, parse_object
from facekit.server.stdin import LINE, request_lines
from facekit.server.verbs import Verb
from facekit.template.threshold import ThresholdChoice
from tests.server.json_lines import json_lines


def parsed(line: bytes) -> Request:
    return parse_line(parse_object(line, kind=LINE, name="A line"))


THREE_BYTES = (NamedBytes(b"\0\1\2", "photos[0]"),)


@pytest.mark.parametrize(
    ("line", "request_"),
    [
        (b'{"verify": ["a.jpg", "b.jpg"], "id": [1]}', Request(Verb.VERIFY, ("a.jpg", "b.jpg"))),
        (b'{"detect": "a.jpg"}', Request(Verb.DETECT, ("a.jpg",))),
        (b'{"embed": ["a.jpg"]}\r\n', Request(Verb.EMBED, ("a.jpg",))),
        (b'{"embed": {"base64": "AAEC"}}', Request(Verb.EMBED, THREE_BYTES)),
        (b'{"embed": "data:image/png;base64,AA\\nEC"}', Request(Verb.EMBED, THREE_BYTES)),
        (b'{"embed": "DATA:;BASE64,AAEC"}', Request(Verb.EMBED, THREE_BYTES)),
        (b'{"ping": null}', Request(Verb.PING)),
        (
            b'{"compare": ["a.jpg"], "face": "all"}',
            Request(Verb.COMPARE, ("a.jpg",), FacePolicy.ALL),
        ),
        (
            b'{"verify": ["a.jpg", "b.jpg"], "fmr": 1e-4}',
            Request(Verb.VERIFY, ("a.jpg", "b.jpg"), threshold=ThresholdChoice(fmr=1e-4)),
        ),
        (
            b'{"verify": ["a.jpg", "b.jpg"], "threshold": 1, "metric": "l2"}',
            Request(
                Verb.VERIFY,
                ("a.jpg", "b.jpg"),
                threshold=ThresholdChoice(1.0, Metric.L2),
                metric=Metric.L2,
            ),
        ),
        (
            b'{"identify": "a.jpg", "top": 2, "by": "mean", "fpir": 0.1, "min_margin": 0.05,'
            b' "metric": "l2"}',
            Request(
                *(Verb.IDENTIFY, ("a.jpg",)),
                metric=Metric.L2,
                fpir=0.1,
                min_margin=0.05,
                by=PersonRule.MEAN,
                top=2,
            ),
        ),
        (b'{"enroll": "a.jpg", "name": "Ada"}', Request(Verb.ENROLL, ("a.jpg",), name="Ada")),
    ],
)
def test_a_line_becomes_the_request_it_means(line: bytes, request_: Request) -> None:
    assert parsed(line) == request_


def test_a_photo_without_a_path_is_named_by_its_place() -> None:
    photos = parsed(b'{"compare": ["a.jpg", {"base64": "AA=="}, "data:;base64,AA=="]}').pictures
    assert [source_name(photo) for photo in photos] == ["a.jpg", "photos[1]", "photos[2]"]


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
        (b'{"detect": "a", "fmr": 1e-3}', "detect has no member 'fmr'"),
        (b'{"verify": ["a", "b"], "fase": "all"}', "Did you mean face?"),
        (b'{"detect": "a", "face": "each"}', "largest, center, best, all, error"),
        (b'{"detect": "a", "face": 1}', "Received: 1"),
        (b'{"verify": ["a", "b"], "fmr": true}', "fmr is a number"),
        (b'{"verify": ["a", "b"], "fmr": "best"}', "best-accuracy"),
        (b'{"verify": ["a", "b"], "fmr": 2}', "between 0 and 1"),
        (b'{"verify": ["a", "b"], "fmr": 0.1, "threshold": 0.5}', "pass one of them"),
        (b'{"verify": ["a", "b"], "threshold": 1' + b"0" * 400 + b"}", "within 1e308"),
        (b'{"identify": "a", "top": 0}', "whole number of 1 to 1000"),
        (b'{"identify": "a", "top": 2.0}', "whole number of 1 to 1000"),
        (b'{"enroll": "a"}', "person's name"),
        (b'{"enroll": "a", "name": 3}', "person's name"),
        (b'{"compare": ' + json.dumps(["a"] * 101).encode() + b"}", "1 to 100 photo"),
        (b'{"compare": []}', "1 to 100 photo"),
        (b'{"embed": "data:image/png,AAEC"}', "needs ;base64"),
        (b'{"embed": "data:image/png;base64,%"}', "not base64"),
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
        parsed(line)


@given(st.binary() | json_lines())
def test_no_line_raises_anything_else(line: bytes) -> None:
    with suppress(UsageError):
        parsed(line)


def test_what_is_nested_as_deep_as_allowed_is_returned() -> None:
    line = b'{"id": ' + b"[" * 99 + b"]" * 99 + b', "detect": "a"}'
    assert json.dumps(parse_object(line, kind=LINE, name="A line")["id"]) == "[" * 99 + "]" * 99


def test_a_line_that_is_too_long_is_refused_and_the_next_is_read() -> None:
    """And no more of it is held than is needed to refuse it."""
    too_long = b"x" * 250_000_000
    stream = io.BytesIO(too_long + b'\n{"detect": "a"}\n' + too_long)
    first, second, third = request_lines(stream)
    assert len(first) == len(third) == 100_000_001
    assert second == b'{"detect": "a"}\n'
    with pytest.raises(UsageError, match="at most 100,000,000 bytes"):
        parsed(first)


def test_a_closed_stream_is_an_error() -> None:
    with pytest.raises(InputError, match="closed"):
        next(request_lines(None))
