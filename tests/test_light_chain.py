"""From sources to every file that is made of them, where TensorFlow, Keras and PyTorch are not.

The commands of a chain run one after the other in one process, as Python's import system would
have it on a machine without them; the extra `convert` is there.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from facekit.graph.graph import Graph
from facekit.graph.read.graph_def import read_constants
from facekit.graph.write.torch_file import write_torch_file
from facekit.model import registry
from facekit.model.store import home as stored_at
from tests.networks import sphereface_files
from tests.networks.own_networks import OWN_NETWORKS
from tests.networks.trained_arrays import trained_arrays
from tests.networks.weight_files import write_h5, write_keras_weights
from tests.test_light_imports import python, without

TRAINING = ("tensorflow", "keras", "torch", "tf_keras", "joblib", "lz4", "mtcnn")

pytest.importorskip("ai_edge_quantizer", reason="no ai-edge-quantizer: pip install '.[convert]'")
pytest.importorskip("ethosu", reason="no Vela: pip install '.[convert]'")

CHAIN = f"""{without(TRAINING)}
import json
from facekit.cli import cli
for line in sys.stdin:
    command = json.loads(line)
    try:
        cli.main(command)
    except SystemExit as done:
        code = done.code or 0
    print("exit code", code, *command, file=sys.stderr, flush=True)
print(sorted(set({TRAINING}) & set(sys.modules)))
"""


def run(*commands: str) -> None:
    """Each is to end with exit code 0, or with the one before a colon: "1: verify a.jpg b.jpg"."""
    wanted, typed = [], []
    for command in commands:
        code, colon, words = command.partition(": ")
        wanted.append(int(code) if colon else 0)
        typed.append((words if colon else command).split())
    done = python(CHAIN, stdin="".join(json.dumps(words) + "\n" for words in typed))
    ended = [line for line in done.stderr.splitlines() if line.startswith("exit code")]
    asked = [
        f"exit code {code} {' '.join(words)}" for code, words in zip(wanted, typed, strict=True)
    ]
    assert ended == asked, done.stderr
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.fixture
def folder(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three photos, and a store with the sources that are on this machine and no models."""
    for photo in data.glob("*.jpg"):
        (tmp_path / photo.name).symlink_to(photo)
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "sources").symlink_to(stored_at().absolute() / "sources")
    monkeypatch.setenv("FACEKIT_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("FACEKIT_OFFLINE", "1")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def sources_here() -> list[str]:
    """The registry's models of which the sources are on this machine."""
    folders = {path.parent.name for path in (stored_at() / "sources").glob("*/*")}
    return [name for name in registry.names() if name in folders]


@pytest.mark.model
def test_every_model_is_built_and_answers(folder: Path) -> None:
    embedders = [name for name in sources_here() if registry.entry(name).card.embedding_size]
    detectors = [name for name in sources_here() if name not in embedders]
    run(
        *(f"models build {name}" for name in sources_here()),
        *(
            f"{code}: verify obama.jpg {other}.jpg --model {name} --detector {detector} "
            "--threshold 0.6"
            for name in embedders
            for detector in detectors
            for code, other in ((0, "obama2"), (1, "biden"))
        ),
        "models list",
        "models verify",
        "doctor",
    )


@pytest.mark.parametrize("kind", ["normalized"])
def test_an_own_network_becomes_every_file(kind: str, folder: Path) -> None:
    """Of random weights: what is made is the point, not what it tells apart."""
    OWN_NETWORKS[kind](folder / "own.onnx")
    run(
        "models import own.onnx --as own --preprocessing insightface --accept-untrained",
        "convert own --float32 --float16 --int8 --uint8 --vela -o out --accept-drift "
        "--allow-cpu-fallback",
        "quantize own --recipe dynamic_wi8_afp32 -o out --layers --accept-drift",
        "export own --format onnx -o own32.onnx",
        "export own --format onnx --precision fp16 -o own16.onnx",
        "export own --format onnx --precision int8 -o own8.onnx",
        "models import own32.onnx --as again --preprocessing insightface --accept-untrained",
        "models import out/own_float32.tflite --as copied --preprocessing insightface "
        "--accept-untrained",
        "models export own -o own.tar",
        "inspect out/own_int8.tflite",
        "inspect own32.onnx",
        "compile out/own_int8.tflite --target imx93 -o compiled",
        "benchmark --model own --model out/own_int8.tflite --stage embed --runs 2 --warmup 1",
    )


def test_weights_of_every_format_are_imported_and_written_again(
    facenet: Graph, frozen_graph: Path, folder: Path
) -> None:
    """The default model's own in each, and made-up ones of SphereFace-20."""
    (folder / "a.pb").symlink_to(frozen_graph)
    write_h5(facenet, folder / "a.h5")
    write_keras_weights(facenet, folder / "a.weights.h5")
    sphereface = sphereface_files.random_tensors()
    (folder / "a.caffemodel").write_bytes(sphereface_files.caffe_model(sphereface))
    (folder / "a.pth").write_bytes(write_torch_file(sphereface))
    run(
        *(
            f"models import {file} --as {file.replace('.', '-')}"
            for file in ("a.pb", "a.h5", "a.weights.h5", "a.caffemodel", "a.pth")
        ),
        "export a-pb --format facenet-pytorch -o a.pt",
        "models import a.pt --as again",
        "verify obama.jpg obama2.jpg --model again --threshold 0.6",
        "1: verify obama.jpg biden.jpg --model again --threshold 0.6",
    )


@pytest.mark.tensorflow
def test_a_checkpoint_that_tensorflow_wrote_is_imported(frozen_graph: Path, folder: Path) -> None:
    import tensorflow as tf

    arrays = trained_arrays(read_constants(frozen_graph))
    (folder / "saved").mkdir()
    tf.raw_ops.SaveV2(
        prefix=str(folder / "saved" / "model-1.ckpt-7"),
        tensor_names=list(arrays),
        shape_and_slices=[""] * len(arrays),
        tensors=list(arrays.values()),
    )
    run("models import saved --as saved")
