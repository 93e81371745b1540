"""Which files of a folder are new, changed and whole."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from facekit.errors import InputError
from facekit.system.arrivals import Arrivals, ClosedFiles
from facekit.system.wakeup import Wakeup, wait_for
from tests.test_light_imports import python, without


class Clock:
    """Seconds that pass when the test says so."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


class Folder:
    """A folder that is looked at every 2 seconds by the clock; a file is whole after 2."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._clock = Clock()
        self.arrivals = Arrivals(
            path, wanted=lambda name: name.endswith(".jpg"), settle_s=2, clock=self._clock
        )

    def write(self, name: str, text: str) -> None:
        (self.path / name).write_text(text)

    def look(self, *, closed: tuple[str, ...] = (), after_s: float = 2) -> list[str]:
        self._clock.now_s += after_s
        return self.arrivals.whole(closed=closed)


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def test_a_file_is_whole_when_it_has_not_changed_for_the_time(folder: Folder) -> None:
    folder.write("a.jpg", "half")
    assert folder.look() == []
    folder.write("a.jpg", "half and whole")
    assert folder.look() == [], "it has grown since the last look"
    assert folder.look(after_s=1.5) == [], "two looks that agree are not enough: time must pass"
    assert folder.look(after_s=0.5) == ["a.jpg"]
    assert folder.look() == [], "once is enough"


def test_a_file_that_its_writer_has_closed_need_not_settle(folder: Folder) -> None:
    folder.write("a.jpg", "whole")
    folder.write("b.jpg", "half")
    assert folder.look(closed=("a.jpg", "gone.jpg")) == ["a.jpg"]
    assert folder.look(closed=("a.jpg",)) == ["b.jpg"], "closed again without a change: known"


def test_files_that_were_there_are_known_until_they_change(folder: Folder) -> None:
    folder.write("old.jpg", "old")
    folder.write("half.jpg", "ha")
    assert folder.arrivals.leave_out_present() == 2
    folder.write("half.jpg", "half")
    assert [folder.look(), folder.look()] == [[], ["half.jpg"]]


def test_the_same_name_with_the_same_size_is_another_file(folder: Folder) -> None:
    folder.write("a.jpg", "one")
    folder.arrivals.leave_out_present()
    before = (folder.path / "a.jpg").stat()
    folder.write("new", "two")
    os.utime(folder.path / "new", ns=(before.st_atime_ns, before.st_mtime_ns))
    (folder.path / "new").rename(folder.path / "a.jpg")
    assert folder.look(closed=("a.jpg",)) == ["a.jpg"]


def test_a_file_that_was_away_is_new(folder: Folder, tmp_path: Path) -> None:
    folder.write("a.jpg", "one")
    folder.arrivals.leave_out_present()
    (folder.path / "a.jpg").rename(tmp_path / "a.away")
    assert folder.look() == []
    (tmp_path / "a.away").rename(folder.path / "a.jpg")
    assert folder.look(closed=("a.jpg",)) == ["a.jpg"]


def test_only_wanted_files_count_and_links_as_what_they_name(
    folder: Folder, tmp_path_factory: pytest.TempPathFactory
) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "photo"
    elsewhere.write_text("photo")
    folder.write("notes.txt", "notes")
    (folder.path / "folder.jpg").mkdir()
    os.mkfifo(folder.path / "pipe.jpg")  # whose reader would wait forever
    (folder.path / "link.jpg").symlink_to(elsewhere)
    (folder.path / "broken.jpg").symlink_to(elsewhere.with_name("none"))
    assert [folder.look(), folder.look()] == [[], ["link.jpg"]]


@pytest.mark.parametrize("gone", [True, False])
def test_a_folder_that_is_none_or_goes_away_is_an_error(folder: Folder, gone: bool) -> None:
    assert folder.look() == []
    shutil.rmtree(folder.path)
    if not gone:
        folder.path.write_text("a file in its place")
    with pytest.raises(InputError, match="cannot be read"):
        folder.look()


class TestWakeup:
    @pytest.fixture
    def wakeup(self) -> Iterator[Wakeup]:
        one = Wakeup()
        yield one
        one.close()

    def test_it_is_set_until_it_is_cleared_however_often_it_was_set(self, wakeup: Wakeup) -> None:
        assert not wakeup.is_set()
        for _ in range(100_000):  # more than a pipe holds
            wakeup.set()
        assert wakeup.is_set()
        wakeup.clear()
        assert not wakeup.is_set()

    def test_a_wait_lasts_as_long_as_asked(self, wakeup: Wakeup) -> None:
        began_s = time.monotonic()
        wait_for(wakeup, seconds=0.2)
        assert 0.2 <= time.monotonic() - began_s < 10

    @pytest.mark.parametrize("by", ["a thread", "a signal"])
    def test_a_wait_ends_when_it_is_set(self, wakeup: Wakeup, by: str) -> None:
        if by == "a thread":
            timer = threading.Timer(0.1, wakeup.set)
            timer.start()
        else:
            before = signal.signal(signal.SIGALRM, lambda *_: wakeup.set())
            signal.setitimer(signal.ITIMER_REAL, 0.1)
        began_s = time.monotonic()
        try:
            wait_for(wakeup, seconds=60)
        finally:
            if by == "a thread":
                timer.join()
            else:
                signal.signal(signal.SIGALRM, before)
        assert time.monotonic() - began_s < 30


class TestClosedFiles:
    @pytest.fixture
    def closed(self, tmp_path: Path) -> Iterator[ClosedFiles]:
        pytest.importorskip("watchdog", reason="no watchdog: pip install '.[watch]'")
        (tmp_path / "in").mkdir()
        one = ClosedFiles(tmp_path / "in", wanted=lambda name: name.endswith(".jpg"))
        yield one
        one.close()

    def told(self, closed: ClosedFiles) -> set[str]:
        wait_for(closed.changed, seconds=20)
        return closed.take()

    def test_a_file_is_told_when_it_is_closed_or_moved_in(
        self, closed: ClosedFiles, tmp_path: Path
    ) -> None:
        with (tmp_path / "in" / "a.jpg").open("w") as file:
            file.write("half")
            file.flush()
            (tmp_path / "in" / "notes.txt").write_text("which nobody wants")
            wait_for(closed.changed, seconds=0.3)
            assert closed.take() == set(), "its writer has it open"
        assert self.told(closed) == {"a.jpg"}
        (tmp_path / "b.jpg").write_text("elsewhere")
        (tmp_path / "b.jpg").rename(tmp_path / "in" / "b.jpg")
        assert self.told(closed) == {"b.jpg"}
        (tmp_path / "in" / "a.jpg").rename(tmp_path / "in" / "ç a.jpg")
        assert self.told(closed) == {"ç a.jpg"}
        (tmp_path / "in" / "b.jpg").read_text()
        wait_for(closed.changed, seconds=0.3)
        assert closed.take() == set(), "reading is no change"

    def test_a_folder_that_is_missing_is_an_os_error(self, tmp_path: Path) -> None:
        pytest.importorskip("watchdog")
        with pytest.raises(FileNotFoundError):
            ClosedFiles(tmp_path / "none", wanted=lambda _: True)

    def test_without_watchdog_the_extra_is_named(self) -> None:
        code = (
            f"{without(('watchdog',))}\n"
            "from pathlib import Path\n"
            "from facekit.system.arrivals import ClosedFiles\n"
            "ClosedFiles(Path('.'), wanted=bool)"
        )
        done = python(code)
        assert "pip install 'facekit-cli[watch]'" in done.stderr, (sys.executable, done.stderr)
