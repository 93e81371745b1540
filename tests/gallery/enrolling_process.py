"""Enrolls made-up people one after the other and tells of each; killed by tests.

python -m tests.gallery.enrolling_process GALLERY FIRST LAST [TEMPLATES [DAYS_AGO]]
"""

from __future__ import annotations

import datetime
import sys

from facekit.errors import StorageError
from facekit.gallery.open import open_gallery
from tests.gallery.made_up import SPACE, templates


def main(url: str, first: int, last: int, count: int) -> None:
    with open_gallery(url, create=True) as gallery:
        for person in range(first, last):
            gallery.add(f"P{person}", templates(person, count), SPACE)
            print(f"P{person}", flush=True)


def set_clock_back(days: int) -> None:
    """For all of this process that asks datetime for the time, as facekit's stores do."""
    ago = datetime.timedelta(days)

    class Earlier(datetime.datetime):
        @classmethod
        def now(cls, tz: datetime.tzinfo | None = None) -> Earlier:
            return super().now(tz) - ago

    datetime.datetime = Earlier  # type: ignore[misc]  # the one name that every caller asks


if __name__ == "__main__":
    url, first, last, *rest = sys.argv[1:]
    if rest[1:]:
        set_clock_back(int(rest[1]))
    try:
        main(url, int(first), int(last), int(rest[0]) if rest else 3)
    except StorageError as error:
        sys.exit(f"{error}")
