"""The help's defaults are the library's."""

from __future__ import annotations

import re

from click.testing import CliRunner

from facekit.cli import cli
from facekit.face.mtcnn.options import MtcnnOptions
from facekit.face.yunet import YunetOptions


def test_detector_defaults_in_the_help_are_the_detectors() -> None:
    text = re.sub(r"\s+", " ", CliRunner().invoke(cli, ["detect", "--help-all"]).stdout)
    mtcnn, yunet = MtcnnOptions(), YunetOptions()
    thresholds = " ".join(f"{one:g}" for one in mtcnn.stage_thresholds)
    for flag, value in {
        "--min-face": f"mtcnn {mtcnn.min_face_px:g}, yunet {yunet.min_face_px:g}",
        "--min-score": f"{yunet.min_score:g}",
        "--stage-thresholds": thresholds,
        "--scale-factor": f"{mtcnn.scale_factor:g}",
        "--search-side": f"mtcnn {mtcnn.search_side_px}, yunet {yunet.search_side_px}",
    }.items():
        after = text[text.index(f" {flag} ") :]
        assert after[after.index("default: ") :].startswith(f"default: {value}]"), flag
