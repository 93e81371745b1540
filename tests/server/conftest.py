"""The page of a service in a browser, for the tests with the marker `browser`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

from facekit.photo.decode import read_image
from facekit.photo.write import write_jpeg, write_png
from tests.group_photo import write_group
from tests.server.browsing import Visit, chromium, visit
from tests.server.service import BIDEN, OBAMA, OBAMA2, Service, running

if TYPE_CHECKING:
    from playwright.sync_api import Browser


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """obama, obama2, biden and group as small .jpg files, and what has no face."""
    folder = tmp_path_factory.mktemp("photos")
    for source in (OBAMA, OBAMA2, BIDEN, write_group(folder / "group.png", OBAMA, BIDEN)):
        pixels = read_image(source)
        small = cv2.resize(pixels, None, fx=0.35, fy=0.35, interpolation=cv2.INTER_AREA)
        write_jpeg(folder / f"{source.stem}.jpg", np.asarray(small, np.uint8))
    write_png(folder / "gray.png", np.full((200, 200, 3), 128, np.uint8))
    (folder / "notes.txt").write_text("no photo")
    return folder


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    gallery = tmp_path_factory.mktemp("gallery") / "people.db"
    with running("--gallery", gallery, "--workers", 1, "--time-limit", 120) as found:
        yield found


@pytest.fixture
def seen(browser: Browser, served: Service) -> Iterator[Visit]:
    with visit(browser, served) as found:
        yield found
    for person in served.get("/people").json["people"]:
        served.post("/people/remove", name=person["name"])
