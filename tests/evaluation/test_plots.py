"""Figures: which there are, what is in them, and that both formats are what they say."""

import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from facekit.evaluation.records import DataSetReport
from facekit.evaluation.report.plots import SERIES_COLORS, draw_figures, png, svg
from facekit.evaluation.summary import with_discard

pytest.importorskip("matplotlib", reason="needs the plot extra")


def test_figures_by_what_was_measured(made_up: DataSetReport) -> None:
    assert list(draw_figures(made_up)) == ["roc", "det", "folds", "latency", "scores"]
    bare = replace(
        made_up.models[0], stages=(), fold_accuracies=(0.9,), fold_threshold_similarities=(0.4,)
    )
    assert list(draw_figures(replace(made_up, models=(bare,)))) == ["roc", "det", "scores"]


def test_the_discard_curve_is_there_where_quality_was_measured(made_up: DataSetReport) -> None:
    """Of a quality that is the similarity itself, so that the worst pairs go first."""
    (model, *others) = made_up.models
    worth = {path: 0.0 for pair in model.pairs for path in (pair.a, pair.b)}
    for pair in model.pairs:
        if pair.similarity is not None and pair.same:
            worth[pair.a] = worth[pair.b] = 50 + 50 * pair.similarity
    rated = with_discard(model, worth)
    rates = [point.fnmr for point in rated.error_versus_discard]
    assert rates[0] == model.fnmr.value > rates[-1]
    figures = draw_figures(replace(made_up, models=(rated, *others)))
    (line,) = figures["discard"].axes[0].lines
    np.testing.assert_allclose(line.get_ydata(), 100 * np.array(rates))
    assert with_discard(model, dict.fromkeys(worth, np.nan)) is model


def test_the_det_curve_is_the_roc_curve_upside_down(made_up: DataSetReport) -> None:
    figures = draw_figures(made_up)
    roc_line = figures["roc"].axes[0].lines[0]
    det_line = figures["det"].axes[0].lines[0]
    np.testing.assert_array_equal(roc_line.get_xdata(), det_line.get_xdata())
    inside = roc_line.get_ydata() < 1
    np.testing.assert_allclose(
        1 - roc_line.get_ydata()[inside], det_line.get_ydata()[inside], atol=1e-12
    )
    assert roc_line.get_xdata().min() == 0.5 / 300  # an FMR of 0 stands on the left edge


def test_bars_are_the_folds(made_up: DataSetReport) -> None:
    bars = draw_figures(made_up)["folds"].axes[0].containers[1]
    heights = [bar.get_height() / 100 for bar in bars]
    assert heights == pytest.approx(made_up.models[1].fold_accuracies)


def test_svg_takes_the_pages_color_and_keeps_its_ids_apart(made_up: DataSetReport) -> None:
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
    assert SERIES_COLORS[0] in element
    assert "#ffffff" not in element


def _picture(figure: Any) -> NDArray[np.uint8]:
    """(H, W, 3) RGB of the PNG file."""
    pixels = cv2.imdecode(np.frombuffer(png(figure), np.uint8), cv2.IMREAD_COLOR_RGB)
    assert pixels is not None
    return np.asarray(pixels, np.uint8)


def _ink(picture: NDArray[np.uint8], color: str) -> NDArray[np.bool_]:
    """(H, W): the pixels of this color."""
    wanted = np.array([int(color[i : i + 2], 16) for i in (1, 3, 5)])
    return np.asarray(np.abs(picture.astype(int) - wanted).max(2) < 12)


def _at(figure: Any, picture: NDArray[np.uint8], x: float, y: float) -> tuple[int, int]:
    """Row and column of a point of the first axes."""
    scale = picture.shape[1] / figure.bbox.width
    across, up = figure.axes[0].transData.transform((x, y)) * scale
    return picture.shape[0] - round(up), round(across)


@pytest.mark.parametrize("name", ["roc", "det", "folds", "latency", "scores"])
def test_other_data_are_another_picture(name: str, made_up: DataSetReport) -> None:
    """Ink moves with the data, not with the letters alone."""
    first = made_up.models[0]
    worse = replace(
        first,
        pairs=tuple(
            replace(pair, similarity=None if pair.similarity is None else pair.similarity / 2)
            if pair.same
            else pair
            for pair in first.pairs
        ),
        fold_accuracies=tuple(share - 0.1 for share in first.fold_accuracies),
        stages=tuple(replace(stage, median_ms=30 / stage.median_ms) for stage in first.stages),
    )
    before, after = (
        _picture(draw_figures(replace(made_up, models=(model,)))[name]) for model in (first, worse)
    )
    assert before.shape == after.shape
    color = SERIES_COLORS[2 if name == "scores" else 0]
    weak = 0.65 if name == "scores" else 1.0  # histograms let the other kind shine through
    seen = [_ink(one, _mixed(color, weak)) for one in (before, after)]
    for ink in seen:
        assert ink.sum() > 300
    assert (seen[0] ^ seen[1]).sum() > 0.2 * seen[0].sum()


def _mixed(color: str, share: float) -> str:
    """The color on white, so much of it."""
    parts = [int(color[i : i + 2], 16) for i in (1, 3, 5)]
    return "#" + "".join(f"{round(255 - share * (255 - part)):02x}" for part in parts)


def test_each_fold_s_bar_ends_at_its_accuracy(made_up: DataSetReport) -> None:
    figure = draw_figures(made_up)["folds"]
    picture = _picture(figure)
    for number, bars in enumerate(figure.axes[0].containers):
        for bar, share in zip(bars, made_up.models[number].fold_accuracies, strict=True):
            middle = bar.get_x() + bar.get_width() / 2
            top, column = _at(figure, picture, middle, 100 * share)
            ink = _ink(picture[:, column : column + 1], SERIES_COLORS[number])[:, 0]
            # The folds' means are dashed lines across all bars.
            assert ink[top + 2 : top + 32].mean() > 0.7, "filled below the top"
            assert ink[top - 32 : top - 2].mean() < 0.3, "and not above it"


def test_the_roc_curve_of_each_model_is_where_its_rates_are(made_up: DataSetReport) -> None:
    """The dot that marks the pairs as they were scored is of the model's color."""
    figure = draw_figures(made_up)["roc"]
    picture = _picture(figure)
    for model, color in zip(made_up.models, SERIES_COLORS, strict=False):
        row, column = _at(figure, picture, model.fmr.value, 1 - model.fnmr.value)
        assert _ink(picture[row - 3 : row + 4, column - 3 : column + 4], color).any()


def test_drawing_twice_gives_the_same_bytes(made_up: DataSetReport) -> None:
    first, second = (svg(draw_figures(made_up)["det"], "det") for _ in range(2))
    assert first == second


def test_png_is_black_on_white(made_up: DataSetReport) -> None:
    pixels = cv2.imdecode(np.frombuffer(png(draw_figures(made_up)["det"]), np.uint8), 1)
    assert pixels is not None
    assert pixels.shape[1] == pytest.approx(5.2 * 160, abs=1)
    assert (pixels[0, 0] == 255).all()
    assert pixels.min() < 10


@pytest.mark.parametrize("color", SERIES_COLORS)
@pytest.mark.parametrize("ground", ["#ffffff", "#1d2229"])
def test_series_are_seen_on_both_grounds(color: str, ground: str) -> None:
    def luminance(code: str) -> float:  # WCAG 2.1
        parts = [int(code[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    darker, lighter = sorted((luminance(color), luminance(ground)))
    assert (lighter + 0.05) / (darker + 0.05) >= 3.0
