"""Aligning a folder a person as a function: by one process and by many, crashes included."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from facekit.cli import cli
from facekit.enums import CropRule, FacePolicy
from facekit.errors import ImageError, UsageError
from facekit.photo.decode import read_image
from facekit.pipeline.locate import LocateOptions
from facekit.tasks.align_dataset import align_dataset


@pytest.fixture
def photos(data: Path, tmp_path: Path) -> Path:
    """Two people with a photo each, and one file that is none."""
    folder = tmp_path / "photos"
    for person in ("obama", "biden"):
        (folder / person).mkdir(parents=True)
        shutil.copyfile(data / f"{person}.jpg", folder / person / "1.jpg")
    (folder / "biden" / "broken.jpg").write_bytes(b"nothing")
    return folder


@pytest.mark.model
def test_workers_make_what_one_process_makes(photos: Path, tmp_path: Path) -> None:
    one, two = (tmp_path / name for name in ("one", "two"))
    reports = [align_dataset(photos, out, workers=n) for out, n in ((one, 1), (two, 2))]
    for report in reports:
        assert (
            report.people_count,
            report.photo_count,
            report.aligned_count,
            report.kept_count,
        ) == (2, 3, 2, 0)
    assert reports[0].to_dict()["failed"] == reports[1].to_dict()["failed"]
    (failure,) = reports[0].failures
    assert (failure.name, type(failure.error)) == ("biden/broken.jpg", ImageError)
    assert str(photos / "biden" / "broken.jpg") in str(failure.error)
    for name in ("obama/1.png", "biden/1.png"):
        assert np.array_equal(read_image(one / name), read_image(two / name))
    assert (one / "failures.csv").read_bytes() == (two / "failures.csv").read_bytes()


@pytest.mark.model
def test_the_report_is_the_commands_json(photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    report = align_dataset(photos, out, crop=CropRule.SIMILARITY, margin_px=10.0)
    settings = json.loads((out / "align.json").read_text())
    assert settings["crop"] == {"rule": "similarity", "margin_px": 10, "resize_filter": "bilinear"}
    assert (settings["height_px"], settings["width_px"]) == (128, 112)
    again = align_dataset(photos, out, crop=CropRule.SIMILARITY, margin_px=10.0)
    assert (again.aligned_count, again.kept_count) == (0, report.aligned_count)
    shown = CliRunner().invoke(
        cli,
        [
            "align-dataset",
            "--data",
            str(photos),
            "-o",
            str(out),
            "--crop",
            "similarity",
            "--margin",
            "10",
            "--json",
        ],
    )
    assert shown.exit_code == 4, "of the photo that is none"
    assert json.loads(shown.stdout) == {"schema_version": 1, **again.to_dict()}


def test_all_faces_of_a_photo_cannot_be_aligned(photos: Path, tmp_path: Path) -> None:
    everybody = LocateOptions(face_policy=FacePolicy.ALL)
    with pytest.raises(UsageError, match="--face all"):
        align_dataset(photos, tmp_path / "out", locate=everybody)
