"""What a service counts, as text for Prometheus."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from facekit.server.replies import Reply

CONTENT_TYPE = CONTENT_TYPE_LATEST
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class Metrics:
    """Counts of one service.  Nothing in them tells of a photo, a person or an embedding."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "facekit_requests", "Requests.", ("route", "status"), registry=self._registry
        )
        self._seconds = Histogram(
            "facekit_request_seconds",
            "Time from the head of a request to its answer.",
            ("route",),
            buckets=_SECONDS,
            registry=self._registry,
        )
        self._errors = Counter(
            "facekit_errors", "Errors by their class.", ("type",), registry=self._registry
        )
        self._stages = Histogram(
            "facekit_stage_seconds",
            "Time of each stage of a request.",
            ("stage",),
            buckets=_SECONDS,
            registry=self._registry,
        )
        self._faces = Counter("facekit_faces", "Faces that were found.", registry=self._registry)
        self._memory = Gauge(
            "facekit_memory_bytes", "Resident memory.", ("process",), registry=self._registry
        )

    def watch(self, *, under_way: Callable[[], float], restarts: Callable[[], float]) -> None:
        """Sets what is asked for when the metrics are."""
        for name, text, function in (
            ("facekit_requests_under_way", "Requests that are read, wait or run.", under_way),
            ("facekit_worker_restarts", "Workers that ended and were replaced.", restarts),
        ):
            Gauge(name, text, registry=self._registry).set_function(function)

    def add_request(self, route: str, status: int, seconds: float) -> None:
        self._requests.labels(route, status).inc()
        self._seconds.labels(route).observe(seconds)

    def add_error(self, kind: str) -> None:
        self._errors.labels(kind).inc()

    def add_reply(self, reply: Reply) -> None:
        self._faces.inc(reply.face_count)
        for stage, milliseconds in (reply.stages_ms or {}).items():
            self._stages.labels(stage).observe(milliseconds / 1e3)

    def text(self, *, workers: tuple[int, ...]) -> bytes:
        """Returns all counts.  `workers`: ids of the processes whose memory is told."""
        self._memory.clear()
        self._memory.labels("server").set(_resident_bytes("self"))
        self._memory.labels("workers").set(sum(_resident_bytes(str(pid)) for pid in workers))
        return generate_latest(self._registry)


def _resident_bytes(process: str) -> int:
    """Returns the resident memory of a process; 0 if it has ended, or where there is no /proc."""
    try:
        status = Path(f"/proc/{process}/status").read_text()
    except OSError:
        return 0
    kilobytes = status.partition("VmRSS:")[2].split()
    return int(kilobytes[0]) * 1024 if kilobytes else 0
