"""The files of P-, R- and O-Net against the mtcnn package's own nets."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from facekit.runtime.litert import LiteRtNet
from facekit.types import Float32Array
from tests.networks.independent_nets import package_net

NETS = ("pnet", "rnet", "onet")
TOLERANCE = 1e-5
RANDOM_SHAPES = {"pnet": (1, 37, 52, 3), "rnet": (64, 24, 24, 3), "onet": (32, 48, 48, 3)}


@pytest.fixture(params=["random", "real"])
def pictures(request: pytest.FixtureRequest, windows: dict[str, Float32Array]) -> object:
    if request.param == "real":
        return windows
    generator = np.random.default_rng(20160411)
    return {
        net: generator.uniform(-1, 1, shape).astype(np.float32)
        for net, shape in RANDOM_SHAPES.items()
    }


@pytest.mark.tensorflow
@pytest.mark.parametrize("net", NETS)
def test_answers_as_the_package_does(
    detector_files: dict[str, Path], pictures: dict[str, Float32Array], net: str
) -> None:
    theirs = package_net(net, pictures[net])
    ours = LiteRtNet(detector_files[net]).run(pictures[net])
    assert len(theirs) == len(ours)
    for wanted, output in zip(theirs, ours, strict=True):
        np.testing.assert_allclose(output, wanted, atol=TOLERANCE)


def test_real_faces_are_faces(
    detector_files: dict[str, Path], windows: dict[str, Float32Array]
) -> None:
    for net in ("rnet", "onet"):
        probability = LiteRtNet(detector_files[net]).run(windows[net])[-1]
        assert (probability[:, 1] > 0.9).all()
        np.testing.assert_allclose(probability.sum(axis=1), 1, atol=1e-6)


@pytest.mark.parametrize(("height", "width"), [(12, 12), (13, 12), (30, 41), (101, 100)])
def test_proposal_map_has_the_documented_size(
    detector_files: dict[str, Path], height: int, width: int
) -> None:
    boxes, probability = LiteRtNet(detector_files["pnet"]).run(
        np.zeros((1, height, width, 3), np.float32)
    )
    rows, columns = (int(np.ceil((side - 2) / 2)) - 4 for side in (height, width))
    assert boxes.shape == (1, rows, columns, 4)
    assert probability.shape == (1, rows, columns, 2)


def test_outputs_come_in_the_documented_order(detector_files: dict[str, Path]) -> None:
    shapes = {net: [one.shape for one in LiteRtNet(detector_files[net]).outputs] for net in NETS}
    assert shapes == {
        "pnet": [(1, -1, -1, 4), (1, -1, -1, 2)],
        "rnet": [(-1, 4), (-1, 2)],
        "onet": [(-1, 4), (-1, 10), (-1, 2)],
    }
