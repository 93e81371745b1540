"""What --rotate auto gains on turned photos, and what it costs and changes on others.

    python benchmarks/rotation.py --lfw /path/to/lfw
    python benchmarks/rotation.py --lfw /path/to/lfw --photos 1000

The photos are LFW's of View 1 (the people of pairsDevTrain.txt), drawn at random, each turned by
0, 90, 180 and 270 degrees.  A face counts as found where the nose is within a quarter of the
distance of the eyes from where it is on the upright photo, turned along, and the rotation is right.
A photo whose best face reaches the detector's `upright_score` is not turned; how many do is told
for each turn.
Photos without a face are the upper quarter of the same photos' left border, enlarged.
"""

from __future__ import annotations

import argparse
import random
import time
from pathlib import Path

import cv2
import numpy as np

from facekit.enums import FacePolicy, Rotate
from facekit.errors import NoFaceError
from facekit.face.turn import face_as_given
from facekit.photo.decode import read_image
from facekit.pipeline.locate import LocateOptions, Locator
from facekit.types import Face, UInt8Array

SIDE = 250


def photos_of(lfw: Path, count: int) -> list[UInt8Array]:
    lines = next(lfw.rglob("pairsDevTrain.txt")).read_text().split("\n")[1:]
    people = {line.split("\t")[0] for line in lines if line}
    first = {path.parent.name: path for path in sorted(lfw.rglob("*.jpg"), reverse=True)}
    paths = [first[name] for name in sorted(people & first.keys())]
    random.Random(0).shuffle(paths)
    return [read_image(path) for path in paths[:count]]


def face_of(locator: Locator, photo: UInt8Array) -> Face | None:
    try:
        return locator.locate([photo])[0].selected[0]
    except NoFaceError:
        return None


def is_same(found: Face | None, upright: Face, shape: tuple[int, ...], degrees: int) -> bool:
    if found is None:
        return False
    there = face_as_given(upright, shape, degrees)
    gap = float(np.linalg.norm(found.landmarks_xy[2] - there.landmarks_xy[2]))
    return gap < upright.eye_distance_px / 4 and found.rotation_degrees == degrees


def share_upright(locator: Locator, photos: list[UInt8Array]) -> float:
    """Of the photos, the share that --rotate auto takes as they are."""
    least = locator.options.own_options.upright_score
    return sum(
        any(face.score >= least for face in faces) for faces in locator.detect(photos)
    ) / len(photos)


def timed(locator: Locator, photos: list[UInt8Array]) -> tuple[list[Face | None], float]:
    started = time.process_time()
    faces = [face_of(locator, photo) for photo in photos]
    return faces, (time.process_time() - started) / len(photos) * 1e3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lfw", type=Path, required=True)
    parser.add_argument("--photos", type=int, default=300)
    arguments = parser.parse_args()
    photos = photos_of(arguments.lfw, arguments.photos)
    corners = [photo[: SIDE // 4, : SIDE // 8] for photo in photos]
    faceless = [np.asarray(cv2.resize(corner, (SIDE, SIDE)), np.uint8) for corner in corners]
    for detector in ("mtcnn", "yunet"):
        off, auto = (
            Locator(options=LocateOptions(FacePolicy.CENTER, detector, rotate=rotate))
            for rotate in (Rotate.OFF, Rotate.AUTO)
        )
        upright, off_ms = timed(off, photos)
        again, auto_ms = timed(auto, photos)
        changed = sum(repr(a) != repr(b) for a, b in zip(upright, again, strict=True))
        print(f"{detector}: {len(photos)} upright photos, {changed} of them with another answer")
        print(f"  a photo takes {off_ms:.1f} ms off, {auto_ms:.1f} ms auto")
        print(f"  {share_upright(off, photos):.1%} reach the score of upright faces")
        for degrees in (90, 180, 270):
            given = [np.ascontiguousarray(np.rot90(photo, degrees // 90)) for photo in photos]
            print(f"  turned by {degrees}: {share_upright(off, given):.1%} reach it")
            for name, locator in (("off", off), ("auto", auto)):
                faces, spent_ms = timed(locator, given)
                good = sum(
                    face is not None and is_same(one, face, photo.shape, degrees)
                    for one, face, photo in zip(faces, upright, photos, strict=True)
                )
                some = sum(one is not None for one in faces)
                print(
                    f"  turned by {degrees}, {name}: right {good / len(photos):.1%}, "
                    f"some face {some / len(photos):.1%}, {spent_ms:.1f} ms"
                )
        for name, locator in (("off", off), ("auto", auto)):
            faces, spent_ms = timed(locator, faceless)
            some = sum(one is not None for one in faces)
            print(f"  no face, {name}: {spent_ms:.1f} ms, {some} false faces", flush=True)


if __name__ == "__main__":
    main()
