"""How well tracks follow the people of a made-up scene."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from facekit.face.geometry import overlaps
from facekit.video.records import FinishedTrack, Frame, VisibleFace
from facekit.video.tracking import Tracker, best_pairs
from tests.video.clips import FPS, Scene

FOUND = 0.5
"""least IoU of a tracked box with the true one"""


@dataclass(frozen=True)
class Score:
    switches: int
    """times that a person's track number changes (IDSW of the CLEAR MOT measures)"""
    found: float
    """share of the people who can be seen, over all frames, that a track is on"""
    mean_iou: float
    """of those"""
    strays: int
    """boxes on nobody, over all frames, hidden people not counted"""


def run(scene: Scene, tracker: Tracker) -> tuple[list[list[VisibleFace]], list[FinishedTrack]]:
    """The faces in sight in each frame, and the finished tracks."""
    sights, finished = [], []
    for index, pixels in enumerate(scene.pictures()):
        finished += tracker.step(Frame(index, index / FPS, pixels))
        sights.append(tracker.visible)
    return sights, finished + tracker.finish()


def owners(scene: Scene, number: int, faces: Sequence[VisibleFace]) -> dict[int, tuple[int, float]]:
    """person -> (track number, IoU) in one frame"""
    truth = {person: box for person, box in enumerate(scene.truth(number)) if box is not None}
    if not truth or not faces:
        return {}
    people = list(truth)
    near = overlaps(
        np.stack(list(truth.values())), np.stack([seen.face.box_xyxy for seen in faces])
    )
    return {
        people[row]: (faces[column].track, float(near[row, column]))
        for row, column in best_pairs(near, least=FOUND)
    }


def score(scene: Scene, sights: Sequence[Sequence[VisibleFace]]) -> Score:
    switches = expected = strays = 0
    ious: list[float] = []
    latest: dict[int, int] = {}
    for number, faces in enumerate(sights):
        matched = owners(scene, number, faces)
        for person, (track, iou) in matched.items():
            switches += latest.get(person, track) != track
            latest[person] = track
            ious.append(iou)
        truth = scene.truth(number)
        expected += sum(box is not None for box in truth)
        strays += max(len(faces) - len(scene.people), 0)
    return Score(switches, len(ious) / expected, float(np.mean(ious)) if ious else 0.0, strays)
