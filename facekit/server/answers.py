"""Answers a Request with the record that the command of the same name writes with --json."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from facekit.enums import CropRule, FacePolicy
from facekit.errors import FacekitError, UsageError, mistake
from facekit.pipeline.photos import PhotoFailure
from facekit.pipeline.records import LocatedPicture, facial_area
from facekit.reporter import Reporter
from facekit.server.requests import Request, shortened
from facekit.server.verbs import Verb
from facekit.tasks import gallery as people
from facekit.tasks import model_list
from facekit.tasks.compare import compare_photos
from facekit.tasks.enroll import Enrolled, enroll_person
from facekit.tasks.identify import identify_photos
from facekit.tasks.quality import RatedPhoto
from facekit.tasks.serve import Service
from facekit.tasks.verify import require_deciding_quality
from facekit.version import __version__


def answered(request: Request, service: Service) -> dict[str, Any]:
    """Returns the record of one request.

    Photos that cannot be used stand in its `failed` where there are others.  Raises the error of
    the first one if there are none, and the errors of the task.
    """
    _require_served(request, service)
    return _ANSWERS[request.verb](request, service)


def error_record(error: Exception, reporter: Reporter) -> dict[str, Any]:
    """Returns the record of an error; one that facekit has not foreseen has exit code 70, and is
    reported."""
    if not isinstance(error, FacekitError):
        reporter.detail("".join(traceback.format_exception(error)).rstrip())
        error = mistake(error)
        reporter.failure(error)
    return error.to_dict()


def ready(service: Service) -> dict[str, Any]:
    """Returns what the service answers with."""
    return {
        "ready": True,
        "version": __version__,
        "model": service.pipeline.model_name,
        "model_sha256": service.pipeline.space.model_sha256,
        "detector": service.detector,
    }


def _require_served(request: Request, service: Service) -> None:
    """Raises UsageError if the client relies on another model or detector.

    The names are compared without regard to case: deepface writes Facenet512 and SFace.
    """
    model = service.pipeline.model_name
    for wanted, served in (
        (request.model, (model, model.partition(":")[0])),
        (request.detector, (service.detector or "skip",)),
    ):
        if wanted is not None and wanted.lower() not in served:
            raise UsageError(
                f"This service answers with {served[0]}. Received: {shortened(wanted)}"
            )


def _verify(request: Request, service: Service) -> dict[str, Any]:
    a, b = request.pictures
    result = service.selecting(request.face).verify(
        a,
        b,
        threshold=service.threshold(request.threshold),
        metric=service.metric(request.metric),
    )
    require_deciding_quality(result, request.min_quality)
    return result.to_dict()


def _located(request: Request, service: Service) -> LocatedPicture:
    pipeline = service.selecting(request.face or FacePolicy.ALL)  # as the commands do
    if pipeline.crop_spec.rule is CropRule.NONE:
        raise UsageError("Nothing is detected with --no-detect or --crop none.")
    (located,) = pipeline.locate(request.pictures)
    return located


def _detect(request: Request, service: Service) -> dict[str, Any]:
    return {**_located(request, service).to_dict(), "detector": service.detector}


def _quality(request: Request, service: Service) -> dict[str, Any]:
    located = _located(request, service)
    rated = RatedPhoto(located, located.qualities, request.min_quality)
    return {**rated.to_dict(), "detector": service.detector}


def _embed(request: Request, service: Service) -> dict[str, Any]:
    (embedded,) = service.selecting(request.face).embed(request.pictures)
    space = service.pipeline.space
    return {**embedded.to_dict(), "model": space.model, "model_sha256": space.model_sha256}


def _represent(request: Request, service: Service) -> dict[str, Any]:
    """Returns a superset of the keys of deepface's represent(), each with deepface's meaning."""
    pipeline = service.selecting(request.face or FacePolicy.ALL)
    (embedded,) = pipeline.embed(request.pictures)
    results = [
        {
            "embedding": vector.tolist(),
            "facial_area": facial_area(face),
            "face_confidence": None if face is None else face.score,
            "face": None if face is None else face.to_dict(),
        }
        for face, vector in sorted(
            zip(embedded.faces, embedded.embeddings, strict=True),
            key=lambda one: 0.0 if one[0] is None else -one[0].area_px,
        )
    ]
    return {
        "results": results[: request.most_faces],
        "photo": embedded.name,
        "photo_sha256": embedded.photo_sha256,
        "face_count": embedded.face_count,
        "model": pipeline.model_name,
        "model_sha256": pipeline.space.model_sha256,
        "detector": service.detector,
    }


def _compare(request: Request, service: Service) -> dict[str, Any]:
    result = compare_photos(service.selecting(request.face), request.pictures)
    _require_some(result.failures, of=request)
    return result.to_dict()


def _identify(request: Request, service: Service) -> dict[str, Any]:
    threshold = service.known_threshold(request.threshold, request.metric, request.fpir)
    result = identify_photos(
        service.gallery(),
        service.selecting(request.face),
        request.pictures,
        threshold=replace(threshold, min_margin=request.min_margin),
        by=request.by,
        top=request.top,
    )
    _require_some(result.failures, of=request)
    return result.to_dict()


def _enroll(request: Request, service: Service) -> dict[str, Any]:
    gallery = service.gallery(create=True)
    pipeline = service.selecting(request.face)
    person = enroll_person(gallery, pipeline, request.name, request.pictures, quality=request.gate)
    _require_some(person.failures, of=request)
    people.refresh_index(gallery)
    space = pipeline.space
    return Enrolled(gallery.info().url, space.model, space.model_sha256, (person,)).to_dict()


def _require_some(failures: Sequence[PhotoFailure], *, of: Request) -> None:
    """Raises the first photo's error if no photo of the request could be used."""
    if len(failures) == len(of.pictures):
        raise failures[0].error


_ANSWERS: Mapping[Verb, Callable[[Request, Service], dict[str, Any]]] = {
    Verb.PING: lambda _request, service: ready(service),
    Verb.VERIFY: _verify,
    Verb.DETECT: _detect,
    Verb.QUALITY: _quality,
    Verb.EMBED: _embed,
    Verb.COMPARE: _compare,
    Verb.IDENTIFY: _identify,
    Verb.ENROLL: _enroll,
    Verb.REPRESENT: _represent,
    Verb.PEOPLE: lambda _, service: people.people(service.location).to_dict(),
    Verb.SHOW: lambda asked, service: people.show(service.location, asked.name).to_dict(),
    Verb.RENAME: lambda asked, service: people.rename(
        service.location, asked.name, asked.other
    ).to_dict(),
    Verb.MERGE: lambda asked, service: people.merge(
        service.location, asked.name, asked.other
    ).to_dict(),
    Verb.UNMERGE: lambda asked, service: people.unmerge(
        service.location, asked.name, asked.other
    ).to_dict(),
    Verb.REMOVE: lambda asked, service: people.remove(service.location, asked.name).to_dict(),
    Verb.MODELS: lambda _request, _service: model_list.list_models().to_dict(),
    Verb.MODEL: lambda _, service: {
        **ready(service),
        "card": service.pipeline.model.card.to_dict(),
    },
}
