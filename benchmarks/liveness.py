"""Measures a presentation attack detector on made-up attacks of LFW's photos, and its time a face.

    PYTHONPATH=. python benchmarks/liveness.py --data ../shared/lfw --model antispoof

The photos are those of pairsDevTest, evenly drawn; tests/made_up_attacks.py draws the attacks.
They are neither prints nor screens: the rates show that the machinery works, and nothing else.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np

from facekit.cli.render.evaluation import liveness_text
from facekit.enums import FacePolicy
from facekit.evaluation.protocols.lfw import Protocol, find_lfw, read_protocol
from facekit.pipeline.locate import LocateOptions, Locator
from facekit.tasks.evaluate_liveness import evaluate_liveness
from facekit.tasks.liveness import open_pad_detector
from facekit.tasks.open_pipeline import PipelineRequest
from tests.made_up_attacks import write_made_up

_ROUNDS = 200


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--photos", type=int, default=400)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    lfw = find_lfw(given.data)
    every = read_protocol(lfw, Protocol.DEVTEST).photos
    drawn = np.linspace(0, len(every) - 1, min(given.photos, len(every))).astype(int)
    paths = [lfw.photos_dir / every[index].path for index in drawn]
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "made-up-attacks"
        write_made_up(paths, folder, seed=given.seed)
        request = PipelineRequest(face=FacePolicy.CENTER, build_missing=False)
        print(liveness_text(evaluate_liveness(folder, given.model, request=request)))
    detector = open_pad_detector(given.model, build_missing=False)
    locator = Locator(options=LocateOptions(face_policy=FacePolicy.CENTER))
    (located,) = locator.locate([str(paths[0])])
    spent = []
    for _ in range(_ROUNDS):
        start = time.perf_counter()
        detector.classify(located.picture.pixels, located.selected)
        spent.append((time.perf_counter() - start) * 1e3)
    print(f"a face, one thread: median {np.median(spent):.2f} ms, least {min(spent):.2f} ms")


if __name__ == "__main__":
    main()
