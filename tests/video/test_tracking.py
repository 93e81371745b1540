"""Who is who, frame by frame: with a scripted detector, then with the real nets."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from facekit.errors import UsageError
from facekit.tasks.track import PipelineVision
from facekit.types import Face, Float32Array, UInt8Array
from facekit.video.records import FinishedTrack, Frame, Identity, Span, TrackOptions
from facekit.video.tracking import Tracker, nobody
from tests.video import clips
from tests.video.clips import Scene
from tests.video.faces import face
from tests.video.scoring import run, score

SAME = 0.458  # similarity at FMR 1e-3 of facenet512-casia
OPTIONS = TrackOptions(key_every=1)
ADA, GRACE, EDITH = 0, 1, 2
Sightings = Sequence[tuple[int, Face]]


class Script:
    """What the detector says on each key frame in turn; a person's embeddings are one axis."""

    def __init__(self, *key_frames: Sightings) -> None:
        self._key_frames = iter(key_frames)
        self._seen: Sightings = ()
        self.embedded = 0

    def detect(self, pixels: UInt8Array) -> tuple[Face, ...]:
        self._seen = next(self._key_frames)
        return tuple(seen for _, seen in self._seen)

    def embed(self, pixels: UInt8Array, faces: Sequence[Face]) -> Float32Array:
        self.embedded += len(faces)
        who = [next(person for person, seen in self._seen if seen is one) for one in faces]
        return np.eye(4, dtype=np.float32)[who]


def played(script: Script, frames: int, **changes: object) -> list[FinishedTrack]:
    """The tracks of a still video, at 10 frames a second, by number."""
    options = replace(OPTIONS, **changes)  # type: ignore[arg-type]
    tracker = Tracker(script, same_similarity=SAME, options=options)
    still = clips.background()
    done = []
    for index in range(frames):
        done += tracker.step(Frame(index, index / 10, still))
    return sorted(done + tracker.finish(), key=lambda track: track.number)


LEFT, NEAR_LEFT, RIGHT = face(100, 100, 200, 230), face(140, 100, 240, 230), face(400, 99, 500, 231)


def test_two_people_who_stand_still() -> None:
    both = [(ADA, LEFT), (GRACE, RIGHT)]
    ada, grace = played(Script(*[both] * 6), 6)
    assert (ada.number, ada.spans, ada.detection_count) == (1, (Span(0, 5),), 6)
    assert (grace.number, grace.spans) == (2, (Span(0, 5),))
    np.testing.assert_allclose(ada.embedding, [1, 0, 0, 0], atol=1e-6)


def test_people_who_swap_places_while_one_hides_the_other_keep_their_numbers() -> None:
    """By place alone, Grace would become Ada."""
    meet = [(ADA, LEFT), (GRACE, NEAR_LEFT)]
    hidden = [(GRACE, LEFT)]
    apart = [(GRACE, LEFT), (ADA, RIGHT)]
    ada, grace = played(Script(meet, meet, hidden, hidden, apart, apart), 6)
    assert (ada.spans, grace.spans) == ((Span(0, 1), Span(4, 5)), (Span(0, 5),))
    np.testing.assert_allclose(grace.embedding, [0, 1, 0, 0], atol=1e-6)


def test_faces_side_by_side_are_told_apart_by_likeness() -> None:
    """10 px between their boxes: a face half hidden has a smaller box, which overlaps none."""
    beside = face(210, 100, 310, 230)
    before, after = [(ADA, LEFT), (GRACE, beside)], [(GRACE, LEFT), (ADA, beside)]
    ada, grace = played(Script(before, before, after, after), 4)
    np.testing.assert_allclose(ada.embedding, [1, 0, 0, 0], atol=1e-6)
    assert (ada.frame_count, grace.frame_count) == (4, 4)
    assert ada.best.face is LEFT


def test_nobody_new_begins_half_covered_beside_a_rival() -> None:
    """EDITH's axis stands for what half of Ada's face looks like."""
    meet = [(ADA, LEFT), (GRACE, NEAR_LEFT)]
    half = [(GRACE, NEAR_LEFT), (EDITH, LEFT)]
    apart = [(GRACE, NEAR_LEFT), (ADA, RIGHT)]
    ada, grace = played(Script(meet, half, half, apart, apart), 5)
    assert (ada.spans, grace.spans) == ((Span(0, 0), Span(3, 4)), (Span(0, 4),))


def test_a_face_that_turns_away_and_looks_unlike_stays_in_its_place() -> None:
    (ada,) = played(Script(*[[(ADA, LEFT)]] * 3, *[[(EDITH, LEFT)]] * 3), 6)
    assert ada.frame_count == 6


@pytest.mark.parametrize(("away", "tracks"), [(15, 1), (25, 2)])
def test_who_comes_back_in_time_continues_the_track(away: int, tracks: int) -> None:
    there: Sightings = [(ADA, LEFT)]
    elsewhere: Sightings = [(ADA, RIGHT)]
    script = Script(there, there, *[()] * away, elsewhere, elsewhere)
    assert len(played(script, away + 4, longest_gap_s=2.0)) == tracks


def test_a_face_is_carried_for_two_key_frames_without_being_detected() -> None:
    there: Sightings = [(ADA, LEFT)]
    (ada,) = played(Script(there, there, (), (), (), ()), 6)
    assert ada.spans == (Span(0, 3),)


def test_a_low_score_continues_a_track_and_begins_none() -> None:
    weak = face(*LEFT.box_xyxy.tolist(), score=0.75)
    alarm = Script(*[[(ADA, weak)]] * 4)
    assert played(alarm, 4) == []
    assert alarm.embedded == 0  # it costs nothing either
    (ada,) = played(Script([(ADA, LEFT)], *[[(ADA, weak)]] * 4), 5)
    assert ada.detection_count == 5


def test_who_is_detected_once_is_not_reported() -> None:
    assert played(Script([(ADA, LEFT)], *[()] * 5), 6) == []
    assert len(played(Script([(ADA, LEFT)], *[()] * 5), 6, least_detections=1)) == 1


def test_a_track_is_reported_as_soon_as_it_is_over() -> None:
    script = Script(*[[(ADA, LEFT)]] * 2, *[()] * 40)
    tracker = Tracker(script, same_similarity=SAME, options=OPTIONS)
    over = [len(tracker.step(Frame(n, n / 10, clips.background()))) for n in range(42)]
    assert over.index(1) == 24  # carried up to 0.3 s, then 2 s out of sight
    assert sum(over) == 1
    assert tracker.finish() == []


def test_a_face_at_rest_is_embedded_a_few_times_only() -> None:
    script = Script(*[[(ADA, LEFT)]] * 100)
    (ada,) = played(script, 100)
    assert ada.embedded_face_count == script.embedded == OPTIONS.embedded_faces


def test_memory_does_not_grow_with_the_video() -> None:
    """Somebody new every 3 s, 1 s in sight."""
    small: UInt8Array = np.random.default_rng(0).integers(0, 255, (48, 64, 3), np.uint8)
    there = face(10, 10, 30, 30)
    key_frames = [[(n // 30 % 3, there)] if n % 30 < 10 else [] for n in range(3000)]
    options = replace(OPTIONS, longest_gap_s=0.5)
    tracker = Tracker(Script(*key_frames), same_similarity=SAME, options=options)
    used = []
    tracemalloc.start()
    for index in range(3000):
        tracker.step(Frame(index, index / 10, small))
        if index in (599, 2999):
            gc.collect()
            used.append(tracemalloc.get_traced_memory()[0])
    tracemalloc.stop()
    assert used[1] - used[0] < 100_000  # the 80 tracks in between take up twice as much


def test_the_name_is_that_of_the_mean_of_the_samples() -> None:
    asked: list[Float32Array] = []

    def namer(embedding: Float32Array) -> Identity:
        asked.append(embedding)
        return Identity("Ada", float(embedding[ADA]))

    script = Script(*[[(ADA, LEFT)]] * 5, *[[(GRACE, LEFT)]] * 5)
    tracker = Tracker(script, same_similarity=SAME, options=OPTIONS, namer=namer)
    for index in range(10):
        tracker.step(Frame(index, index / 10, clips.background()))
    (seen,) = tracker.visible
    (track,) = tracker.finish()
    assert seen.identity == track.identity == Identity("Ada", pytest.approx(np.sqrt(0.5)))  # type: ignore[arg-type]
    np.testing.assert_array_equal(asked[-1], track.embedding)
    assert nobody(track.embedding) == Identity(None, None)


@pytest.mark.parametrize(
    "change",
    [{"key_every": 0}, {"longest_gap_s": -1.0}, {"least_detections": 0}, {"start_score": 1.5}],
)
def test_options_that_cannot_be_meant(change: dict[str, float]) -> None:
    with pytest.raises(UsageError, match="Received"):
        replace(OPTIONS, **change)  # type: ignore[arg-type]


@pytest.mark.model
class TestRealNets:
    """Scenes of known truth; numbers of the commit that brought them: all found, IoU 0.93."""

    @pytest.mark.parametrize(
        ("scene", "every", "least_found"),
        [
            pytest.param(clips.PAN, 5, 1.0, id="pan"),
            pytest.param(clips.ZOOM, 5, 1.0, id="zoom"),
            pytest.param(clips.OCCLUSION, 5, 0.95, id="occlusion"),
            pytest.param(clips.CROSSING, 1, 0.97, id="crossing, every frame"),
            pytest.param(clips.CROSSING, 3, 0.97, id="crossing, every 3"),
            pytest.param(clips.CROSSING, 5, 0.97, id="crossing, every 5"),
            pytest.param(clips.CROSSING, 10, 0.97, id="crossing, every 10"),
        ],
    )
    def test_everybody_keeps_one_number(
        self, vision: PipelineVision, scene: Scene, every: int, least_found: float
    ) -> None:
        options = TrackOptions(key_every=every)
        sights, tracks = run(scene, Tracker(vision, same_similarity=SAME, options=options))
        result = score(scene, sights)
        assert result.switches == 0
        assert len(tracks) == len(scene.people)
        assert result.found >= least_found
        assert result.mean_iou > 0.9
        assert result.strays == 0

    def test_by_place_alone_the_people_who_cross_are_mixed_up(self, vision: PipelineVision) -> None:
        """What likeness is for: the test above can fail."""
        sights, tracks = run(clips.CROSSING, Tracker(vision, same_similarity=2.0))
        assert score(clips.CROSSING, sights).switches > 0 or len(tracks) > 2

    def test_the_best_face_is_the_nearest_one(self, vision: PipelineVision) -> None:
        _, (track,) = run(clips.ZOOM, Tracker(vision, same_similarity=SAME))
        assert track.best.frame > 50
        assert track.best.face.width_px > 110

    def test_an_empty_scene_has_no_track(self, vision: PipelineVision) -> None:
        sights, tracks = run(Scene((), frames=10), Tracker(vision, same_similarity=SAME))
        assert tracks == []
        assert not any(sights)
