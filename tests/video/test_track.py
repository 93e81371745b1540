"""What one track keeps."""

from __future__ import annotations

import numpy as np

from facekit.types import UInt8Array
from facekit.video.records import Frame, Sample, Span
from facekit.video.track import Track
from tests.video.faces import face

FACE = face(0, 0, 100, 100)
PIXELS: UInt8Array = np.zeros((4, 4, 3), np.uint8)


def frame(index: int) -> Frame:
    return Frame(index, index / 10, PIXELS)


def sample(index: int, quality: float, *direction: float) -> Sample:
    return Sample(index, index / 10, FACE, quality, np.array(direction, np.float32))


def begun() -> Track:
    return Track(1, frame(0), FACE)


def test_spans_break_where_the_face_was_out_of_sight() -> None:
    track = begun()
    track.add_sample(sample(0, 0.5, 1, 0), most=5)
    for index in (0, 1, 2, 7, 8):
        track.seen_in(frame(index))
    done = track.finished(least_detections=1)
    assert done is not None
    assert done.spans == (Span(0, 2), Span(7, 8))
    assert (done.frame_count, done.start_s, done.end_s) == (5, 0.0, 0.8)


def test_the_best_samples_stay_and_are_averaged() -> None:
    track = begun()
    for index, quality in enumerate((0.2, 0.9, 0.4)):
        track.add_sample(sample(index, quality, 1, 0), most=2)
    track.add_sample(sample(9, 0.5, 0, 1), most=2)
    done = track.finished(least_detections=1)
    assert done is not None
    assert (done.best.frame, done.best.quality, done.embedded_face_count) == (1, 0.9, 2)
    np.testing.assert_allclose(done.embedding, [np.sqrt(0.5)] * 2, atol=1e-6)


def test_a_track_wants_faces_that_are_new_or_clearly_better() -> None:
    track = begun()
    assert track.wants(0.01, 0.0, most=2)  # any face is better than none
    track.add_sample(sample(0, 0.5, 1, 0), most=2)
    assert not track.wants(0.9, 0.1, most=2)  # nearly the same picture
    assert track.wants(0.1, 0.4, most=2)
    track.add_sample(sample(4, 0.4, 1, 0), most=2)
    assert not track.wants(0.47, 0.9, most=2)
    assert track.wants(0.49, 0.9, most=2)
    track.rivals.add(begun())
    assert not track.wants(1.0, 2.0, most=2)


def test_a_missed_face_is_carried_on_for_a_while() -> None:
    track = begun()
    track.miss()
    track.miss()
    assert track.in_sight
    track.confirm(FACE)
    track.miss()
    assert track.in_sight  # the count began anew
    track.miss()
    track.miss()
    assert not track.in_sight


def test_beside_a_rival_a_missed_face_is_out_of_sight_at_once() -> None:
    track = begun()
    track.rivals.add(begun())
    track.miss()
    assert not track.in_sight


def test_a_single_detection_is_a_false_alarm() -> None:
    track = begun()
    track.add_sample(sample(0, 0.5, 1, 0), most=5)
    assert track.finished(least_detections=2) is None
    track.confirm(FACE)
    assert track.finished(least_detections=2) is not None
