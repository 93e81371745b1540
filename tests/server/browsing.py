"""The page of a service in a real browser: what it asks for, and what goes wrong, is noted."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.chromium import CHROMIUM, FLAGS
from tests.server.service import Service

if TYPE_CHECKING:
    from playwright.sync_api import Browser, ConsoleMessage, Dialog, Locator, Page

_LONGEST_MS = 120_000  # machines are busy
_WATCH = """
window.violations = [];
document.addEventListener("securitypolicyviolation", (event) =>
  window.violations.push(`${event.violatedDirective} ${event.blockedURI}`));
"""
_HAND_OVER = """([selector, kind, files]) => {
  const data = new DataTransfer();
  for (const [name, content] of files) {
    data.items.add(new File([Uint8Array.from(atob(content), (c) => c.charCodeAt(0))], name));
  }
  const event = kind === "paste"
    ? new ClipboardEvent(kind, { clipboardData: data, bubbles: true, cancelable: true })
    : new DragEvent(kind, { dataTransfer: data, bubbles: true, cancelable: true });
  document.querySelector(selector).dispatchEvent(event);
}"""

MEASURE = """() => {
  const numbers = (color) => color.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((value) => value / 255)
    .map((value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4))
    .reduce((sum, value, index) => sum + value * [0.2126, 0.7152, 0.0722][index], 0);
  const ground = (node) => {
    const color = numbers(getComputedStyle(node).backgroundColor);
    return color[3] === 0 ? ground(node.parentElement) : color;
  };
  const contrast = (a, b) => {
    const [low, high] = [light(a), light(b)].sort((one, other) => one - other);
    return (high + 0.05) / (low + 0.05);
  };
  const faint = [...document.querySelectorAll("body *")].filter((node) =>
    node.checkVisibility() && !node.closest(".view, :disabled")
    && [...node.childNodes].some((child) => child.nodeType === 3 && child.data.trim())
    && contrast(numbers(getComputedStyle(node)[node.closest("svg") ? "fill" : "color"]),
                ground(node)) < 4.5);
  const unnamed = [...document.querySelectorAll("button, input, select, [role=img], [role=region]")]
    .filter((node) => node.checkVisibility() && !node.getAttribute("aria-label")?.trim()
      && !node.textContent.trim() && !node.labels?.length);
  return {
    overflow: document.documentElement.scrollWidth - innerWidth,
    faint: faint.map((node) => node.outerHTML),
    unnamed: unnamed.map((node) => node.outerHTML),
  };
}"""
"""What sticks out of the window, is written too faintly (WCAG 2.2, 1.4.3), or has no name."""


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser with a new profile, and a camera that shows a test pattern."""
    from playwright.sync_api import sync_playwright

    camera = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=[*FLAGS, *camera])
        yield browser
        browser.close()


@dataclass
class Visit:
    """A page of its own, with what it asked and complained of."""

    page: Page
    origin: str
    asked: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    refused: list[int] = field(default_factory=list)
    """The statuses that this visit is to see; the browser writes each of them to its console."""

    def region(self, name: str) -> Locator:
        return self.page.get_by_role("region", name=name, exact=True)

    def tab(self, name: str) -> None:
        self.page.get_by_role("tab", name=name).click()

    def choose(self, region: str, *photos: Path) -> None:
        self.region(region).locator("input[type=file]").set_input_files(list(photos))

    def hand_over(self, selector: str, kind: str, *files: tuple[str, bytes]) -> None:
        """Drops or pastes files of any names."""
        encoded = [[name, base64.b64encode(content).decode()] for name, content in files]
        self.page.evaluate(_HAND_OVER, [selector, kind, encoded])

    def enroll(self, name: str, *photos: Path) -> None:
        self.choose("Enroll", *photos)
        self.region("Enroll").get_by_label("Name", exact=True).fill(name)
        self.region("Enroll").get_by_role("button", name="Enroll", exact=True).click()
        self.region("Enroll").get_by_role("status").get_by_text(name, exact=True).wait_for()

    def verdict(self, word: str) -> str:
        """The words of the decision, once it is `word`."""
        self.page.get_by_role("heading", name=word, exact=True).wait_for()
        text: str = self.region("Result").inner_text()
        return text

    def people(self) -> list[str]:
        names: list[str] = self.region("Known people").locator("li .name").all_inner_texts()
        return names

    def close(self, dialog: Dialog) -> None:
        self.complaints.append(dialog.message)
        dialog.dismiss()

    def note(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)


@contextmanager
def visit(browser: Browser, service: Service, **options: Any) -> Iterator[Visit]:
    """Opens the page; at the end nothing was asked elsewhere, and nothing went wrong unforeseen."""
    origin = f"http://127.0.0.1:{service.port}"
    context = browser.new_context(**options)
    context.set_default_timeout(_LONGEST_MS)
    context.add_init_script(_WATCH)
    page = context.new_page()
    found = Visit(page, origin)
    page.on("request", lambda request: found.asked.append(request.url))
    page.on("console", found.note)
    page.on("pageerror", lambda error: found.complaints.append(str(error)))
    page.on("dialog", found.close)
    page.goto(origin)
    yield found
    violations = page.evaluate("window.violations")
    context.close()
    assert found.asked
    places = (f"{origin}/", f"blob:{origin}/", "data:")
    assert [url for url in found.asked if not url.startswith(places)] == []
    assert violations == []
    expected = "|".join(map(str, found.refused)) or "none"
    refusal = rf"Failed to load resource: the server responded with a status of ({expected}) .*"
    assert [text for text in found.complaints if not re.fullmatch(refusal, text)] == []
