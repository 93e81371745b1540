"""Writes facekit/model/golden_faces.json.

python -m tests.networks.make_golden_faces graph_final.pb \\
    face_recognition_sface_2021dec_int8bq.onnx

The embeddings are those of OpenCV's DNN module and of ONNX Runtime, which run the files that
facekit converts.  The boxes are facekit's own, of the float32 detectors in its store.
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path

import numpy as np

import facekit.model.golden_faces
from facekit.face.portraits import shipped_portraits, unstretched_faces
from facekit.model import registry
from facekit.model.card import Task
from facekit.pipeline.locate import LocateOptions, Locator
from facekit.runtime.preprocess import model_input
from facekit.template.match import unit_length
from facekit.types import Float32Array, UInt8Array
from tests.networks.independent_nets import OpenCvFaceNet, RuntimeNet


def main(frozen_graph: Path, sface: Path) -> None:
    spec = registry.entry("facenet512-casia").card.input
    facenet = OpenCvFaceNet(frozen_graph).embed(model_input(_crops("facenet512-casia"), spec))
    pixels = _crops("sface").astype(np.float32)  # the file scales itself
    golden = {
        _sha256(frozen_graph): {"embeddings": _rows(facenet, digits=5)},
        _sha256(sface): {"embeddings": _rows(RuntimeNet(sface).run(pixels), digits=5)},
        **{
            registry.entry(name).source.sha256: {"boxes_xyxy": _boxes(name)}
            for name in registry.names()
            if registry.entry(name).task is Task.DETECTION
        },
    }
    path = Path(facekit.model.golden_faces.__file__).with_suffix(".json")
    path.write_text(json.dumps(golden, indent=1) + "\n")


def _crops(name: str) -> UInt8Array:
    card = registry.entry(name).card
    assert card.crop is not None
    return shipped_portraits(card.input, card.crop)


def _boxes(detector: str) -> list[str]:
    locator = Locator(options=LocateOptions(detector=detector))
    faces = [locator.detect([photo])[0] for photo in unstretched_faces()]
    return [_text(only.box_xyxy, digits=4) for (only,) in faces]


def _rows(vectors: Float32Array, *, digits: int) -> list[str]:
    return [_text(vector, digits=digits) for vector in unit_length(vectors)]


def _text(numbers: Float32Array, *, digits: int) -> str:
    return " ".join(f"{number:.{digits}g}" for number in numbers)


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
