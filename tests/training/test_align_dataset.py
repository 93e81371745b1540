"""A folder a person to crops: done once, gone on with, and what is refused."""

from __future__ import annotations

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from facekit.cli import cli
from facekit.enums import CropRule, ResizeFilter
from facekit.errors import InputError
from facekit.face.align import crop_faces
from facekit.photo.decode import read_image
from facekit.pipeline.locate import Locator
from facekit.training.dataset.aligned import inner_crop
from facekit.types import CropSpec
from tests.schemas import require_schema


@pytest.fixture
def photos(data: Path, tmp_path: Path) -> Path:
    """Two people; one photo that is none, one without a face, one whose crop's name is taken."""
    folder = tmp_path / "photos"
    for person, names in {"barack": ["obama", "obama2"], "joe": ["biden"]}.items():
        (folder / person).mkdir(parents=True)
        for name in names:
            shutil.copyfile(data / f"{name}.jpg", folder / person / f"{name}.jpg")
    (folder / "joe" / "broken.jpg").write_bytes(b"nothing")
    return folder


def _run(photos: str | Path, output: str | Path, *options: str) -> Result:
    words = ("--data", str(photos), "-o", str(output), *options, "--workers", "1")
    return CliRunner().invoke(cli, ["align-dataset", *words])


def _json(result: Result) -> dict[str, Any]:
    payload = json.loads(result.stdout)
    assert isinstance(payload, dict)
    require_schema("align-dataset", payload)
    return payload


@pytest.mark.model
def test_crops_are_those_of_align(photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    result = _run(photos, out, "--json")
    assert result.exit_code == 4, "of the photo that is broken"
    told = _json(result)
    assert (
        told["people_count"],
        told["photo_count"],
        told["aligned_count"],
        told["kept_count"],
    ) == (2, 4, 3, 0)
    assert [one["photo"] for one in told["failed"]] == ["joe/broken.jpg"]
    with (out / "failures.csv").open() as file:
        assert [row[:2] for row in csv.reader(file)] == [
            ["photo", "error"],
            ["joe/broken.jpg", "ImageError"],
        ]
    assert sorted(path.name for path in out.rglob("*.png")) == [
        "biden.png", "obama.png", "obama2.png",
    ]  # fmt: skip
    (located,) = Locator().locate([photos / "joe" / "biden.jpg"])
    spec = CropSpec(CropRule.MARGIN, 44.0, ResizeFilter.BILINEAR)
    wanted = crop_faces(located.picture.pixels, located.selected, spec, height_px=182, width_px=182)
    assert np.array_equal(read_image(out / "joe" / "biden.png"), wanted[0])


@pytest.mark.model
def test_a_second_run_goes_on(photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    _run(photos, out)
    first = (out / "joe" / "biden.png").stat().st_mtime_ns
    (out / "barack" / "obama.png").unlink()
    told = _json(_run(photos, out, "--json"))
    assert (told["aligned_count"], told["kept_count"], len(told["failed"])) == (1, 2, 1)
    assert (out / "joe" / "biden.png").stat().st_mtime_ns == first
    shutil.copyfile(photos / "joe" / "biden.jpg", photos / "joe" / "broken.jpg")
    assert _run(photos, out, "--retry-failed").exit_code == 0
    assert (out / "joe" / "broken.png").is_file()
    told = _json(_run(photos, out, "--json"))
    assert (told["aligned_count"], told["kept_count"], told["failed"]) == (0, 4, [])


@pytest.mark.model
def test_other_settings_are_refused_or_redone(photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    _run(photos, out)
    refused = _run(photos, out, "--margin", "32")
    assert refused.exit_code == 2
    assert "crop" in refused.stderr
    assert "--force" in refused.stderr
    assert _run(photos, out, "--margin", "32", "--force", "--allow-failed", "0.5").exit_code == 0
    assert json.loads((out / "align.json").read_text())["crop"]["margin_px"] == 32


@pytest.mark.model
def test_similarity_crops_have_sphereface_s_sides(photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    _run(photos, out, "--crop", "similarity", "--crop-format", "jpg")
    assert read_image(out / "joe" / "biden.jpg").shape == (128, 112, 3)
    assert inner_crop(out, height_px=112, width_px=96) == CropSpec(
        CropRule.SIMILARITY, 0.0, ResizeFilter.BILINEAR
    )


@pytest.mark.model
def test_the_center_of_a_crop_is_a_crop_of_less_margin(photos: Path, tmp_path: Path) -> None:
    """182 pixels with 44 of margin, cut to 160, have 22: the same box, the same pixels of it."""
    out = tmp_path / "out"
    _run(photos, out)
    assert inner_crop(out, height_px=160, width_px=160) == CropSpec(
        CropRule.MARGIN, 22.0, ResizeFilter.BILINEAR
    )
    assert inner_crop(out, height_px=130, width_px=130) is None, "would cut into the box"
    assert inner_crop(tmp_path, height_px=130, width_px=130) is None
    (located,) = Locator().locate([photos / "joe" / "biden.jpg"])
    (small,) = crop_faces(
        located.picture.pixels,
        located.selected,
        CropSpec(CropRule.MARGIN, 22.0, ResizeFilter.BILINEAR),
        height_px=160,
        width_px=160,
    )
    center = read_image(out / "joe" / "biden.png")[11:-11, 11:-11]
    difference = np.abs(center.astype(float) - small.astype(float))
    assert difference.mean() < 4  # of 255: the box's sides are rounded to whole pixels


@pytest.mark.model
def test_two_photos_of_one_stem_clash(photos: Path, tmp_path: Path) -> None:
    shutil.copyfile(photos / "joe" / "biden.jpg", photos / "joe" / "biden.png")
    told = _json(_run(photos, tmp_path / "out", "--json"))
    assert [one["error"]["type"] for one in told["failed"]] == ["InputError", "ImageError"]


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        pytest.param(("{photos}", "{photos}/out"), 2, "outside", marks=pytest.mark.model),
        pytest.param(("{photos}/joe", "{out}"), 4, "PERSON/PHOTO", marks=pytest.mark.model),
        pytest.param(("{photos}/nobody", "{out}"), 4, "No such file", marks=pytest.mark.model),
        (("{photos}", "{out}", "--size", "8"), 2, "16 to 4096"),
        (("{photos}", "{out}", "--size", "40", "--margin", "44"), 2, "less than the crop's sides"),
        (("{photos}", "{out}", "--face", "all"), 2, "--face all"),
    ],
)
def test_what_cannot_be_meant(
    photos: Path, tmp_path: Path, arguments: tuple[str, ...], code: int, told: str
) -> None:
    out = tmp_path / "out"
    result = _run(*(one.format(photos=photos, out=out) for one in arguments))
    assert (result.exit_code, told in result.stderr) == (code, True), result.stderr
    assert not list(out.rglob("*.png"))


@pytest.mark.model
def test_redo_does_not_touch_a_folder_of_somebody_else(photos: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("x")
    assert _run(photos, tmp_path / "mine", "--force").exit_code == 2
    assert (tmp_path / "mine" / "thesis.txt").exists()


def test_align_json_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "align.json").write_text("[]")
    with pytest.raises(InputError, match=r"align\.json"):
        inner_crop(tmp_path, height_px=16, width_px=16)


@pytest.mark.model
def test_a_killed_run_goes_on(photos: Path, data: Path, tmp_path: Path) -> None:
    for number in range(40):
        shutil.copyfile(data / "obama.jpg", photos / "barack" / f"copy{number}.jpg")
    out = tmp_path / "out"
    options = ("--data", str(photos), "-o", str(out))
    command = [sys.executable, "-m", "facekit", "align-dataset", *options]
    with subprocess.Popen([*command, "--workers", "1"], stderr=subprocess.DEVNULL) as process:
        while process.poll() is None and len(list(out.glob("*/*.png"))) < 3:
            time.sleep(0.005)
        os.kill(process.pid, signal.SIGKILL)
    done = len(list(out.glob("*/*.png")))
    assert 3 <= done < 43
    told = _json(_run(photos, out, "--json"))
    assert told["kept_count"] >= done
    assert told["kept_count"] + told["aligned_count"] == 43
    assert not list(out.rglob("*.part"))
    shapes = {read_image(path).shape for path in out.rglob("*.png")}
    assert shapes == {(182, 182, 3)}, "every crop is whole"
