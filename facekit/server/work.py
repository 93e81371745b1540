"""What a worker of `facekit serve` does with the body of a request."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from facekit.reporter import SILENT, Reporter
from facekit.server.answers import answered, error_record
from facekit.server.bodies import members_of, request_of
from facekit.server.replies import Body, Reply, json_bytes, status_of
from facekit.server.verbs import PHOTO_MEMBERS
from facekit.tasks.serve import Service, ServiceRequest


def open_work(
    request: ServiceRequest,
    *,
    allowed: Path | None = None,
    read_only: bool = False,
    reporter: Reporter = SILENT,
) -> Callable[[Body], Reply]:
    """Loads the networks, and returns the function that answers requests.

    `allowed`: see `request_of`.  A gallery that is named is opened now, and made if it is missing,
    unless `read_only`; the default one is opened by the first request that needs it.
    Raises the errors of `Service` and of opening the gallery.
    """
    logging.getLogger("python_multipart").setLevel(logging.ERROR)  # a bad form is an answer
    service = Service(request, reporter=reporter)
    if request.location.url is not None:
        service.gallery(create=not read_only)

    def work(body: Body) -> Reply:
        named: dict[str, Any] = {"id": None}
        try:
            members = members_of(body)
            named = {"id": members.get("id")}
            service.pipeline.stopwatch.milliseconds = {}
            record = answered(request_of(body.verb, members, allowed=allowed), service)
            return Reply(
                200 if record.get("found", True) else 404,
                json_bytes(record if body.verb not in PHOTO_MEMBERS else named | record),
                face_count=_face_count(record),
                stages_ms=dict(service.pipeline.stopwatch.milliseconds),
            )
        except Exception as error:
            record = error_record(error, reporter)
            kind = record["error"]["type"]
            return Reply(status_of(error), json_bytes(named | record), error=kind)

    return work


def _face_count(record: Mapping[str, Any]) -> int:
    """Returns how many faces the record is about."""
    found = record.get("face_count")
    if isinstance(found, dict):  # of verify
        return sum(count or 0 for count in found.values())
    if "photos" in record:
        return sum(len(photo["faces"]) for photo in record["photos"])
    return int(found or len(record.get("faces", ())))
