"""Whom the page of facekit serve is for: telephones, keyboards, readers; and who may ask it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.server.browsing import MEASURE, Visit, visit
from tests.server.service import Service, running

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytest.importorskip("playwright", reason="needs the dev extra")
pytest.importorskip("starlette", reason="needs the serve extra")
pytestmark = [pytest.mark.browser, pytest.mark.model]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_of_it_fits_a_telephone_can_be_read_and_has_names(
    browser: Browser, served: Service, photos: Path, scheme: str
) -> None:
    sound = {"overflow": 0, "faint": [], "unnamed": []}
    window = {"width": 390, "height": 800}
    with visit(browser, served, viewport=window, color_scheme=scheme) as seen:
        ground = seen.page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (ground == "rgb(20, 24, 29)") == (scheme == "dark")
        assert seen.page.evaluate(MEASURE) == sound
        seen.choose("First photo", photos / "group.jpg")
        seen.choose("Second photo", photos / "biden.jpg")
        seen.verdict("Match")
        assert seen.page.evaluate(MEASURE) == sound
        seen.tab("Known people")
        seen.enroll("W" * 190, photos / "biden.jpg")
        seen.choose("Who is it?", photos / "group.jpg")
        seen.region("Who is it?").locator(".candidates").wait_for()
        assert seen.page.evaluate(MEASURE) == sound
        seen.page.get_by_role("button", name="Remove WW").click()
        assert seen.page.evaluate(MEASURE) == sound
        seen.page.get_by_role("button", name="Remove", exact=True).click()
        assert seen.page.evaluate(MEASURE) == sound
        seen.page.get_by_role("button", name="Remove for good").click()
        seen.page.get_by_text("Nobody yet").wait_for()
        seen.tab("Model")
        seen.page.get_by_text("Other models").wait_for()
        assert seen.page.evaluate(MEASURE) == sound


def test_the_measurement_sees_a_broken_page(seen: Visit) -> None:
    seen.page.evaluate("""() => {
      const faults = ["wide", "faint", ""].map((text) => {
        const fault = document.createElement("button");
        fault.textContent = text;
        return fault;
      });
      faults[0].style.width = "3000px";
      faults[1].style.color = faults[1].style.backgroundColor = "#777";
      document.querySelector("#compare").append(...faults);
    }""")
    found = seen.page.evaluate(MEASURE)
    assert found["overflow"] > 1000
    assert (len(found["faint"]), len(found["unnamed"])) == (1, 1)


def test_everything_is_done_by_the_keyboard_alone(seen: Visit, photos: Path) -> None:
    def press(*keys: str) -> None:
        for key in keys:
            seen.page.keyboard.press(key)

    def choose(name: str) -> None:
        with seen.page.expect_file_chooser() as chooser:
            press("Enter")
        chooser.value.set_files(photos / f"{name}.jpg")

    def focus() -> str:
        name: str = seen.page.evaluate(
            "document.activeElement.ariaLabel ?? document.activeElement.textContent"
        )
        return name

    press("Tab")
    assert focus() == "Skip to the content"
    press("Enter", "Tab", "Tab")
    assert focus() == "First photo", "after the camera's button"
    choose("group")
    seen.region("First photo").get_by_text("2 faces").wait_for()
    seen.page.get_by_role("button", name="Second photo: take it").focus()
    press("Tab")
    choose("obama2")
    seen.verdict("No match")
    seen.region("First photo").get_by_role("button", name="Face", pressed=False).focus()
    press("Enter")
    seen.verdict("Match")
    assert re.match("Face . of 2", focus()), "the keyboard stays at the face"

    seen.page.get_by_role("tab", name="Compare").focus()
    press("ArrowRight")
    assert (focus(), seen.page.url) == ("Known people", f"{seen.origin}/#people")
    seen.region("Enroll").get_by_label("Photos to enroll", exact=True).focus()
    choose("biden")
    seen.region("Enroll").get_by_label("Name", exact=True).focus()
    seen.page.keyboard.type("Joe")
    press("Enter")
    seen.page.get_by_text("1 person", exact=True).wait_for()
    remove = seen.page.get_by_role("button", name="Remove Joe")
    remove.focus()
    press("Enter", "Escape")
    remove.focus()
    press("Enter")
    assert focus() == "Keep", "what harms nobody comes first"
    press("Tab", "Enter")
    seen.page.get_by_role("heading", name="Remove for good?").wait_for()
    assert focus() == "Keep"
    press("Tab", "Enter")
    seen.page.get_by_text("Nobody yet").wait_for()


def test_foreign_scripts_and_styles_do_not_run(seen: Visit) -> None:
    seen.page.evaluate("""() => {
      for (const text of ["window.ran = true", ""]) {
        const script = document.createElement("script");
        if (text) script.textContent = text;
        else script.src = "data:text/javascript,window.ran=true";
        document.body.append(script);
      }
      document.body.setAttribute("style", "color: red");
    }""")
    seen.page.wait_for_function("window.violations.length === 3")
    assert seen.page.evaluate("window.ran") is None
    seen.page.evaluate("window.violations = []")
    assert all("Content Security Policy" in text for text in seen.complaints)
    seen.complaints.clear()


def test_a_token_is_asked_for_once(browser: Browser, photos: Path, tmp_path: Path) -> None:
    token = "0123456789abcdefghij"
    (tmp_path / "token").write_text(token)
    options = ("--token-file", tmp_path / "token", "--workers", 1)
    with running(*options) as guarded, visit(browser, guarded) as seen:
        seen.refused.append(401)
        question = seen.page.get_by_role("dialog", name="A token is needed")
        seen.choose("First photo", photos / "obama.jpg")
        question.get_by_role("button", name="Cancel").click()
        seen.region("First photo").get_by_text("Without its token").wait_for()
        seen.choose("First photo", photos / "obama.jpg")
        seen.choose("Second photo", photos / "obama2.jpg")
        question.get_by_label("Token").fill("wrong")
        seen.page.keyboard.press("Enter")
        question.get_by_text("That was not the token").wait_for()
        question.get_by_label("Token").fill(token)
        seen.page.keyboard.press("Enter")
        seen.verdict("Match")
        assert token not in seen.page.content()
        assert seen.page.evaluate("[localStorage.length, sessionStorage.length]") == [0, 0]
