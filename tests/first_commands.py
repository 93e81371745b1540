"""What a user may type first, where no model is here yet: each command that needs one."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from click.testing import CliRunner

from facekit.cli import cli
from tests.small_lfw import make_small_lfw

OF_THE_DEFAULT_MODEL = {
    ("verify",): "a.jpg b.jpg",
    ("detect",): "--save-crops crops a.jpg",
    ("embed",): "a.jpg -o a.npz",
    ("compare",): "a.jpg b.jpg",
    ("enroll",): "Ada a.jpg --gallery new.db",
    ("identify",): "a.jpg --gallery people.db",
    ("gallery", "recenter"): "--gallery people.db",
    ("cluster",): "lfw",
    ("track",): "video.avi",
    ("evaluate",): "lfw --protocol devtrain",
    ("eval-lfw",): "--data lfw --protocol devtrain",
    ("calibrate",): "--data lfw",
    ("convert",): "-o out",
    ("export",): "--format onnx -o a.onnx",
    ("benchmark",): "--stage embed",
    ("watch",): "lfw --known a.jpg --once",
    ("serve",): "--port 0",
    ("serve-stdin",): "",
    ("bundle",): "--target cpu -o a.tar",
    ("selftest",): "",
}
OF_ANOTHER = {
    ("quality",): "a.jpg",
    ("quantize",): "facenet512-casia -o out",
    ("models", "build"): "facenet512-casia",
    ("models", "fetch"): "facenet512-casia",
    ("align-dataset",): "--data lfw -o out",
    ("train",): "--data aligned --start-from facenet512-casia --config finetune -o run",
    ("data", "fetch"): "lfw -o empty",
}
"""of a model that is named, the detector alone, or photos"""

_MJPG = cv2.VideoWriter.fourcc(*"MJPG")


def prepare(folder: Path, data: Path) -> None:
    """Photos, an LFW and an empty gallery, for the commands to be run in `folder`."""
    make_small_lfw(folder, data)
    (folder / "a.jpg").symlink_to(data / "obama.jpg")
    (folder / "b.jpg").symlink_to(data / "biden.jpg")
    video = cv2.VideoWriter(str(folder / "video.avi"), _MJPG, 10, (64, 48))
    video.write(np.zeros((48, 64, 3), np.uint8))
    video.release()
    made = CliRunner().invoke(cli, ["gallery", "init", "--gallery", str(folder / "people.db")])
    assert made.exit_code == 0, made.stderr
