"""Figures: which there are, what is in them, and that both formats are what they say."""

import xml.etree.ElementTree as ElementTree
from dataclasses import replace

import cv2
import numpy as np
import pytest

from facekit.evaluate.records import EvaluationReport
from facekit.evaluate.report.plots import SERIES_COLOURS, draw_figures, png, svg

pytest.importorskip("matplotlib", reason="needs the plot extra")


def test_figures_by_what_was_measured(made_up: EvaluationReport) -> None:
    assert list(draw_figures(made_up)) == ["roc", "det", "folds", "latency", "scores"]
    bare = replace(made_up.models[0], stages=(), fold_accuracies=(0.9,), fold_thresholds=(0.4,))
    assert list(draw_figures(replace(made_up, models=(bare,)))) == ["roc", "det", "scores"]


def test_the_det_curve_is_the_roc_curve_upside_down(made_up: EvaluationReport) -> None:
    figures = draw_figures(made_up)
    roc_line = figures["roc"].axes[0].lines[0]
    det_line = figures["det"].axes[0].lines[0]
    np.testing.assert_array_equal(roc_line.get_xdata(), det_line.get_xdata())
    inside = roc_line.get_ydata() < 1
    np.testing.assert_allclose(
        1 - roc_line.get_ydata()[inside], det_line.get_ydata()[inside], atol=1e-12
    )
    assert roc_line.get_xdata().min() == 0.5 / 300  # an FMR of 0 stands on the left edge


def test_bars_are_the_folds(made_up: EvaluationReport) -> None:
    bars = draw_figures(made_up)["folds"].axes[0].containers[1]
    heights = [bar.get_height() / 100 for bar in bars]
    assert heights == pytest.approx(made_up.models[1].fold_accuracies)


def test_svg_takes_the_pages_colour_and_keeps_its_ids_apart(made_up: EvaluationReport) -> None:
    element = svg(draw_figures(made_up)["roc"], "roc")
    root = ElementTree.fromstring(element)
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    ids = [node.attrib["id"] for node in root.iter() if "id" in node.attrib]
    assert ids
    assert len(set(ids)) == len(ids)
    assert all(name.startswith("roc-") for name in ids)
    for target in (part.split(")")[0] for part in element.split("url(#")[1:]):
        assert target in ids
    assert "currentColor" in element
    assert "#010203" not in element
    assert SERIES_COLOURS[0] in element
    assert "#ffffff" not in element


def test_drawing_twice_gives_the_same_bytes(made_up: EvaluationReport) -> None:
    first, second = (svg(draw_figures(made_up)["det"], "det") for _ in range(2))
    assert first == second


def test_png_is_black_on_white(made_up: EvaluationReport) -> None:
    pixels = cv2.imdecode(np.frombuffer(png(draw_figures(made_up)["det"]), np.uint8), 1)
    assert pixels is not None
    assert pixels.shape[1] == pytest.approx(5.2 * 160, abs=1)
    assert (pixels[0, 0] == 255).all()
    assert pixels.min() < 10


@pytest.mark.parametrize("colour", SERIES_COLOURS)
@pytest.mark.parametrize("ground", ["#ffffff", "#1d2229"])
def test_series_are_seen_on_both_grounds(colour: str, ground: str) -> None:
    def luminance(code: str) -> float:  # WCAG 2.1
        parts = [int(code[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    darker, lighter = sorted((luminance(colour), luminance(ground)))
    assert (lighter + 0.05) / (darker + 0.05) >= 3.0
