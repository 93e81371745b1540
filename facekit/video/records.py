"""The records of tracking, from reading a video to showing its faces."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

from facekit.errors import UsageError
from facekit.types import Face, Float32Array, UInt8Array


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One frame of a video."""

    index: int
    """Index from 0."""
    time_s: float
    """Seconds since the video's start, or since a camera was opened."""
    pixels: UInt8Array = field(repr=False)
    """(H, W, 3) RGB; the size may change within a video."""


@dataclass(frozen=True, slots=True)
class Identity:
    """The most similar enrolled person."""

    name: str | None
    """None if the person is unknown, or if there are no candidates."""
    similarity: float | None
    """Cosine similarity, -1..1, to the best candidate, also if unknown; None if there is none."""


NOBODY = Identity(None, None)
Namer: TypeAlias = Callable[[Float32Array], Identity]
"""Maps a (D,) unit vector to an identity."""


class Vision(Protocol):
    """Finds faces and embeds them."""

    def detect(self, pixels: UInt8Array) -> tuple[Face, ...]: ...

    def embed(self, pixels: UInt8Array, faces: Sequence[Face]) -> Float32Array:
        """Returns (N, D) unit vectors of N faces of one frame."""
        ...


@dataclass(frozen=True, slots=True)
class TrackOptions:
    """Settings of tracking.  Raises UsageError for an invalid value."""

    key_every: int = 5
    """Faces are detected on every `key_every`-th frame."""
    longest_gap_s: float = 2.0
    """Seconds that a face may be out of sight and still continue its track."""
    start_score: float | None = None
    """Minimum detector score, 0..1, of a face that begins a track.

    None means the detector's `sure_score` in tasks.track, and 0.9 in a Tracker.  Faces with lower
    scores only continue tracks, as in ByteTrack (Zhang et al. 2022).
    """
    least_detections: int = 2
    """Tracks with fewer detections are false alarms and are not reported."""
    embedded_faces: int = 5
    """Maximum number of a track's best faces whose embeddings are averaged."""

    def __post_init__(self) -> None:
        if min(self.key_every, self.least_detections, self.embedded_faces) < 1:
            raise UsageError(f"Counts of frames and faces must be 1 or more. Received: {self}")
        if self.start_score is not None and not 0 <= self.start_score <= 1:
            raise UsageError(f"A face's score lies in 0..1. Received: {self.start_score}")
        if not self.longest_gap_s >= 0:
            raise UsageError(f"The longest gap must be 0 s or more. Received: {self.longest_gap_s}")

    @property
    def starts_at(self) -> float:
        """`start_score`, or 0.9 if it is None."""
        return 0.9 if self.start_score is None else self.start_score


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """A detected and embedded face of a track."""

    frame: int
    time_s: float
    face: Face
    quality: float
    """Unified quality score, weighed by that of the distance between the eyes, 0..100."""
    embedding: Float32Array = field(repr=False)
    """(D,) of unit length."""


@dataclass(frozen=True, slots=True)
class Span:
    """An interval of frames in which a face is in sight throughout."""

    first: int
    last: int
    """Inclusive."""


@dataclass(frozen=True, slots=True)
class VisibleFace:
    """A track in the current frame."""

    track: int
    face: Face
    identity: Identity


@dataclass(frozen=True, slots=True, eq=False)
class FinishedTrack:
    """One person's track through a video."""

    number: int
    """Number from 1, by first appearance; false alarms have none."""
    start_s: float
    end_s: float
    spans: tuple[Span, ...]
    detection_count: int
    """Number of key frames in which the face was detected."""
    best: Sample
    embedded_face_count: int
    """Number of faces in the mean embedding."""
    embedding: Float32Array = field(repr=False)
    """(D,) of unit length."""
    identity: Identity

    @property
    def frame_count(self) -> int:
        """Number of frames in which the face was in sight."""
        return sum(span.last - span.first + 1 for span in self.spans)

    def to_dict(self) -> dict[str, Any]:
        return {
            "track": self.number,
            "start_s": round(self.start_s, 3),
            "end_s": round(self.end_s, 3),
            "frame_count": self.frame_count,
            "spans": [[span.first, span.last] for span in self.spans],
            "detection_count": self.detection_count,
            "embedded_face_count": self.embedded_face_count,
            "name": self.identity.name,
            "similarity": self.identity.similarity,
            "best_face": {
                "frame": self.best.frame,
                "time_s": round(self.best.time_s, 3),
                "quality": round(self.best.quality, 4),
                **self.best.face.to_dict(),
            },
        }
