"""The page: escaping, what it says, and what it shows at first sight."""

import base64
import hashlib
import html
import re
from dataclasses import replace
from html.parser import HTMLParser

import cv2
import numpy as np
import pytest

from facekit.evaluation.metrics.error_rates import ErrorCounts
from facekit.evaluation.metrics.groups import GroupRate
from facekit.evaluation.metrics.operating_points import operating_point
from facekit.evaluation.protocols.plan import ThresholdOrigin
from facekit.evaluation.records import DataSetReport, rate
from facekit.evaluation.report.groups import heat_map
from facekit.evaluation.report.headline import banner, headline
from facekit.evaluation.report.page import ShownDataSet, report_html
from facekit.evaluation.report.plots import draw_figures, svg
from facekit.evaluation.report.worst_errors import (
    ErrorGallery,
    ShownPair,
    worst_false_matches,
    worst_false_non_matches,
)
from tests.evaluation.made_up_photos import whole

FILES = ("report.json", "pairs.csv", "pairs-2.csv")
CROP = cv2.imencode(".jpg", np.full((160, 160, 3), 128, np.uint8))[1].tobytes()


@pytest.fixture(scope="module")
def page(identified: DataSetReport) -> str:
    return whole_page(identified)


def whole_page(*data_sets: DataSetReport) -> str:
    """Everything that a page can hold."""
    pytest.importorskip("matplotlib", reason="needs the plot extra")
    shown = []
    for number, one in enumerate(map(with_all_pairs, data_sets)):
        figures = {
            name: svg(figure, f"{name}{number}") for name, figure in draw_figures(one).items()
        }
        shown.append(ShownDataSet(one, figures, galleries(one)))
    return report_html(whole(*(one.report for one in shown)), shown)


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

    VOID = frozenset({"meta", "link", "img", "br", "input"})

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


def test_one_file_with_one_script_that_asks_for_nothing(made_up: DataSetReport) -> None:
    page = whole_page(made_up, made_up)
    elements = Elements()
    elements.feed(page)
    assert elements.open == []
    assert elements.tags.count("script") == 1
    for name, value in elements.attributes:
        assert not name.startswith("on")
        if name in ("src", "href", "xlink:href"):
            assert value is not None
            assert value.startswith(("data:", "#")) or value in FILES
    assert not re.search(r"url\((?!#)", page)
    assert "@import" not in page
    ids = [value for name, value in elements.attributes if name == "id"]
    assert len(set(ids)) == len(ids)


def test_the_policy_lets_no_other_script_run(page: str) -> None:
    (script,) = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert "default-src 'none'; img-src data:; style-src 'unsafe-inline';" in page
    assert page.count("script-src") == page.count(f"script-src 'sha256-{digest}'") == 1
    assert page.index("Content-Security-Policy") < page.index("<title")


def test_names_from_the_data_are_escaped(page: str, made_up: DataSetReport) -> None:
    assert made_up.title not in page
    assert html.escape(made_up.title, quote=True) in page
    assert page.count("<script") == 1


def test_what_the_page_says(page: str, made_up: DataSetReport) -> None:
    for model in made_up.models:
        assert f"{model.accuracy.value:.2%}" in page
        assert f"{model.accuracy.event_count} of {model.accuracy.trial_count}" in page
    assert "not measurable" in page
    assert "3,000 impostor pairs needed, 300 there" in page
    assert "not one of LFW&#x27;s published lists" in page
    assert f"p = {made_up.comparisons[0].p_value:.3g}" in page
    assert "12,000,000 impostor pairs" in page
    assert "NoFaceError: no face" in page
    assert "Crops as the model sees them: margin, 32 px, bilinear." in page
    assert "300 genuine and 300 impostor ones" in page
    assert "<dt>People</dt><dd>301</dd>" in page
    assert "<dt>Thresholds</dt><dd>chosen for each fold on the other folds</dd>" in page


def test_failures_to_enrol_and_to_acquire_are_those_of_first_and_second_photos(page: str) -> None:
    """The first photo of pair 8 is the first of two pairs, and the second one of a third."""
    rows = dict(re.findall(r'<th scope="row">(Failure [^<]*)</th><td>(.*?)</td>', page))
    assert rows["Failure to enrol"].startswith("0.33%<small>1 of 300</small>")
    assert rows["Failure to acquire"].startswith("0.17%<small>1 of 600</small>")


def test_the_first_thing_is_who_is_right_how_often_and_at_which_cost(
    made_up: DataSetReport,
) -> None:
    model = replace(
        made_up.models[0],
        accuracy=rate(195, 200),
        fmr=rate(1, 100),
        fnmr=rate(4, 100),
        fold_threshold_similarities=(0.4, 0.412),
    )
    shown = re.sub(r"<[^>]+>", "", headline(whole(replace(made_up, models=(model,)))))
    assert shown.startswith("How well facenet tells faces apart\nten folds on")
    for words in (
        "97.5 % (94.3 to 99.2)\nof 200 pairs are judged rightly.",
        "one person from a similarity of 0.400 to 0.412 on: each fold has the best threshold",
        "False match rate 1.00 % (0.03 to 5.45): two people taken for one in 1 of 100 pairs.",
        "False non-match rate 4.00 % (1.10 to 9.93): one person taken for two in 4 of 100.",
    ):
        assert words in shown


def test_one_banner_says_each_caveat_once_and_of_which_data(made_up: DataSetReport) -> None:
    published = replace(made_up, dataset="lfw", list_published_as="pairs.txt", notes=("Mind.",))
    faultless = replace(made_up.models[0], failures=(), tar_at_fmr=())
    assert banner(whole(replace(published, models=(faultless,)))).count("<li>") == 1
    assert banner(whole(replace(published, models=(faultless,), notes=()))) == ""
    shown = banner(whole(made_up, published))
    assert shown.count("<aside") == 1
    assert shown.count("gave no embedding") == 2, "once a model, for both data sets"
    assert "<li><b>ten folds on lfw:</b> Mind.</li>" in shown
    assert "which leaves 1 of 600 pairs out" in shown
    assert (
        "<li>300 pairs of two people are too few to tell a false match rate below 1.00 %" in shown
    )
    assert whole_page(made_up, published).count("<aside") == 1


def test_secondary_rows_are_folded(page: str) -> None:
    table = page[page.index("Models side by side") : page.index("Where the threshold lies")]
    seen, _, folded = table.partition("<details>")
    assert '<th scope="row">FNMR</th>' in seen
    for name in ("AUC", "VAL at FAR", "Time a photo", "SHA-256"):
        assert f'<th scope="row">{name}</th>' in folded


def test_how_to_do_it_again(made_up: DataSetReport) -> None:
    report = replace(
        whole(made_up, made_up),
        command="facekit eval-lfw --data ~/'my <lfw>'",
        versions=(("python", "3.11.7"), ("numpy", "2.0")),
    )
    page = report_html(report, [ShownDataSet(one, {}, []) for one in report.data_sets])
    assert "facekit eval-lfw --data ~/&#x27;my &lt;lfw&gt;&#x27;</code>" in page
    assert "facekit 0.0.0, python 3.11.7, numpy 2.0</dd>" in page
    for name in FILES:
        assert f'<a href="{name}">{name}</a>' in page
    assert "none: made from Python" in bare_page(made_up)


def test_identification_is_told_with_its_intervals(page: str, identified: DataSetReport) -> None:
    for model in identified.models:
        assert model.identification is not None
        closed, opened = model.identification.closed_set, model.identification.open_sets[0]
        low, high = closed.identified[0].ci95
        assert f"{closed.identified[0].rate:.2%}<small>{low:.2%} to {high:.2%}" in page
        assert f"{opened.non_mated_count:,} for strangers" in page
        assert opened.chosen is not None
        assert f"FNIR {opened.chosen.fnir:.2%}, FPIR {opened.chosen.fpir:.2%}" in page
    assert "CMC" in page


def test_groups_are_told_with_a_heat_map_and_without_a_claim(
    page: str, identified: DataSetReport
) -> None:
    for model in identified.models:
        assert model.groups is not None
        for one in model.groups.rates.fnmr:
            assert one.rate is not None
            assert f"{one.error_count:,} of {one.comparison_count:,}" in page
    assert page.count('aria-label="FMR of each pair of groups"') == 2
    assert page.count("<rect ") >= 2 * 9
    assert "no system is shown to be fair" in page


def test_a_cell_without_enough_comparisons_has_no_color() -> None:
    few = GroupRate(("a", "b"), 12, 0, 0.0, (0.0, 0.1), False)
    drawn = heat_map({"a": 1, "b": 1}, [few])
    assert drawn.count("too few") == 2
    assert "fill-opacity" not in drawn
    assert "fill-opacity" in heat_map({"a": 1, "b": 1}, [replace(few, is_enough=True)])


def test_a_threshold_from_the_scored_pairs_is_marked(made_up: DataSetReport) -> None:
    models = tuple(
        replace(model, threshold_origin=ThresholdOrigin.SAME_PAIRS) for model in made_up.models
    )
    page = bare_page(replace(made_up, models=models))
    assert '<small class="warn">chosen on these very pairs: the figures are too good' in page
    assert "too good" not in bare_page(made_up)
