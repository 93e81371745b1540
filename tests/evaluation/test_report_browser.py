"""The report's page in a real browser: light and dark, wide and narrow, with script and without,
printed, and its threshold moved."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from facekit.evaluation.metrics.error_rates import error_counts
from facekit.evaluation.records import DataSetReport
from tests.evaluation.test_report_html import whole_page
from tests.server.browsing import MEASURE, chromium

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def browser() -> Iterator["Browser"]:
    with chromium() as found:
        yield found


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory, identified: DataSetReport) -> Path:
    path = tmp_path_factory.mktemp("report") / "report.html"
    path.write_text(whole_page(identified))
    return path


@contextmanager
def opened(browser: "Browser", file: Path, **options: Any) -> Iterator["Page"]:
    """The page in a window of its own; it asks for nothing and complains of nothing."""
    context = browser.new_context(**options)
    page = context.new_page()
    asked: list[str] = []
    complaints: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(file.as_uri())
    yield page
    context.close()
    assert [url for url in asked if not url.startswith("data:")] == [file.as_uri()]
    assert complaints == []


@pytest.mark.parametrize("script", [True, False], ids=["script", "no-script"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width_px", [1280, 390, 320])
def test_it_is_shown_without_overflow_faint_text_or_errors(
    browser: "Browser", file: Path, width_px: int, scheme: str, script: bool
) -> None:
    window = {"width": width_px, "height": 900}
    with opened(
        browser, file, viewport=window, color_scheme=scheme, java_script_enabled=script
    ) as page:
        assert page.evaluate(MEASURE) == {"overflow": 0, "faint": [], "unnamed": []}
        images = "() => [...document.images].map((image) => image.naturalWidth)"
        widths = page.evaluate(images)
        assert widths
        assert min(widths) > 0
        ground = page.evaluate("() => getComputedStyle(document.body).backgroundColor")
        assert ground == ("rgb(20, 24, 29)" if scheme == "dark" else "rgb(246, 247, 249)")
        assert page.get_by_role("slider").first.is_visible() is script


def test_the_measurement_sees_a_broken_page(browser: "Browser", file: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.html"
    faults = '<div style="width: 2000px; color: #ddd; background: #fff">wide, faint</div></main>'
    broken.write_text(file.read_text().replace("</main>", faults))
    with opened(browser, broken, viewport={"width": 390, "height": 900}) as page:
        seen = page.evaluate(MEASURE)
    assert seen["overflow"] > 1000
    assert len(seen["faint"]) == 1


def test_a_moved_threshold_has_the_errors_that_the_metrics_count(
    browser: "Browser", file: Path, made_up: DataSetReport
) -> None:
    with opened(browser, file) as page:
        figures = page.locator(".threshold")
        assert figures.count() == len(made_up.models)
        for number, model in enumerate(made_up.models):
            scored = [pair for pair in model.pairs if pair.similarity is not None]
            scores = np.array([pair.similarity for pair in scored], np.float64)
            same = np.array([pair.same for pair in scored])
            figure = figures.nth(number)
            slider = figure.get_by_role("slider")
            name = "Threshold: move it to see the errors of another one"
            assert slider.get_attribute("id") == page.get_by_label(name).nth(number).get_attribute(
                "id"
            )
            for value in ("-0.1", "0.2", "0.394", "0.395", "0.7"):
                slider.fill(value)
                require_errors(figure.locator("output").inner_text(), scores, same, float(value))
            slider.press("ArrowRight")
            require_errors(figure.locator("output").inner_text(), scores, same, 0.701)
            slider.press("Home")
            assert "100.00 %" in figure.locator(".fmr").inner_text()
            slider.press("End")
            assert "0.00 %" in figure.locator(".fmr").inner_text()
            assert figure.locator("output").get_attribute("aria-live") == "polite"
            cut = figure.locator("line.cut")
            assert float(cut.get_attribute("x1") or "nan") == 1000.0


def require_errors(shown: str, scores: Any, same: Any, threshold: float) -> None:
    """Requires the counts of `error_counts`, and its rates to two digits."""
    counts = error_counts(scores, same, threshold)
    assert f"≥ {threshold:.3f}" in shown
    told = re.findall(r"([\d.]+) %\s+([\d,]+) of ([\d,]+) pairs", shown)
    assert [(int(n), int(total)) for _, n, total in told] == [
        (counts.false_matches, counts.n_impostor),
        (counts.false_non_matches, counts.n_genuine),
    ]
    assert [float(rate) for rate, _, _ in told] == pytest.approx(
        [100 * counts.fmr, 100 * counts.fnmr], abs=0.0051
    )


def test_without_script_the_figure_says_what_the_report_says(
    browser: "Browser", file: Path, made_up: DataSetReport
) -> None:
    with opened(browser, file, java_script_enabled=False) as page:
        for number, model in enumerate(made_up.models):
            shown = page.locator(".threshold output").nth(number).inner_text()
            assert f"{100 * model.fmr.value:.2f} %" in shown
            assert f"{model.fnmr.event_count} of {model.fnmr.trial_count} pairs" in shown


def test_an_error_opens_large_by_the_keyboard_without_script(
    browser: "Browser", file: Path
) -> None:
    with opened(browser, file, java_script_enabled=False) as page:
        error = page.locator(".match li").first
        crop, facts = error.locator("img").first, error.locator("details > .names")
        before = crop.bounding_box()
        assert not facts.is_visible()
        error.locator("summary").press("Enter")
        after = crop.bounding_box()
        assert facts.is_visible()
        assert before is not None
        assert after is not None
        assert after["width"] > 2 * before["width"]


@pytest.mark.parametrize("script", [True, False], ids=["script", "no-script"])
def test_a_print_is_light_opens_what_is_folded_and_has_no_slider(
    browser: "Browser", file: Path, script: bool
) -> None:
    with opened(browser, file, color_scheme="dark", java_script_enabled=script) as page:
        page.emulate_media(media="print")
        ground = "() => getComputedStyle(document.body).backgroundColor"
        assert page.evaluate(ground) == "rgb(255, 255, 255)"
        assert not page.get_by_role("slider").first.is_visible()
        assert page.get_by_role("row", name=re.compile("^AUC")).is_visible()
        assert page.locator(".match li details > .names").first.is_visible()
        pages = len(re.findall(rb"/Type\s*/Page\b", page.pdf(format="A4")))
        assert 4 <= pages <= 16, "details and two models' errors begin on pages of their own"
