"""What is dear and shared: source weights, the graphs read from them, and the files built."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from facekit.graph.graph import Graph
from facekit.graph.read.facenet_pb import read_frozen_graph
from facekit.model import registry
from facekit.model.fetch import fetch
from facekit.types import Float32Array

BOXES_XYXY = {
    "obama.jpg": (371, 83, 615, 425),
    "obama2.jpg": (199, 218, 469, 632),
    "biden.jpg": (433, 170, 716, 559),
}
"""The face in each photo of tests/data, as the mtcnn package finds it."""


@pytest.fixture(scope="session")
def frozen_graph() -> Path:
    """The default model's source weights, fetched once into FACEKIT_HOME."""
    return fetch(registry.entry("facenet512-casia"))[0]


@pytest.fixture(scope="session")
def wheel() -> Path:
    """The mtcnn package's wheel, fetched once into FACEKIT_HOME."""
    return fetch(registry.entry("mtcnn"))[0]


@pytest.fixture(scope="session")
def sface_source() -> Path:
    """SFace's ONNX file, fetched once into FACEKIT_HOME."""
    return fetch(registry.entry("sface"))[0]


@pytest.fixture(scope="session")
def yunet_source() -> Path:
    """YuNet's ONNX file, fetched once into FACEKIT_HOME."""
    return fetch(registry.entry("yunet"))[0]


@pytest.fixture(scope="session")
def facenet(frozen_graph: Path) -> Graph:
    """The embedding net with the default weights, its batch norms by name."""
    return read_frozen_graph(frozen_graph).graph


@pytest.fixture(scope="session")
def facenet_file(frozen_graph: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The default model as build_files makes it, its card beside it."""
    from facekit.conversion.build import build_files

    folder = tmp_path_factory.mktemp("facenet")
    entry = registry.entry("facenet512-casia")
    return build_files(entry, [frozen_graph], folder)[0]


@pytest.fixture(scope="session")
def sface_file(sface_source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """SFace as build_files makes it, its card beside it."""
    from facekit.conversion.build import build_files

    folder = tmp_path_factory.mktemp("sface")
    return build_files(registry.entry("sface"), [sface_source], folder)[0]


@pytest.fixture(scope="session")
def yunet_file(yunet_source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """YuNet as build_files makes it, its card beside it."""
    from facekit.conversion.build import build_files

    folder = tmp_path_factory.mktemp("yunet")
    return build_files(registry.entry("yunet"), [yunet_source], folder)[0]


@pytest.fixture(scope="session")
def detector_files(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """MTCNN as build_files makes it, by net, the cards beside."""
    from facekit.conversion.build import build_files

    folder = tmp_path_factory.mktemp("mtcnn")
    build_files(registry.entry("mtcnn"), [wheel], folder)
    return {net: folder / f"mtcnn_{net}.tflite" for net in ("pnet", "rnet", "onet")}


@pytest.fixture(scope="session")
def people(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Made-up people whom tiny_training.py trains on.  Not to be changed."""
    from tests.networks.tiny_training import write_people

    return write_people(tmp_path_factory.mktemp("people"))


@pytest.fixture(scope="session")
def whole(people: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a tiny run from beginning to end.  Not to be changed."""
    from tests.networks.tiny_training import run_tiny

    folder = tmp_path_factory.mktemp("runs") / "whole"
    run_tiny(people, folder)
    return folder


@pytest.fixture(scope="session")
def crops(data: Path) -> Float32Array:
    """Three real faces as input of the default model: (3, 160, 160, 3) float32."""
    return np.stack([_scaled(_face(data / name), 160, 160) for name in BOXES_XYXY])


@pytest.fixture(scope="session")
def windows(data: Path) -> dict[str, Float32Array]:
    """Real input of each of MTCNN's nets: a whole photo, three faces, three faces."""
    photo = cv2.imread(str(data / "obama.jpg"))
    assert photo is not None
    return {
        "pnet": _scaled(photo, 182, 227)[None],
        "rnet": np.stack([_scaled(_face(data / name), 24, 24) for name in BOXES_XYXY]),
        "onet": np.stack([_scaled(_face(data / name), 48, 48) for name in BOXES_XYXY]),
    }


def _face(path: Path) -> cv2.typing.MatLike:
    photo = cv2.imread(str(path))
    assert photo is not None
    x1, y1, x2, y2 = BOXES_XYXY[path.name]
    return photo[y1:y2, x1:x2]


def _scaled(bgr: cv2.typing.MatLike, width: int, height: int) -> Float32Array:
    rgb = cv2.resize(bgr, (width, height), interpolation=cv2.INTER_AREA)[..., ::-1]
    return np.asarray((rgb.astype(np.float32) - 127.5) / 128, np.float32)
