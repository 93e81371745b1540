"""Bodies that were cut, doubled and mixed up: each has an answer, and none is a mistake."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from facekit.photo.write import jpeg_bytes
from facekit.server.bodies import members_of, request_of
from facekit.server.replies import Body, Reply
from facekit.server.verbs import MEMBERS, PHOTO_MEMBERS, WORK_ROUTES
from facekit.server.work import open_work
from facekit.tasks.gallery import GalleryLocation
from facekit.tasks.open_pipeline import PipelineRequest
from facekit.tasks.serve import ServiceRequest
from tests.server.service import encoded_bytes, form

SMALL = jpeg_bytes(np.full((24, 24, 3), 128, np.uint8))
"""A photo without a face, which takes a millisecond."""
PIECES = (
    *(b"", b"\0", b"\xff", b'"', b"\\", b"{", b"}", b"[", b"]", b":", b",", b"\r\n", b"--", b"-"),
    *(b"NaN", b"1e999", b"9" * 400, b"null", b"true", b'"\\ud800"', b"\\u0000", b"1e-3", b"0.5"),
    *(b'"fmr"', b'"threshold"', b'"face"', b'"all"', b'"id"', b'"metric"', b'"name"', b'"top"'),
    *(b"filename", b'name="photos"', b"Content-Disposition", b"form-data", b"=", b";", b"data:"),
    *(b";base64,", b"../../etc/passwd", b"/dev/zero", b"http://", b"<script>", b" " * 1000),
)
ALLOWED = {200, 400, 404, 409, 413, 422}


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Body], Reply]:
    folder = tmp_path_factory.mktemp("work")
    (folder / "a.jpg").write_bytes(SMALL)
    request = ServiceRequest(
        PipelineRequest(threads=1), location=GalleryLocation(str(folder / "people.db"))
    )
    return open_work(request, allowed=folder)


def whole_bodies() -> list[Body]:
    """A valid JSON body and a valid form for each verb."""
    bodies = []
    for verb in WORK_ROUTES.values():
        text = encoded_bytes(SMALL)
        photos = {
            name: [text, f"data:image/jpeg;base64,{text}", "a.jpg"] if name == "photos" else text
            for name in PHOTO_MEMBERS.get(verb, ())
        }
        names = {"name": "Ada", "other": "Eve", "old": "Ada", "new": "Eve"}
        own = {name: names[name] for name in names if name in MEMBERS[verb]}
        members: dict[str, object] = {**photos, **own}
        if verb in PHOTO_MEMBERS:
            members |= {"id": [1, "x"], "face": "all"}
        bodies.append(Body(verb, "application/json", json.dumps(members).encode()))
        parts: list[tuple[str, bytes | str]] = [(name, SMALL) for name in photos]
        parts += own.items()
        content, kind = form(*parts)
        bodies.append(Body(verb, kind, content))
    return bodies


def mutated(content: bytes, chance: random.Random) -> bytes:
    """With a few pieces cut out, doubled, moved, overwritten or put in."""
    for _ in range(chance.randint(1, 4)):
        a, b = sorted(chance.randrange(len(content) + 1) for _ in range(2))
        b = min(b, a + chance.choice((1, 3, 20, 400)))
        piece = chance.choice((b"", content[a:b] * 2, chance.choice(PIECES), chance.randbytes(3)))
        content = content[:a] + piece + content[b:]
    return content


def require_answers(work: Callable[[Body], Reply], count: int, seed: int) -> set[int]:
    chance = random.Random(seed)
    bodies = whole_bodies()
    statuses = set()
    for _ in range(count):
        body = chance.choice(bodies)
        kind = body.content_type
        if chance.random() < 0.1:
            kind = mutated(kind.encode(), chance).decode("latin-1")
        reply = work(Body(body.verb, kind, mutated(body.content, chance)))
        assert reply.status in ALLOWED, (reply, body.verb, kind)
        assert b"Traceback" not in reply.content
        json.loads(reply.content)
        statuses.add(reply.status)
    return statuses


@pytest.mark.model
def test_what_is_whole_is_answered(work: Callable[[Body], Reply]) -> None:
    for body in whole_bodies():
        members = members_of(body)
        request = request_of(body.verb, members, allowed=Path("/"))
        assert request.verb is body.verb
        reply = work(body)
        assert reply.status in (404, 422), (body, reply)  # nobody enrolled, and no face


@pytest.mark.model
def test_a_thousand_mutated_bodies_have_answers(work: Callable[[Body], Reply]) -> None:
    assert {400, 404, 422} <= require_answers(work, 1000, seed=1)


@pytest.mark.model
@pytest.mark.slow
def test_twenty_thousand_mutated_bodies_have_answers(work: Callable[[Body], Reply]) -> None:
    require_answers(work, 20_000, seed=2)
