"""Enrolls made-up people one after the other and tells of each; started and killed by tests.

python -m tests.gallery.enrolling_process GALLERY FIRST LAST [TEMPLATES [DAYS_AGO]]
"""

from __future__ import annotations

import datetime
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO

from facekit.errors import StorageError
from facekit.gallery.open import open_gallery
from tests.gallery.made_up import SPACE, templates

ROOT = Path(__file__).parents[2]
TEMPLATES = 3
"""Templates of each person whom a started process enrolls."""
A_ROUND = 10_000
"""More people than a process enrolls before it is killed."""


def start(
    gallery: str | Path,
    first: int,
    last: int,
    *,
    days_ago: int = 0,
    before: Callable[[], None] | None = None,
    told: IO[str] | None = None,
) -> subprocess.Popen[str]:
    """Starts this process, which calls `before` first and tells `told` of people, or a pipe."""
    command = [sys.executable, "-m", "tests.gallery.enrolling_process", str(gallery)]
    return subprocess.Popen(
        [*command, str(first), str(last), str(TEMPLATES), str(days_ago)],
        cwd=ROOT,
        stdout=told or subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=before,
    )


def kill_while_enrolling(gallery: str | Path, first: int, wait_s: float, output: Path) -> list[str]:
    """Kills a process so long after the first person; returns whom it had told of by then.

    It tells a file, because lines that a pipe's reader has buffered are lost to communicate().
    """
    with output.open("w") as told:
        process = start(gallery, first, first + A_ROUND, told=told)
        while not output.stat().st_size and process.poll() is None:
            time.sleep(0.001)
        time.sleep(wait_s)
        process.send_signal(signal.SIGKILL)
        _, errors = process.communicate()
    assert process.returncode == -signal.SIGKILL, errors
    complete, _, _ = output.read_text().rpartition("\n")  # the last line may be cut off
    output.unlink()
    return complete.split()


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
    if rest[1:] and int(rest[1]):
        set_clock_back(int(rest[1]))
    try:
        main(url, int(first), int(last), int(rest[0]) if rest else 3)
    except StorageError as error:
        sys.exit(f"{error}")
