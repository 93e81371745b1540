"""facekit train --validate-on on a small LFW, and what its user has then; Ctrl-C with --json."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner, Result
from numpy.typing import NDArray

from facekit.cli import cli
from facekit.enums import ColorOrder, CropRule, FacePolicy, ResizeFilter
from facekit.evaluation.embeddings import EmbedSettings, PhotoCropper
from facekit.graph.nets import designs as architectures
from facekit.model.card import read_card
from facekit.model.registry import DEFAULT_MODEL
from facekit.model.store import find
from facekit.pipeline.locate import LocateOptions
from facekit.training import checkpoint
from facekit.training.curve import CURVE_NAME, read_curve
from facekit.types import CropSpec, InputSpec
from tests.networks.tiny_training import DESIGNS as TINY
from tests.networks.tiny_training import write_people
from tests.schemas import require_schema
from tests.small_lfw import make_small_lfw

pytestmark = pytest.mark.tensorflow

EACH = 56
"""photos of each of two people: 3,136 impostor pairs, of which FMR 1e-3 needs 3,000"""
SMALL = (
    "--setting",
    "embedding_size=8",
    "--setting",
    "optimizer.name=adam",
    "--batch-size",
    "8",
    "--rate",
    "0.05",
)


@pytest.fixture(scope="module", autouse=True)
def _tiny_graphs() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for architecture, design in TINY.items():
            patch.setitem(architectures.DESIGNS, architecture, design)
        yield


def _run(command: str, *arguments: str | Path | float) -> Result:
    return CliRunner().invoke(cli, [command, *map(str, arguments)])


@pytest.fixture(scope="module")
def lfw(tmp_path_factory: pytest.TempPathFactory, data: Path) -> Path:
    """The small LFW, where pairsDevTrain has 56 photos of each of its two people."""
    folder = make_small_lfw(tmp_path_factory.mktemp("lfw"), data)
    random = np.random.default_rng(3)
    for name in ("Barack_Obama", "Joe_Biden"):
        own = folder / "lfw" / name
        photos = [cv2.imread(str(path)) for path in sorted(own.glob("*.jpg"))]
        for number in range(len(photos) + 1, EACH + 1):
            photo = photos[number % len(photos)]
            assert photo is not None
            height, width = photo.shape[:2]
            small = cv2.resize(photo, (width * 2 // 5, height * 2 // 5))
            changed = small * random.uniform(0.7, 1.1) + random.normal(0, 4, small.shape)
            pixels = np.clip(changed, 0, 255).astype(np.uint8)
            cv2.imwrite(str(own / f"{name}_{number:04d}.jpg"), pixels)
    half = EACH // 2
    genuine = [
        f"{name}\t{n}\t{n + half}"
        for name in ("Barack_Obama", "Joe_Biden")
        for n in range(1, half + 1)
    ]
    impostor = [f"Barack_Obama\t{n}\tJoe_Biden\t{n}" for n in range(1, EACH + 1)]
    lines = [str(EACH), *genuine, *impostor]
    (folder / "pairsDevTrain.txt").write_text("\n".join(lines) + "\n")
    return folder


@pytest.mark.model
def test_validated_on_lfw_the_model_decides_at_once(lfw: Path, data: Path, tmp_path: Path) -> None:
    """The card has thresholds from pairsDevTrain, for the FMRs that its pairs carry."""
    aligned, run = tmp_path / "aligned", tmp_path / "run"
    people = make_small_lfw(tmp_path / "people", data) / "lfw"
    crops = _run("align-dataset", "--data", people, "-o", aligned, "--size", 20, "--margin", 7,
                 "--allow-failed", 0.1)  # fmt: skip
    assert crops.exit_code == 0, crops.stderr
    result = _run("train", "--data", aligned, *SMALL, "--epochs", 3, "--setting",
                  "steps_per_epoch=15", "--validate-on", lfw, "--validate-every", 2, "-o", run,
                  "--json")  # fmt: skip
    assert result.exit_code == 0, result.stderr
    assert "4 of the people trained on are among those of pairsDevTest" in result.stderr
    assert "no threshold for FMR 0.0001" in result.stderr

    told = json.loads(result.stdout)
    require_schema("train", told)
    assert (told["interrupted"], told["resume"]) == (False, None)
    validated = [line for line in read_curve(run / CURVE_NAME) if "lfw_devtest_accuracy" in line]
    assert [line["epoch"] for line in validated] == [2, 3], "every second one, and the last"
    assert told["lfw_devtest_accuracy"] == validated[-1]["lfw_devtest_accuracy"]
    assert told["lfw_devtrain_accuracy"] > 0.9
    assert told["lfw_devtest_accuracy"] <= 7 / 8, "a pair of which one photo has no face is wrong"

    card = read_card(run / "run_float32.json")
    points = {point.target: point for point in card.calibration.operating_points}
    assert set(points) == {"fmr=1e-2", "fmr=1e-3", "best-accuracy"}
    assert points["fmr=1e-3"].n_impostor == EACH * EACH
    assert card.calibration.embedding_mean is not None

    shown = _run("verify", data / "obama.jpg", data / "obama2.jpg", "--model",
                 run / "run_float32.tflite", "--json")  # fmt: skip
    assert shown.exit_code in (0, 1), shown.stderr
    assert json.loads(shown.stdout)["threshold_similarity"] == pytest.approx(
        points["fmr=1e-3"].threshold_similarity
    )
    same = _run("verify", data / "obama.jpg", data / "obama.jpg", "--model",
                run / "run_float32.tflite")  # fmt: skip
    assert same.exit_code == 0, same.stderr


@pytest.mark.model
def test_of_two_faces_the_central_one_is_taken_as_eval_lfw_does(data: Path, tmp_path: Path) -> None:
    """LFW's people stand in the center; somebody larger stands at the edge of this photo."""
    from facekit.training.validate import crop_lfw  # TensorFlow

    folder = make_small_lfw(tmp_path, data)
    name = "Joe_Biden/Joe_Biden_0001.jpg"
    large, small = (
        _of_height(data / f"{one}.jpg", px) for one, px in (("obama", 300), ("biden", 200))
    )
    picture = np.full((500, 800, 3), 128, np.uint8)
    picture[: large.shape[0], : large.shape[1]] = large
    picture[150:350, 300 : 300 + small.shape[1]] = small
    cv2.imwrite(str(folder / "lfw" / name), picture)

    spec = InputSpec(160, 160, ColorOrder.RGB, 127.5, 128.0)
    margin = CropSpec(CropRule.MARGIN, 32.0, ResizeFilter.BILINEAR)
    lfw = crop_lfw(folder, spec, margin, detector="mtcnn")
    index = [photo.path for photo in lfw.plan.photos].index(name)
    taken = {
        policy: PhotoCropper(
            find(DEFAULT_MODEL), EmbedSettings(LocateOptions(face_policy=policy), crop=margin)
        ).crop(folder / "lfw" / name)[0]
        for policy in (FacePolicy.CENTER, FacePolicy.LARGEST)
    }
    assert np.array_equal(lfw.crops[index], taken[FacePolicy.CENTER])
    assert not np.array_equal(lfw.crops[index], taken[FacePolicy.LARGEST])


def _of_height(path: Path, height_px: int) -> NDArray[np.uint8]:
    photo = cv2.imread(str(path))
    assert photo is not None
    height, width = photo.shape[:2]
    return np.asarray(cv2.resize(photo, (round(width * height_px / height), height_px)), np.uint8)


def test_ctrl_c_leaves_json_that_says_how_to_go_on(tmp_path: Path) -> None:
    data, run = write_people(tmp_path / "people"), tmp_path / "a run"

    def interrupt_after_a_checkpoint() -> None:
        deadline = time.monotonic() + 60
        while not checkpoint.saved(run / "checkpoints") and time.monotonic() < deadline:
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)

    user = threading.Thread(target=interrupt_after_a_checkpoint)
    user.start()
    result = _run("train", "--data", data, *SMALL, "--epochs", 500, "-o", run, "--json")
    user.join()
    assert result.exit_code == 130, result.stderr
    told = json.loads(result.stdout)
    require_schema("train", told)
    assert (told["interrupted"], told["model"]) == (True, None)
    assert checkpoint.saved(run / "checkpoints")[-1].stem == f"step-{told['step_count']:09d}"
    assert told["resume"] == f"facekit train -o '{run}' --resume"
    assert told["resume"] in result.stderr
