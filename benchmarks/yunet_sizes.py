"""Which faces YuNet finds on what copy of a picture, and how long that takes.

    python benchmarks/yunet_sizes.py --data lfw

Photos of pairsDevTrain.  Portraits: each photo enlarged, one large face.  Groups: photos side by
side on 1920 x 1280, faces of one size; "extra" are what is found beside them, people in the
background among it.  Times are of whole detections on a machine that may be busy.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import cv2
import numpy as np

from facekit.evaluation.protocols.data_set import lfw_list
from facekit.evaluation.protocols.lfw import Protocol
from facekit.face.geometry import overlaps
from facekit.face.yunet import Yunet, YunetOptions
from facekit.photo.decode import read_image
from facekit.pipeline.locate import LocateOptions, Locator
from facekit.types import Face, Float32Array, UInt8Array

CANVAS = (1280, 1920)
LFW_PX = 250
SCORES = (0.5, 0.6, 0.7, 0.8)


def central(faces: tuple[Face, ...]) -> Float32Array:
    """The box that lies nearest the middle of an LFW photo."""
    boxes: Float32Array = np.stack([face.box_xyxy for face in faces])
    nearest = int(np.abs(boxes[:, :2] + boxes[:, 2:] - LFW_PX).sum(axis=1).argmin())
    return np.asarray(boxes[nearest])


def found_of(
    detector: Yunet, image: UInt8Array, options: YunetOptions, wanted: Float32Array
) -> tuple[int, int]:
    """How many of the boxes (N, 4) are found, and how many others."""
    (faces,) = detector.detect([image], options=options)
    boxes = np.array([face.box_xyxy for face in faces], np.float32).reshape(-1, 4)
    hit = int((overlaps(wanted, boxes).max(axis=1, initial=0) >= 0.4).sum())
    return hit, len(boxes) - hit


def portraits(detector: Yunet, photos: list[UInt8Array], boxes: list[Float32Array]) -> None:
    print("portraits: side of the picture, of the copy; found; ms")
    for side in (500, 1000, 2000):
        for searched in (320, 480, 640, 960):
            hits, spent = 0, 0.0
            for photo, box in zip(photos, boxes, strict=True):
                picture = np.asarray(
                    cv2.resize(photo, (side, side), interpolation=cv2.INTER_CUBIC), np.uint8
                )
                start = time.perf_counter()
                hits += found_of(
                    detector,
                    picture,
                    YunetOptions(search_side_px=searched),
                    box[None] * np.float32(side / LFW_PX),
                )[0]
                spent += time.perf_counter() - start
            print(f"{side:5}{searched:5}  {hits} of {len(photos)}  {spent / len(photos) * 1e3:.1f}")


def groups(detector: Yunet, photos: list[UInt8Array], boxes: list[Float32Array]) -> None:
    print(f"groups: face height in the picture, in the copy; found, extra at scores {SCORES}")
    height = float(np.median([box[3] - box[1] for box in boxes]))
    for cell in (60, 80, 120, 160, 240, 320, 640):
        canvas = np.zeros((*CANVAS, 3), np.uint8)
        wanted = []
        corners = [
            (left, top)
            for top in range(0, CANVAS[0] - cell + 1, cell)
            for left in range(0, CANVAS[1] - cell + 1, cell)
        ]
        for index, (left, top) in enumerate(corners):
            which = index % len(photos)
            canvas[top : top + cell, left : left + cell] = cv2.resize(
                photos[which], (cell, cell), interpolation=cv2.INTER_AREA
            )
            corner = np.array([left, top, left, top], np.float32)
            wanted.append(boxes[which] * np.float32(cell / LFW_PX) + corner)
        for searched in (320, 480, 640, 800, 960, 1280, 0):
            shrink = min((searched or CANVAS[1]) / CANVAS[1], 1.0)
            text = []
            for score in SCORES:
                options = YunetOptions(0.0, score, searched)
                hit, extra = found_of(detector, canvas, options, np.stack(wanted))
                text.append(f"{hit / len(wanted):.3f} +{extra}")
            face_px = height * cell / LFW_PX
            print(f"{face_px:5.0f}{face_px * shrink:5.0f}  of {len(wanted)}: {'  '.join(text)}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--photos", type=int, default=60)
    args = parser.parse_args()
    cv2.setNumThreads(1)
    data_set = lfw_list(args.data, Protocol.DEVTRAIN)
    detector = Locator(options=LocateOptions(detector="yunet")).detector
    assert isinstance(detector, Yunet)
    files = data_set.files_of(data_set.pair_list.photos)
    order = np.random.default_rng(0).permutation(len(files))[: args.photos]
    photos = [read_image(files[index]) for index in order]
    boxes = [central(faces) for faces in detector.detect(photos)]
    portraits(detector, photos, boxes)
    groups(detector, photos, boxes)


if __name__ == "__main__":
    main()
