"""The embedding networks, one crop at a time, one thread: facekit's runtimes beside the peers'.

    .venv-peers/bin/python benchmarks/peer_embedding.py --peers .venv-peers

All compute with the same weights, and must answer alike; they take turns, one run each.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import cv2
import numpy as np
from peers import Row, in_turn, print_rows
from weights_for_peers import deepface_folder, facenet_pytorch_file, load_nms

from facekit.model.store import find
from facekit.runtime.litert import LiteRtNet
from facekit.template.match import unit_length
from facekit.types import Float32Array

Run: TypeAlias = Callable[[Float32Array], Any]
"""Scaled crops (1, H, W, 3) to embeddings (1, D)."""
_TOLERANCE = 1e-4
"""in any number of an embedding of unit length"""


def facenets(peers: Path) -> dict[str, Run]:
    """FaceNet by LiteRT, ONNX Runtime, OpenVINO, deepface's TensorFlow and facenet-pytorch."""
    os.environ |= {"TF_CPP_MIN_LOG_LEVEL": "3", "DEEPFACE_HOME": str(peers)}
    import tensorflow as tf
    import torch
    from deepface.models.facial_recognition.tf.Facenet import InceptionResNetV1

    load_nms(peers)
    from facenet_pytorch import InceptionResnetV1

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    torch.set_num_threads(1)
    model = find("facenet512-casia").path
    keras = InceptionResNetV1(dimension=512)
    keras.load_weights(str(deepface_folder(peers) / "facenet512_weights.h5"))
    net = InceptionResnetV1().eval()
    net.load_state_dict(torch.load(facenet_pytorch_file(peers), weights_only=True))

    def facenet_pytorch(crop: Float32Array) -> Any:
        with torch.no_grad():
            return net(torch.from_numpy(crop.transpose(0, 3, 1, 2).copy())).numpy()

    return {
        "facekit": _litert(model),
        "ONNX Runtime": _onnx_runtime(deepface_folder(peers) / "facenet512_weights.onnx"),
        "OpenVINO": _openvino(model),
        "deepface, TensorFlow": lambda crop: keras(crop, training=False).numpy(),
        "facenet-pytorch": facenet_pytorch,
    }


def sfaces(peers: Path) -> dict[str, Run]:
    """SFace by LiteRT, and by ONNX Runtime and OpenCV on its makers' file.

    That file scales pixels itself, and takes channels first.
    """
    weights = deepface_folder(peers) / "face_recognition_sface_2021dec.onnx"
    card = find("sface").card.input
    session = _onnx_runtime(weights)
    net = cv2.dnn.readNet(str(weights))

    def as_they_take_it(crop: Float32Array) -> Float32Array:
        return np.ascontiguousarray((crop * card.std + card.mean).transpose(0, 3, 1, 2))

    def opencv(crop: Float32Array) -> Any:
        net.setInput(as_they_take_it(crop))
        return net.forward()

    return {
        "facekit": _litert(find("sface").path),
        "ONNX Runtime": lambda crop: session(as_they_take_it(crop)),
        "OpenCV": opencv,
    }


def measure(peers: Path, runs: int) -> list[Row]:
    """Medians in ms a crop.  Raises SystemExit where two do not answer alike."""
    rows = []
    for group, programs, side in (("FaceNet", facenets(peers), 160), ("SFace", sfaces(peers), 112)):
        cv2.setNumThreads(1)
        crop = np.random.default_rng(1).uniform(-1, 1, (1, side, side, 3)).astype(np.float32)
        wanted = unit_length(programs["facekit"](crop))
        for name, run in programs.items():
            off = float(np.abs(unit_length(run(crop)) - wanted).max())
            if off > _TOLERANCE:
                raise SystemExit(f"{name} computes something else than facekit: off by {off:.3g}")
        rows += in_turn(group, programs, [crop] * runs)
    return rows


def _litert(model: Path) -> Run:
    net = LiteRtNet(model, threads=1)
    return lambda crop: np.asarray(net.run(crop)[0])


def _onnx_runtime(path: Path) -> Run:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    (given,) = session.get_inputs()
    return lambda crop: session.run(None, {given.name: crop})[0]


def _openvino(model: Path) -> Run:
    import openvino

    settings = {
        "INFERENCE_NUM_THREADS": 1,
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": "f32",
    }
    compiled = openvino.Core().compile_model(str(model), "CPU", settings)
    request = compiled.create_infer_request()
    return lambda crop: np.array(request.infer([crop])[compiled.output(0)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peers", type=Path, required=True, help="environment of the peers")
    parser.add_argument("--runs", type=int, default=100)
    args = parser.parse_args()
    print_rows(measure(args.peers.absolute(), args.runs), unit="ms")


if __name__ == "__main__":
    main()
