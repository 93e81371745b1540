"""Faces found by facekit against those of the mtcnn package, photo by photo.

    python benchmarks/detection_parity.py --photos 500

Needs the extra dev, the mtcnn model and LFW (FACEKIT_LFW or ../shared/lfw).
"""

from __future__ import annotations

import argparse
import time

import numpy as np
from peers import Detect, facekit_detector, lfw_photos, mtcnn_package, pixels

from facekit.face.geometry import overlaps
from facekit.types import Face, UInt8Array


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", type=int, default=500)
    parser.add_argument("--show", action="store_true", help="name the photos that differ")
    args = parser.parse_args()

    paths = lfw_photos(args.photos)
    ours, theirs = facekit_detector(), mtcnn_package()
    for detect in (ours, theirs):
        detect(pixels(paths[0]))  # the first call also compiles and allocates

    same_count, ious, landmark_px, score_gaps, our_ms, their_ms = 0, [], [], [], [], []
    for path in paths:
        image = pixels(path)
        mine, my_ms = timed(ours, image)
        peers, peer_ms = timed(theirs, image)
        our_ms.append(my_ms)
        their_ms.append(peer_ms)
        same_count += len(mine) == len(peers)
        if not (mine and peers):
            differs = len(mine) != len(peers)
        else:
            a, b = largest(mine), largest(peers)
            ious.append(float(overlaps(a.box_xyxy[None], b.box_xyxy[None])[0, 0]))
            landmark_px.extend(np.linalg.norm(a.landmarks_xy - b.landmarks_xy, axis=1).tolist())
            score_gaps.append(abs(a.score - b.score))
            differs = len(mine) != len(peers) or ious[-1] < 0.98
        if differs and args.show:
            print(f"{path.name}: {len(mine)} and {len(peers)} faces, IoU {ious[-1]:.3f}")

    share = np.mean(np.array(ious) >= 0.98)
    print(f"LFW photos                          {len(paths)}")
    print(f"same number of faces                {same_count} ({same_count / len(paths):.1%})")
    print(f"largest face: IoU >= 0.98           {share:.1%} of {len(ious)}")
    print(f"largest face: IoU, least            {min(ious):.4f}")
    print(
        f"landmarks apart, px, median / max   {np.median(landmark_px):.4f} / {max(landmark_px):.3f}"
    )
    print(f"score apart, max                    {max(score_gaps):.5f}")
    print(f"facekit, 1 thread, median           {np.median(our_ms):.1f} ms")
    print(f"mtcnn package, its own threads      {np.median(their_ms):.1f} ms")
    print(f"ratio                               {np.median(their_ms) / np.median(our_ms):.1f}x")


def timed(detect: Detect, image: UInt8Array) -> tuple[tuple[Face, ...], float]:
    """The faces, and the milliseconds that they took."""
    start = time.perf_counter()
    faces = detect(image)
    return faces, (time.perf_counter() - start) * 1e3


def largest(faces: tuple[Face, ...]) -> Face:
    return max(faces, key=lambda face: face.area_px)


if __name__ == "__main__":
    main()
