"""A line in, a record out, by one pipeline that is open."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest

import facekit
from facekit.enums import Metric
from facekit.errors import NoOperatingPointError
from facekit.pipeline.pipeline import Pipeline
from facekit.server.stdin import answer, serve
from facekit.tasks.open_pipeline import PipelineRequest
from facekit.template.threshold import ThresholdChoice, given_threshold
from tests.told import Told

pytestmark = pytest.mark.model


@pytest.fixture(scope="module")
def pipeline() -> Pipeline:
    return facekit.load(threads=1)


def asked(pipeline: Pipeline, **members: Any) -> dict[str, Any]:
    threshold = given_threshold(0.6, Metric.COSINE)
    return answer(json.dumps(members).encode(), pipeline, threshold=threshold)


def test_each_verb_answers_what_its_record_says(pipeline: Pipeline, data: Path) -> None:
    obama, biden = str(data / "obama.jpg"), str(data / "biden.jpg")
    verified = asked(pipeline, verify=[obama, biden], id=7)
    assert (verified["id"], verified["verified"], verified["threshold"]) == (7, False, 0.6)
    (located,) = pipeline.locate([obama])
    assert asked(pipeline, detect=obama) == {
        "id": None,
        **located.to_dict(),
        "detector": "mtcnn",
    }
    (embedded,) = pipeline.embed([obama])
    space = pipeline.space
    assert asked(pipeline, embed=obama) == {
        "id": None,
        **embedded.to_dict(),
        "model": space.model,
        "model_sha256": space.model_sha256,
    }


def test_a_failure_is_an_answer_with_its_id(pipeline: Pipeline) -> None:
    failed = asked(pipeline, detect="missing.jpg", id="x")
    assert (failed["id"], failed["error"]["exit_code"]) == ("x", 4)


def test_crops_are_not_looked_at_for_faces(data: Path) -> None:
    refused = asked(facekit.load(detect=False), detect=str(data / "obama.jpg"))
    assert "--no-detect" in refused["error"]["message"]


def test_what_nobody_has_foreseen_is_an_answer_too(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_args: Any, **_options: Any) -> None:
        raise MemoryError

    monkeypatch.setattr(Pipeline, "verify", fail)
    told = Told()
    threshold = given_threshold(0.6, Metric.COSINE)
    line = b'{"verify": ["a.jpg", "b.jpg"], "id": 7}'
    answered = answer(line, pipeline, threshold=threshold, reporter=told)
    assert answered["id"] == 7
    assert answered["error"] == {
        "type": "FacekitError",
        "message": "A mistake in facekit, which you may report: MemoryError",
        "exit_code": 70,
    }
    assert "Traceback" in told.details[0]


def test_a_line_is_answered_before_the_next_is_taken() -> None:
    taken = []

    class Lines(io.BytesIO):
        def readline(self, size: int | None = -1, /) -> bytes:
            taken.append(line := super().readline(size))
            return line

    answers = serve(Lines(b"\nnonsense\nmore nonsense\n"), request=PipelineRequest(threads=1))
    assert next(answers)["error"]["exit_code"] == 2
    assert taken == [b"\n", b"nonsense\n"], "the blank line has no answer"


def test_a_threshold_that_the_card_does_not_have_ends_it_before_a_line_is_taken() -> None:
    answers = serve(io.BytesIO(), threshold=ThresholdChoice(fmr=1e-9))
    with pytest.raises(NoOperatingPointError, match="5,923,194 impostor pairs"):
        next(answers)
