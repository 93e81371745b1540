"""What travels between reading a video, following its faces and showing them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

from facekit.errors import UsageError
from facekit.types import Face, Float32Array, UInt8Array


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One picture of a video."""

    index: int
    """from 0"""
    time_s: float
    """since the video's start; of a camera, since it was opened"""
    pixels: UInt8Array = field(repr=False)
    """(H, W, 3) RGB; the size may change within a video"""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a track's face is most like."""

    name: str | None
    """None: unknown, or there is nobody to compare with"""
    similarity: float | None
    """cosine to the best candidate, -1..1, whether known or not; None without candidates"""


NOBODY = Identity(None, None)
Namer: TypeAlias = Callable[[Float32Array], Identity]
"""(D,) unit vector -> identity"""


class Vision(Protocol):
    """Finds faces and tells them apart."""

    def detect(self, pixels: UInt8Array) -> tuple[Face, ...]: ...

    def embed(self, pixels: UInt8Array, faces: Sequence[Face]) -> Float32Array:
        """(N, D) unit vectors of N faces of one picture."""
        ...


@dataclass(frozen=True, slots=True)
class TrackOptions:
    """How faces are followed.  Raises UsageError for a value that cannot be meant."""

    key_every: int = 5
    """frames from one detection to the next"""
    longest_gap_s: float = 2.0
    """how long a face may be out of sight and still continue its track"""
    start_score: float | None = None
    """detector's score from which a face begins a track, None for what the detector is sure of;
    lower ones continue tracks, as in ByteTrack (Zhang et al. 2022)"""
    least_detections: int = 2
    """tracks with fewer are false alarms of the detector and not reported"""
    embedded_faces: int = 5
    """best faces of a track whose embeddings are averaged, at most"""

    def __post_init__(self) -> None:
        if min(self.key_every, self.least_detections, self.embedded_faces) < 1:
            raise UsageError(f"Counts of frames and faces must be 1 or more. Received: {self}")
        if self.start_score is not None and not 0 <= self.start_score <= 1:
            raise UsageError(f"A face's score lies in 0..1. Received: {self.start_score}")
        if not self.longest_gap_s >= 0:
            raise UsageError(f"The longest gap must be 0 s or more. Received: {self.longest_gap_s}")

    @property
    def starts_at(self) -> float:
        """`start_score`, 0.9 where there is none."""
        return 0.9 if self.start_score is None else self.start_score


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """A detected face of a track that was embedded."""

    frame: int
    time_s: float
    face: Face
    quality: float
    embedding: Float32Array = field(repr=False)
    """(D,) of unit length"""


@dataclass(frozen=True, slots=True)
class Span:
    """Frames, without a gap, in which a face was in sight."""

    first: int
    last: int
    """inclusive"""


@dataclass(frozen=True, slots=True)
class VisibleFace:
    """A track in the present frame."""

    track: int
    face: Face
    identity: Identity


@dataclass(frozen=True, slots=True, eq=False)
class FinishedTrack:
    """One person's way through a video."""

    number: int
    """from 1, by first appearance; numbers of false alarms are left out"""
    start_s: float
    end_s: float
    spans: tuple[Span, ...]
    detection_count: int
    """key frames in which the face was detected"""
    best: Sample
    embedded_face_count: int
    """faces in the mean embedding"""
    embedding: Float32Array = field(repr=False)
    """(D,) of unit length"""
    identity: Identity

    @property
    def frame_count(self) -> int:
        """In how many frames the face was in sight."""
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
