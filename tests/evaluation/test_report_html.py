"""The page: escaping, what it says, and how a real browser lays it out."""

import html
import json
import re
import subprocess
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import cv2
import numpy as np
import pytest

from facekit.evaluation.metrics.error_rates import ErrorCounts
from facekit.evaluation.metrics.operating_points import operating_point
from facekit.evaluation.protocols.plan import ThresholdOrigin
from facekit.evaluation.records import DataSetReport
from facekit.evaluation.report.page import ErrorGallery, ShownDataSet, report_html
from facekit.evaluation.report.plots import draw_figures, svg
from facekit.evaluation.report.worst_errors import (
    ShownPair,
    worst_false_matches,
    worst_false_non_matches,
)
from tests.chromium import CHROMIUM, FLAGS
from tests.evaluation.made_up_photos import whole

CROP = cv2.imencode(".jpg", np.full((160, 160, 3), 128, np.uint8))[1].tobytes()


@pytest.fixture(scope="module")
def page(made_up: DataSetReport) -> str:
    """Everything that a page can hold."""
    pytest.importorskip("matplotlib", reason="needs the plot extra")
    made_up = with_all_pairs(made_up)
    figures = {name: svg(figure, name) for name, figure in draw_figures(made_up).items()}
    return report_html(whole(made_up), [ShownDataSet(made_up, figures, galleries(made_up))])


def bare_page(report: DataSetReport) -> str:
    return report_html(whole(report), [ShownDataSet(report, {}, [])])


def with_all_pairs(made_up: DataSetReport) -> DataSetReport:
    counts = ErrorCounts(0.41, 20_000, 12_000_000, false_matches=12_000, false_non_matches=900)
    point = operating_point(counts, "fmr=1e-3", protocol="all pairs", dataset="made up")
    return replace(
        made_up, models=tuple(replace(model, all_pairs=(point,)) for model in made_up.models)
    )


def galleries(made_up: DataSetReport) -> list[ErrorGallery]:
    return [
        ErrorGallery(
            model.model.label,
            tuple(ShownPair(pair, CROP, CROP) for pair in worst_false_matches(model, 12)),
            tuple(ShownPair(pair, CROP, CROP) for pair in worst_false_non_matches(model, 12)),
            "margin, 32 px, bilinear",
        )
        for model in made_up.models
    ]


class Elements(HTMLParser):
    """Tags, their attributes, and whether every tag that must be closed is."""

    VOID = frozenset({"meta", "link", "img", "br"})

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_one_file_without_scripts_or_addresses(page: str) -> None:
    elements = Elements()
    elements.feed(page)
    assert elements.open == []
    assert "script" not in elements.tags
    for name, value in elements.attributes:
        assert not name.startswith("on")
        if name in ("src", "href", "xlink:href"):
            assert value is not None
            assert value.startswith(("data:", "#"))
    assert not re.search(r"url\((?!#)", page)
    assert "@import" not in page
    ids = [value for name, value in elements.attributes if name == "id"]
    assert len(set(ids)) == len(ids)


def test_names_from_the_data_are_escaped(page: str, made_up: DataSetReport) -> None:
    assert made_up.title not in page
    assert html.escape(made_up.title, quote=True) in page
    assert "<script" not in page


def test_what_the_page_says(page: str, made_up: DataSetReport) -> None:
    for model in made_up.models:
        assert f"{model.accuracy.value:.2%}" in page
        assert f"{model.accuracy.event_count} of {model.accuracy.trial_count}" in page
    assert "not measurable" in page
    assert "3,000 impostor pairs needed, 300 there" in page
    assert "not one of LFW's published lists" in page
    assert f"p = {made_up.comparisons[0].p_value:.3g}" in page
    assert "12,000,000 impostor pairs" in page
    assert "NoFaceError: no face" in page
    assert "Crops as the model sees them: margin, 32 px, bilinear." in page


def test_a_threshold_from_the_scored_pairs_is_marked(made_up: DataSetReport) -> None:
    models = tuple(
        replace(model, threshold_origin=ThresholdOrigin.SAME_PAIRS) for model in made_up.models
    )
    page = bare_page(replace(made_up, models=models))
    assert '<small class="warn">chosen on these very pairs: the figures are too good' in page
    assert "too good" not in bare_page(made_up)


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width_px", [1280, 390, 320])
def test_a_browser_shows_it_without_overflow_or_errors(
    tmp_path: Path, page: str, scheme: str, width_px: int
) -> None:
    seen, console = measure(tmp_path, page, width_px, scheme)
    assert seen["width"] == width_px
    assert seen["overflow"] == 0
    assert seen["images"] > 0
    assert seen["broken"] == 0
    assert seen["dark"] == (scheme == "dark")
    assert console == []


@pytest.mark.browser
def test_the_measurement_sees_a_broken_page(tmp_path: Path, page: str) -> None:
    faults = (
        '<div style="width: 2000px">wide</div><img src="data:image/png;base64,AAAA">'
        "<script>console.error('fault')</script></main>"
    )
    seen, console = measure(tmp_path, page.replace("</main>", faults), 390, "light")
    assert seen["overflow"] > 1000
    assert seen["broken"] == 1
    assert any("fault" in line for line in console)


MEASURE = """
<!DOCTYPE html><body style="margin:0"><script>
const frame = document.createElement("iframe");
frame.style.cssText = "border:0;height:900px;width:WIDTHpx";
frame.srcdoc = PAGE;
frame.onload = () => {
  const inside = frame.contentDocument, root = inside.documentElement;
  const images = [...inside.images];
  document.body.textContent = "SEEN" + JSON.stringify({
    width: frame.contentWindow.innerWidth,
    overflow: Math.max(root.scrollWidth, inside.body.scrollWidth) - root.clientWidth,
    images: images.length,
    broken: images.filter(image => image.naturalWidth === 0).length,
    dark: frame.contentWindow.matchMedia("(prefers-color-scheme: dark)").matches,
  }) + "SEEN";
};
document.body.append(frame);
</script>"""


def measure(
    folder: Path, page: str, width_px: int, scheme: str
) -> tuple[dict[str, int], list[str]]:
    """What a frame of this width holds, and the browser's console lines.

    A frame, since a headless window may not become as narrow as a telephone.
    """
    assert CHROMIUM is not None
    harness = folder / "harness.html"
    quoted = json.dumps(page).replace("</", "<\\/")
    harness.write_text(MEASURE.replace("WIDTH", str(width_px)).replace("PAGE", quoted))
    run = subprocess.run(
        [
            CHROMIUM, "--headless", *FLAGS, "--window-size=1400,1000",
            f"--user-data-dir={folder / 'profile'}", "--enable-logging=stderr",
            f"--blink-settings=preferredColorScheme={0 if scheme == 'dark' else 1}",
            "--virtual-time-budget=10000", "--dump-dom", harness.as_uri(),
        ],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    seen: dict[str, int] = json.loads(html.unescape(run.stdout.split("SEEN")[-2]))
    return seen, [line for line in run.stderr.splitlines() if "CONSOLE" in line]
