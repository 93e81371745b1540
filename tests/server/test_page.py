"""The page of facekit serve, used by hand and keyboard in a real browser."""

from __future__ import annotations

import base64
import re
from pathlib import Path

import numpy as np
import pytest

from facekit.enums import CropRule, ResizeFilter
from facekit.face.align import crop_faces
from facekit.photo.decode import read_image
from facekit.photo.reading import NamedBytes
from facekit.types import CropSpec, Face
from tests.server.browsing import Visit
from tests.server.service import Service

pytest.importorskip("playwright", reason="needs the dev extra")
pytest.importorskip("starlette", reason="needs the serve extra")
pytestmark = [pytest.mark.browser, pytest.mark.model]

HOSTILE = "<img src=x onerror=alert(1)><script>alert(2)</script>"


def similarity(text: str) -> float:
    found = re.search(r"the similarity (-?\d\.\d{3})", text.replace("\u2212", "-"))
    assert found, text
    return float(found[1])


def test_two_photos_are_compared_as_the_service_does(
    seen: Visit, served: Service, photos: Path
) -> None:
    seen.choose("First photo", photos / "obama.jpg")
    seen.choose("Second photo", photos / "obama2.jpg")
    text = seen.verdict("Match")
    form = ("img1", photos / "obama.jpg"), ("img2", photos / "obama2.jpg")
    answer = served.post_form("/verify", *form).json
    assert answer["verified"]
    assert similarity(text) == pytest.approx(answer["similarity"], abs=6e-4)
    assert f"the cut at {answer['threshold_similarity']:.3f}" in text
    assert "False match rate at this cut: 0.1 % (1 in 1,000), measured on 5,923,194 pairs" in text
    chart = seen.region("Result").locator("svg")
    assert f"the cut is {answer['threshold_similarity']:.3f}" in (
        chart.get_attribute("aria-label") or ""
    )
    lines = chart.evaluate("""(svg) => Object.fromEntries([".cut", ".score"].map((name) =>
        [name, Number(svg.querySelector(`line${name}`).getAttribute("x1"))]))""")
    assert lines[".cut"] < lines[".score"]


def test_another_face_is_meant_by_a_click(seen: Visit, served: Service, photos: Path) -> None:
    seen.choose("First photo", photos / "group.jpg")
    seen.choose("Second photo", photos / "obama2.jpg")
    assert "below the cut" in seen.verdict("No match"), "the largest face is Biden's"
    faces = seen.region("First photo").get_by_role("button", name=re.compile("^Face . of 2"))
    assert faces.count() == 2
    (other,) = (n for n in (0, 1) if faces.nth(n).get_attribute("aria-pressed") == "false")
    faces.nth(other).click()
    text = seen.verdict("Match")
    form = [("photos", photos / f"{name}.jpg") for name in ("group", "obama2")]
    compared = served.post_form("/compare", *form, ("face", "all")).json
    assert similarity(text) == pytest.approx(compared["similarity"][other][2], abs=6e-4)
    assert faces.nth(other).get_attribute("aria-pressed") == "true"


@pytest.mark.parametrize("rule", [CropRule.MARGIN, CropRule.SIMILARITY])
def test_drawn_crops_are_those_that_the_network_sees(
    seen: Visit, served: Service, photos: Path, rule: CropRule
) -> None:
    form = ("img", photos / "obama2.jpg")
    (face,) = served.post_form("/detect", form).json["faces"]
    spec = CropSpec(rule, 16.0, ResizeFilter.BILINEAR)
    card = {
        "crop": {"rule": rule.value, "margin_px": spec.margin_px},
        "input": {"width_px": 96, "height_px": 112},
    }
    url = seen.page.evaluate(
        """async ([photo, face, card]) => {
          const { cropOf } = await import("./crop.js");
          const image = new Image();
          image.src = `data:image/jpeg;base64,${photo}`;
          await image.decode();
          return cropOf(image, face, card, "crop").toDataURL();
        }""",
        [base64.b64encode((photos / "obama2.jpg").read_bytes()).decode(), face, card],
    )
    drawn = read_image(NamedBytes(base64.b64decode(url.partition(",")[2]), "drawn"))
    found = Face(
        np.array(face["box_xyxy"], np.float32),
        np.array(list(face["landmarks"].values()), np.float32),
        face["score"],
    )
    pixels = read_image(photos / "obama2.jpg")
    (expected,) = crop_faces(pixels, [found], spec, height_px=112, width_px=96)
    apart = np.abs(drawn.astype(float) - expected)
    shifted = np.abs(np.roll(drawn, 3, axis=1).astype(float) - expected)
    assert apart.mean() < 4 < shifted.mean()


def test_what_cannot_be_used_is_said_beside_the_photo(seen: Visit, photos: Path) -> None:
    seen.refused.append(422)
    alert = seen.region("First photo").get_by_role("alert")
    seen.choose("First photo", photos / "gray.png")
    alert.get_by_text("No face found in gray.png").wait_for()
    seen.choose("First photo", photos / "notes.txt")
    alert.get_by_text("Cannot read notes.txt: it is text").wait_for()
    seen.choose("First photo", photos / "obama.jpg")
    seen.choose("Second photo", photos / "biden.jpg")
    seen.verdict("No match")
    assert not alert.is_visible()
    seen.page.get_by_role("button", name="Second photo: clear").click()
    assert "appears here" in seen.region("Result").inner_text()


def test_a_service_that_is_away_is_said(seen: Visit, photos: Path) -> None:
    seen.page.context.set_offline(True)
    seen.choose("First photo", photos / "obama.jpg")
    seen.region("First photo").get_by_text("The service cannot be reached").wait_for()
    assert all("ERR_INTERNET_DISCONNECTED" in text for text in seen.complaints)
    seen.complaints.clear()


def test_photos_are_dropped_and_pasted_whatever_their_names(seen: Visit, photos: Path) -> None:
    """A name that is not UTF-8 reaches a page with U+FFFD in place of what is not."""
    names = ("caf\ufffd\ufffd \u202egnp.jpg", f"{HOSTILE}\n.jpg")
    first, second = ((photos / f"{name}.jpg").read_bytes() for name in ("obama", "obama2"))
    seen.hand_over(".picker", "drop", (names[0], first))
    seen.region("First photo").get_by_text(re.compile(r"\d faces?")).wait_for()
    seen.hand_over("body", "paste", (names[1], second))
    seen.verdict("Match")
    shown = [seen.region(f"{place} photo").locator(".name") for place in ("First", "Second")]
    assert [name.text_content() for name in shown] == list(names)


def test_a_photo_is_taken_by_the_camera(seen: Visit) -> None:
    seen.refused.append(422)
    button = seen.page.get_by_role("button", name="First photo: take it by the camera")
    button.click()
    seen.page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
    assert not seen.region("First photo").get_by_text("camera.jpg").is_visible()
    button.click()
    seen.page.get_by_role("button", name="Take the photo").click()
    seen.region("First photo").get_by_text("No face found in camera.jpg").wait_for()
    assert seen.page.locator("video").count() == 0


def test_people_are_enrolled_named_merged_and_removed(seen: Visit, photos: Path) -> None:
    seen.tab("Known people")
    seen.region("Known people").get_by_text("Nobody yet").wait_for()
    seen.choose("Who is it?", photos / "biden.jpg")
    seen.region("Who is it?").get_by_text("so that nobody can be named").wait_for()
    seen.choose("Enroll", photos / "obama.jpg")
    seen.region("Enroll").get_by_text(re.compile(r"^Quality \d+ of 100")).wait_for()
    seen.refused.append(422)  # gray.png has no face to rate
    seen.enroll("Barack", photos / "gray.png")
    outcome = seen.region("Enroll").get_by_role("status")
    assert "1 photo added, 1 not used" in outcome.inner_text()
    assert "No face found in gray.png" in outcome.inner_text()
    seen.enroll("Joe", photos / "biden.jpg")
    seen.enroll("Barry", photos / "obama2.jpg")
    seen.page.get_by_text("3 people", exact=True).wait_for()

    seen.choose("Who is it?", photos / "group.jpg")
    who = seen.region("Who is it?")
    face = who.get_by_role("button", name=re.compile("^Face . of 2: Barack"))
    face.click()
    assert who.locator(".verdict-line").inner_text() == "Barack"
    assert who.get_by_role("list").locator("bdi").all_inner_texts()[0] == "Barack"
    assert "Of faces of strangers at most" in who.inner_text()

    seen.page.get_by_role("button", name="Merge Barack with another person").click()
    seen.page.get_by_label("Who is the same person as Barack?").select_option("Barry")
    seen.page.get_by_role("button", name="Merge", exact=True).click()
    seen.page.get_by_text("2 people", exact=True).wait_for()
    assert seen.people() == ["Barack", "Joe"]
    seen.page.get_by_role("button", name="Undo").click()
    seen.page.get_by_text("3 people", exact=True).wait_for()

    for answers in (["Keep"], ["Remove", "Keep"], ["Remove", "Remove for good"]):
        assert "Joe" in seen.people()
        seen.page.get_by_role("button", name="Remove Joe").click()
        for answer in answers:
            seen.page.get_by_role("dialog").get_by_role("button", name=answer, exact=True).click()
    seen.page.get_by_text("2 people", exact=True).wait_for()
    assert seen.people() == ["Barack", "Barry"]


def test_a_face_that_may_be_two_people_is_said_with_both_names(seen: Visit, photos: Path) -> None:
    seen.tab("Known people")
    seen.enroll("Barack", photos / "obama.jpg")
    seen.enroll("Joe", photos / "biden.jpg")

    # The service is asked for a margin that no two people have, whatever the card's is.
    seen.page.evaluate("""() => {
      const fetched = window.fetch;
      window.fetch = (address, options) => {
        if (String(address).endsWith("identify")) options.body.append("min_margin", "2");
        return fetched(address, options);
      };
    }""")
    seen.choose("Who is it?", photos / "obama2.jpg")
    who = seen.region("Who is it?")
    who.locator(".candidates").wait_for()
    assert who.locator(".verdict-line").inner_text() == "Either Barack or Joe"


def test_a_name_is_text_and_nothing_else(seen: Visit, photos: Path) -> None:
    seen.tab("Known people")
    seen.enroll(HOSTILE, photos / "biden.jpg")
    seen.enroll("Barack", photos / "obama.jpg")
    seen.choose("Who is it?", photos / "biden.jpg")
    seen.region("Who is it?").locator(".candidates").wait_for()
    assert seen.region("Who is it?").locator(".verdict-line").inner_text() == HOSTILE
    for question in ("Merge", "Remove"):
        seen.page.get_by_role("button", name=f"{question} {HOSTILE}").click()
        assert HOSTILE in seen.page.get_by_role("dialog").inner_text()
        seen.page.keyboard.press("Escape")
    assert seen.page.locator("[onerror]").count() == 0
    assert seen.page.locator("script:not([src])").count() == 0


def test_the_model_is_shown_by_its_card(seen: Visit, served: Service) -> None:
    answer = served.get("/model").json
    seen.tab("Model")
    seen.page.get_by_text("Other models").wait_for()
    text = seen.page.get_by_role("tabpanel").inner_text()
    for fact in (answer["model"], answer["card"]["file_sha256"], answer["card"]["source"]["title"]):
        assert fact in text
    for point in answer["card"]["calibration"]["operating_points"]:
        row = seen.page.get_by_role("row").filter(has_text=point["target"]).inner_text()
        assert f"{point['threshold_similarity']:.3f}" in row
        assert f"{point['fnmr'] * 100:.3g} %" in row
    assert "facekit serve --model" in text
    for model in served.get("/models").json["models"]:
        assert (model["summary"] in text) == (model["task"] == "embedding")
