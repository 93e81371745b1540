"""The help's defaults are the library's."""

from __future__ import annotations

import re

from click.testing import CliRunner

from facekit.cli import cli
from facekit.face.mtcnn.options import DetectorOptions


def test_detector_defaults_in_the_help_are_the_detectors() -> None:
    text = re.sub(r"\s+", " ", CliRunner().invoke(cli, ["detect", "--help"]).stdout)
    options = DetectorOptions()
    for flag, value in {
        "--min-face": f"{options.min_face_px:g}",
        "--face-thresholds": " ".join(f"{one:g}" for one in options.stage_thresholds),
        "--scale-factor": f"{options.scale_factor:g}",
        "--search-side": str(options.search_side_px),
    }.items():
        after = text[text.index(flag) :]
        assert after[after.index("[default: (") :].startswith(f"[default: ({value})"), flag
