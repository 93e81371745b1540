"""One person's track while it is being followed."""

from __future__ import annotations

import numpy as np

from facekit.template.match import unit_length
from facekit.types import Face, Float32Array
from facekit.video.records import (
    NOBODY,
    FinishedTrack,
    Frame,
    Identity,
    Sample,
    Span,
    VisibleFace,
)

_SAMPLE_EVERY_S = 0.3  # faces closer in time are nearly identical
_BETTER = 1.2  # factor over the worst sample's quality; limits how often a track is embedded
_MOST_MISSED = 2  # key frames for which a face is followed without being detected


class Track:
    """A track.  The memory grows only by one Span each time that the face reappears."""

    def __init__(self, number: int, frame: Frame, face: Face) -> None:
        self.number = number
        self.face = face
        self.in_sight = True
        self.rivals: set[Track] = set()
        """Tracks whose faces met this track's face; they may be confused until the faces part."""
        self.identity: Identity = NOBODY
        self.last_seen_s = frame.time_s
        self._start_s = frame.time_s
        self._spans: list[Span] = []
        self._samples: list[Sample] = []
        self._detections = 1
        self._missed = 0

    @property
    def embedding(self) -> Float32Array:
        """(D,) mean of the samples, at unit length."""
        mean = np.mean([sample.embedding for sample in self._samples], axis=0)
        return np.asarray(unit_length(mean[np.newaxis])[0])

    def confirm(self, face: Face) -> None:
        """Records that the face was detected."""
        self.face = face
        self.in_sight = True
        self._detections += 1
        self._missed = 0

    def carry(self, face: Face | None) -> None:
        """Records that the face was followed to this position, or lost."""
        if face is None:
            self.in_sight = False
        else:
            self.face = face

    def miss(self) -> None:
        """Records a key frame in which the face was not detected.

        If the track has rivals, the face is probably hidden behind a rival, so that the flow
        follows the wrong face.
        """
        self._missed += 1
        self.in_sight = self.in_sight and not self.rivals and self._missed <= _MOST_MISSED

    def seen_in(self, frame: Frame) -> None:
        if self._spans and self._spans[-1].last == frame.index - 1:
            self._spans[-1] = Span(self._spans[-1].first, frame.index)
        else:
            self._spans.append(Span(frame.index, frame.index))
        self.last_seen_s = frame.time_s

    def wants(self, quality: float, time_s: float, *, most: int) -> bool:
        """Returns whether a face of this quality would improve the samples."""
        if not self._samples:
            return True
        if self.rivals:  # the crop may show a part of another person
            return False
        if len(self._samples) >= most:
            return quality > _BETTER * min(sample.quality for sample in self._samples)
        latest = max(sample.time_s for sample in self._samples)
        return time_s - latest >= _SAMPLE_EVERY_S

    def add_sample(self, sample: Sample, *, most: int) -> None:
        """Adds a sample, and stores only the `most` best samples."""
        self._samples.append(sample)
        self._samples.sort(key=lambda kept: -kept.quality)
        del self._samples[most:]

    def visible(self) -> VisibleFace:
        return VisibleFace(self.number, self.face, self.identity)

    def finished(self, *, least_detections: int) -> FinishedTrack | None:
        """Returns the finished track; None for a false alarm."""
        if self._detections < least_detections:
            return None
        return FinishedTrack(
            number=self.number,
            start_s=self._start_s,
            end_s=self.last_seen_s,
            spans=tuple(self._spans),
            detection_count=self._detections,
            best=self._samples[0],
            embedded_face_count=len(self._samples),
            embedding=self.embedding,
            identity=self.identity,
        )
