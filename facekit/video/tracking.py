"""Tracks the faces of a video: detects them on key frames and follows them by flow in between.

A detected face is assigned to the track at the same position if only one track overlaps the face.
If two faces came close to each other, or a face reappears, embeddings decide, because by position
the tracks of people who cross would be swapped.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from facekit.face.geometry import Overlap, overlaps
from facekit.face.quality import FaceQuality, rate_faces
from facekit.types import Face, Float32Array
from facekit.video.flow import Flow
from facekit.video.records import (
    NOBODY,
    FinishedTrack,
    Frame,
    Identity,
    Namer,
    Sample,
    TrackOptions,
    VisibleFace,
    Vision,
)
from facekit.video.track import Track

SAME_PLACE = 0.3
"""Minimum IoU of a detection with the track that it continues by position."""
_REACH = 0.25  # fraction of width and height by which each edge of a box is moved out, see _meet
_MEETING = 0.2  # share of the smaller extended box; two faces meet if the other box covers more


def _merit(quality: FaceQuality) -> float:
    """Returns 0..100.  Of faces that match about as well, the nearer one is better to look at."""
    return quality.unified_score * quality.inter_eye_distance / 100


def nobody(_embedding: Float32Array) -> Identity:
    """Returns NOBODY for every face; the default `namer`, used without a gallery."""
    return NOBODY


class Tracker:
    """Follows the faces of a video, whose frames are passed one by one, in order.

    A tracker is not thread-safe.
    """

    def __init__(
        self,
        vision: Vision,
        *,
        same_similarity: float,
        options: TrackOptions | None = None,
        namer: Namer = nobody,
    ) -> None:
        """`same_similarity`: minimum cosine similarity, -1..1, of two faces of one person.

        `namer` is called with the mean embedding of a track each time that the embedding changes.
        """
        self._vision = vision
        self._same_similarity = same_similarity
        self._options = options or TrackOptions()
        self._namer = namer
        self._flow = Flow()
        self._tracks: list[Track] = []
        self._started = 0

    @property
    def visible(self) -> list[VisibleFace]:
        """The faces in sight in the latest frame."""
        return [track.visible() for track in self._in_sight()]

    def step(self, frame: Frame) -> list[FinishedTrack]:
        """Follows all faces into this frame; returns the tracks that have ended.

        Tracks with fewer detections than `TrackOptions.least_detections` are dropped instead.
        """
        followed = self._in_sight()
        carried = self._flow.advance(frame.pixels, [track.face for track in followed])
        for track, face in zip(followed, carried, strict=True):
            track.carry(face)
        self._note_meetings()
        earliest = frame.time_s - self._options.longest_gap_s
        over = [
            track for track in self._tracks if not track.in_sight and track.last_seen_s < earliest
        ]
        if frame.index % self._options.key_every == 0:
            self._look(frame, [track for track in self._tracks if track not in over])
        for track in self._in_sight():
            track.seen_in(frame)
        return self._end(over)

    def finish(self) -> list[FinishedTrack]:
        """Returns the tracks that were still open when the video ended.

        Tracks with too few detections are dropped, as in `step`.
        """
        return self._end(list(self._tracks))

    def _in_sight(self) -> list[Track]:
        return [track for track in self._tracks if track.in_sight]

    def _note_meetings(self) -> None:
        for one, other in combinations(self._in_sight(), 2):
            if _meet(one.face, other.face):
                one.rivals.add(other)
                other.rivals.add(one)

    def _look(self, frame: Frame, candidates: list[Track]) -> None:
        """Processes a key frame: detects faces and assigns them to tracks."""
        faces = self._vision.detect(frame.pixels)
        owners: dict[int, Track] = {}
        self._match_by_place(faces, candidates, owners)
        unmatched = any(track not in owners.values() for track in candidates)
        doubtful = [
            index
            for index, face in enumerate(faces)
            if index not in owners and (unmatched or face.score >= self._options.starts_at)
        ]
        vectors = self._vision.embed(frame.pixels, [faces[index] for index in doubtful])
        embeddings = dict(zip(doubtful, vectors, strict=True))
        self._match_by_likeness(faces, embeddings, candidates, owners)
        self._match_what_is_left(faces, candidates, owners)
        for track in candidates:
            if track not in owners.values():
                track.miss()
        for index, face in enumerate(faces):
            if index in owners:
                owners[index].confirm(face)
            elif self._may_start(face, candidates):
                owners[index] = self._start(frame, face)
        self._note_meetings()
        self._add_samples(frame, faces, owners, embeddings)
        self._settle()

    def _match_by_place(
        self, faces: Sequence[Face], candidates: list[Track], owners: dict[int, Track]
    ) -> None:
        followed = [track for track in candidates if track.in_sight]
        settled = np.array([not track.rivals for track in followed], np.bool_)
        pairs = clear_pairs(_boxes([track.face for track in followed]), settled, _boxes(faces))
        owners.update({face: followed[track] for track, face in pairs})

    def _match_by_likeness(
        self,
        faces: Sequence[Face],
        embeddings: dict[int, Float32Array],
        candidates: list[Track],
        owners: dict[int, Track],
    ) -> None:
        free = [track for track in candidates if track not in owners.values()]
        if not free or not embeddings:
            return
        indices = list(embeddings)
        theirs = np.stack([track.embedding for track in free])
        similarities = theirs @ np.stack(list(embeddings.values())).T
        for track, column in best_pairs(similarities, least=self._same_similarity):
            owners[indices[column]] = free[track]

    def _match_what_is_left(
        self, faces: Sequence[Face], candidates: list[Track], owners: dict[int, Track]
    ) -> None:
        """Assigns the remaining faces by position to visible tracks without rivals.

        A turned face may be too dissimilar to be assigned by its embedding.
        """
        free = [
            track
            for track in candidates
            if track.in_sight and not track.rivals and track not in owners.values()
        ]
        indices = [index for index in range(len(faces)) if index not in owners]
        near = overlaps(
            _boxes([track.face for track in free]), _boxes([faces[index] for index in indices])
        )
        for track, column in best_pairs(near, least=SAME_PLACE):
            owners[indices[column]] = free[track]

    def _may_start(self, face: Face, candidates: list[Track]) -> bool:
        """Returns whether a face may begin a new track.

        The face's score must reach `TrackOptions.starts_at`.  The face must not be close to a track
        that has rivals, because it probably belongs to a rival, and is dissimilar only because it
        is half covered.
        """
        beside_rivals = any(track.rivals and _meet(face, track.face) for track in candidates)
        return face.score >= self._options.starts_at and not beside_rivals

    def _start(self, frame: Frame, face: Face) -> Track:
        self._started += 1
        track = Track(self._started, frame, face)
        self._tracks.append(track)
        return track

    def _add_samples(
        self,
        frame: Frame,
        faces: Sequence[Face],
        owners: dict[int, Track],
        embeddings: dict[int, Float32Array],
    ) -> None:
        most = self._options.embedded_faces
        rated = rate_faces(frame.pixels, [faces[index] for index in owners])
        merits = {index: _merit(one) for index, one in zip(owners, rated, strict=True)}
        wanted = [
            index
            for index, track in owners.items()
            if track.wants(merits[index], frame.time_s, most=most)
        ]
        missing = [index for index in wanted if index not in embeddings]
        vectors = self._vision.embed(frame.pixels, [faces[index] for index in missing])
        embeddings = {**embeddings, **dict(zip(missing, vectors, strict=True))}
        for index in wanted:
            track = owners[index]
            sample = Sample(
                frame.index, frame.time_s, faces[index], merits[index], embeddings[index]
            )
            track.add_sample(sample, most=most)
            track.identity = self._namer(track.embedding)

    def _settle(self) -> None:
        """Ends the rivalry of two tracks if both are in sight and their faces do not meet."""
        for one, other in combinations(self._in_sight(), 2):
            if not _meet(one.face, other.face):
                one.rivals.discard(other)
                other.rivals.discard(one)

    def _end(self, over: list[Track]) -> list[FinishedTrack]:
        self._tracks = [track for track in self._tracks if track not in over]
        for track in self._tracks:
            track.rivals.difference_update(over)
        reports = [
            track.finished(least_detections=self._options.least_detections) for track in over
        ]
        return [report for report in reports if report is not None]


def clear_pairs(
    tracks: Float32Array, settled: NDArray[np.bool_], faces: Float32Array
) -> list[tuple[int, int]]:
    """Returns the index pairs (track, face) whose boxes overlap each other and no other box.

    `tracks` (T, 4) and `faces` (F, 4) are boxes x1, y1, x2, y2 in pixels.  Boxes overlap if their
    IoU is at least SAME_PLACE.  `settled` (T,) is True for tracks without rivals; only these tracks
    are returned.
    """
    near = overlaps(tracks, faces) >= SAME_PLACE
    alone = near & (near.sum(0) == 1)[None, :] & (near.sum(1) == 1)[:, None]
    return [(int(track), int(face)) for track, face in np.argwhere(alone & settled[:, None])]


def best_pairs(merits: Float32Array, *, least: float) -> list[tuple[int, int]]:
    """Returns index pairs (track, face) of the (T, F) array `merits`, by descending merit.

    The assignment is greedy.  Every row and column is used at most once, and every merit is at
    least `least`.
    """
    pairs: list[tuple[int, int]] = []
    open_merits = merits.astype(np.float64)
    while open_merits.size and open_merits.max() >= least:
        track, face = np.unravel_index(int(open_merits.argmax()), open_merits.shape)
        pairs.append((int(track), int(face)))
        open_merits[track, :] = open_merits[:, face] = -np.inf
    return pairs


def _boxes(faces: Sequence[Face]) -> Float32Array:
    """Returns the (N, 4) boxes of the faces."""
    return np.array([face.box_xyxy for face in faces], np.float32).reshape(-1, 4)


def _meet(one: Face, other: Face) -> bool:
    """Returns whether one face is so near to the other that it may hide a part of the other.

    Both boxes are extended first, because a half-hidden face has a small box.
    """
    reach = np.array([-_REACH, -_REACH, _REACH, _REACH], np.float32)
    boxes = _boxes([one, other])
    size = np.tile(boxes[:, 2:] - boxes[:, :2], 2)
    grown = boxes + reach * size
    return float(overlaps(grown[:1], grown[1:], Overlap.SMALLER)[0, 0]) > _MEETING
