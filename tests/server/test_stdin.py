"""A line in, a record out, by one pipeline that is open."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest

from facekit.enums import FacePolicy, Metric
from facekit.errors import NoOperatingPointError
from facekit.gallery.identify import OpenSetChoice
from facekit.pipeline.pipeline import Pipeline
from facekit.server.stdin import answer, serve_lines
from facekit.tasks.gallery import GalleryLocation
from facekit.tasks.open_pipeline import PipelineRequest
from facekit.tasks.serve import Service, ServiceRequest
from facekit.template.threshold import ThresholdChoice
from tests.group_photo import write_group
from tests.told import Told

pytestmark = pytest.mark.model
REQUEST = ServiceRequest(PipelineRequest(threads=1), ThresholdChoice(0.6))


@pytest.fixture(scope="module")
def service() -> Service:
    return Service(REQUEST)


def asked(service: Service, **members: Any) -> dict[str, Any]:
    return answer(json.dumps(members).encode(), service)


def test_each_verb_answers_what_its_record_says(service: Service, data: Path) -> None:
    pipeline = service.pipeline
    obama, biden = str(data / "obama.jpg"), str(data / "biden.jpg")
    verified = asked(service, verify=[obama, biden], id=7)
    assert (verified["id"], verified["verified"], verified["threshold"]) == (7, False, 0.6)
    (located,) = pipeline.locate([obama])
    assert asked(service, detect=obama) == {
        "id": None,
        **located.to_dict(),
        "detector": "mtcnn",
    }
    (embedded,) = pipeline.embed([obama])
    space = pipeline.space
    assert asked(service, embed=obama) == {
        "id": None,
        **embedded.to_dict(),
        "model": space.model,
        "model_sha256": space.model_sha256,
    }


def test_a_failure_is_an_answer_with_its_id(service: Service) -> None:
    failed = asked(service, detect="missing.jpg", id="x")
    assert (failed["id"], failed["error"]["exit_code"]) == ("x", 4)


def test_crops_are_not_looked_at_for_faces(data: Path) -> None:
    crops = Service(ServiceRequest(PipelineRequest(detect=False)))
    refused = asked(crops, detect=str(data / "obama.jpg"))
    assert "--no-detect" in refused["error"]["message"]


def test_what_nobody_has_foreseen_is_an_answer_too(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_args: Any, **_options: Any) -> None:
        raise MemoryError

    monkeypatch.setattr(Pipeline, "verify", fail)
    told = Told()
    line = b'{"verify": ["a.jpg", "b.jpg"], "id": 7}'
    answered = answer(line, service, reporter=told)
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

    answers = serve_lines(Lines(b"\nnonsense\nmore nonsense\n"), request=REQUEST)
    assert next(answers)["ready"]
    assert not taken
    assert next(answers)["error"]["exit_code"] == 2
    assert taken == [b"\n", b"nonsense\n"], "the blank line has no answer"


def test_a_threshold_that_the_card_does_not_have_ends_it_before_a_line_is_taken() -> None:
    answers = serve_lines(io.BytesIO(), request=ServiceRequest(threshold=ThresholdChoice(fmr=1e-9)))
    with pytest.raises(NoOperatingPointError, match="5,923,194 impostor pairs"):
        next(answers)


def test_the_face_is_chosen_for_one_request_alone(
    service: Service, data: Path, tmp_path: Path
) -> None:
    group = str(write_group(tmp_path / "group.png", data / "obama.jpg", data / "biden.jpg"))
    assert len(asked(service, embed=group, face="all")["embeddings"]) == 2
    assert len(asked(service, embed=group)["embeddings"]) == 1
    assert asked(service, embed=group, face="error")["error"]["type"] == "AmbiguousFaceError"
    assert len(asked(service, detect=group)["faces"]) == 2, "all of them, as the command has it"
    assert len(asked(service, detect=group, face="largest")["faces"]) == 1
    assert service.selecting(FacePolicy.ALL).embedder is service.pipeline.embedder


@pytest.mark.parametrize(
    ("own", "asked_for", "expected"),
    [
        (ThresholdChoice(), (None, None, None), OpenSetChoice()),
        (ThresholdChoice(fmr=1e-4), (None, None, None), OpenSetChoice(ThresholdChoice(fmr=1e-4))),
        (
            ThresholdChoice(fmr=1e-4),
            (None, Metric.L2, None),
            OpenSetChoice(ThresholdChoice(fmr=1e-4, metric=Metric.L2)),
        ),
        (ThresholdChoice(fmr=1e-4), (None, None, 0.1), OpenSetChoice(fpir=0.1)),
        (
            ThresholdChoice(0.5),
            (None, Metric.L2, None),
            OpenSetChoice(ThresholdChoice(min_similarity=0.5, metric=Metric.L2)),
        ),
        (
            ThresholdChoice(0.5),
            (ThresholdChoice(0.4), None, None),
            OpenSetChoice(ThresholdChoice(0.4)),
        ),
    ],
)
def test_a_request_changes_of_the_threshold_what_it_names(
    own: ThresholdChoice, asked_for: tuple[Any, Any, Any], expected: OpenSetChoice
) -> None:
    """A threshold of the service in one metric stays where it is when another metric is shown."""
    service = Service(ServiceRequest(PipelineRequest(threads=1), own))
    assert service.known_threshold(*asked_for) == expected


def test_a_missing_gallery_may_appear_later(data: Path, tmp_path: Path) -> None:
    location = GalleryLocation(str(tmp_path / "people.db"))
    service = Service(ServiceRequest(PipelineRequest(threads=1), location=location))
    obama = str(data / "obama.jpg")
    assert asked(service, identify=obama)["error"]["exit_code"] == 7
    assert asked(service, enroll=obama, name="Obama")["people"][0]["added_count"] == 1
    assert asked(service, identify=obama)["photos"][0]["faces"][0]["name"] == "Obama"
    service.close()
