"""facekit watch: a real process, and a folder in which photos arrive."""

from __future__ import annotations

import json
import os
import select
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import facekit
from facekit.cli import cli
from facekit.reporter import Reporter
from facekit.system.wakeup import Wakeup
from facekit.tasks.watch import watch
from tests.group_photo import write_group

pytestmark = pytest.mark.model
DATA = Path(__file__).parents[1] / "data"
OBAMA, OBAMA2, BIDEN = (str(DATA / f"{name}.jpg") for name in ("obama", "obama2", "biden"))
LONG_S = 60


@pytest.fixture
def incoming(tmp_path: Path) -> Path:
    folder = tmp_path / "in coming"
    folder.mkdir()
    return folder


def arrive(photo: str, folder: Path, name: str) -> None:
    """Moves a whole photo in, as who delivers photos should."""
    part = folder.parent / f"{name}.part"
    shutil.copy(photo, part)
    part.rename(folder / name)


def once(folder: Path, *options: str) -> Result:
    return CliRunner().invoke(cli, ["watch", str(folder), "--once", *options])


class Watching:
    """A process that watches, and its lines; what it notes is in a file, since nobody reads it."""

    def __init__(self, process: subprocess.Popen[bytes], notes: Path) -> None:
        self.process = process
        self._notes = notes
        self._left = b""

    @property
    def notes(self) -> str:
        return self._notes.read_text()

    def line(self) -> str:
        """The next line on stdout, which is a pipe."""
        assert self.process.stdout is not None
        until_s = time.monotonic() + LONG_S
        while b"\n" not in self._left:
            left_s = max(until_s - time.monotonic(), 0)
            assert select.select([self.process.stdout], [], [], left_s)[0], self.notes
            part = os.read(self.process.stdout.fileno(), 4096)
            assert part, self.notes
            self._left += part
        line, _, self._left = self._left.partition(b"\n")
        return line.decode()

    def wait_until_ready(self) -> None:
        until_s = time.monotonic() + LONG_S
        while "watching" not in self.notes:
            assert self.process.poll() is None, self.notes
            assert time.monotonic() < until_s, self.notes
            time.sleep(0.05)

    def end(self, number: signal.Signals) -> tuple[int, str]:
        """Exit code, and what it still said on stdout."""
        self.process.send_signal(number)
        stdout, _ = self.process.communicate(timeout=LONG_S)
        return self.process.returncode, (self._left + stdout).decode()


@contextmanager
def watching(folder: Path, *options: str, polling: bool = False) -> Iterator[Watching]:
    """`polling`: as where watchdog is not installed."""
    start = "import sys; sys.modules['watchdog'] = None; " if polling else ""
    notes = folder.with_name("notes")
    with notes.open("wb") as stderr:
        process = subprocess.Popen(
            [
                *(sys.executable, "-c", f"{start}from facekit.cli import main; main()"),
                *("watch", str(folder), *options),
            ],
            stdout=subprocess.PIPE,
            stderr=stderr,
        )
    try:
        one = Watching(process, notes)
        one.wait_until_ready()
        yield one
    finally:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


class TestOnce:
    """Those that are there, and no others."""

    def test_a_line_a_photo_and_the_first_error_as_exit_code(self, incoming: Path) -> None:
        for name, photo in (("b.jpg", BIDEN), ("o two.JPG", OBAMA2)):
            shutil.copy(photo, incoming / name)
        assert (one := once(incoming, "--known", OBAMA)).exit_code == 1
        assert one.stdout == "different\tb.jpg\nsame\to two.JPG\n"
        assert once(incoming, "--known", OBAMA, "--threshold", "1").exit_code == 0
        write_black(incoming / "c.png")
        (incoming / "notes.txt").write_text("no photo, and its name does not say so")
        (incoming / "z.jpg").write_bytes(Path(OBAMA).read_bytes()[:2000])
        shutil.copytree(DATA, incoming / "below")
        one = once(incoming, "--known", OBAMA)
        assert one.exit_code == 3
        assert one.stdout.splitlines() == [
            "different\tb.jpg",
            "error 3\tc.png",
            "same\to two.JPG",
            "error 4\tz.jpg",
        ]
        assert "z.jpg" in one.stderr

    def test_one_of_several_known_photos_or_embeddings_suffices(
        self, incoming: Path, tmp_path: Path
    ) -> None:
        facekit.embed_to_file([BIDEN, OBAMA], tmp_path / "known.npz")
        shutil.copy(OBAMA2, incoming)
        assert once(incoming, "--known", BIDEN).exit_code == 1
        known = ("--known", BIDEN, "--known", OBAMA)
        said = json.loads(once(incoming, *known, "--json").stdout)
        assert (said["answer"], said["verification"]["photo"]["img1"]) == ("same", OBAMA)
        of_file = ("--known", str(tmp_path / "known.npz"), "--face", "all")
        assert once(incoming, *of_file).stdout == "same\tobama2.jpg\n"

    def test_people_of_a_gallery_are_named(self, incoming: Path, tmp_path: Path) -> None:
        gallery = facekit.Gallery(tmp_path / "people.db")
        gallery.enroll("Barack", [OBAMA])
        at = ("--gallery", str(tmp_path / "people.db"))
        shutil.copy(OBAMA2, incoming)
        shutil.copy(BIDEN, incoming)
        one = once(incoming, *at)
        assert (one.exit_code, one.stdout) == (1, "unknown\tbiden.jpg\nknown Barack\tobama2.jpg\n")
        write_group(incoming / "group.png", Path(BIDEN), Path(OBAMA2))
        one = once(incoming, *at, "--face", "all", "--json")
        group = json.loads(one.stdout.splitlines()[1])
        assert (group["answer"], group["names"]) == ("unknown", ["Barack"]), "one face is unknown"
        gallery.enroll("Joe", [BIDEN])
        (incoming / "biden.jpg").unlink()
        (incoming / "group.png").rename(tmp_path / "group.png")
        one = once(incoming, *at, "--min-margin", "2")
        assert (one.exit_code, one.stdout.split()[0]) == (3, "ambiguous")
        (tmp_path / "group.png").rename(incoming / "group.png")
        shutil.copy(BIDEN, incoming)
        one = once(incoming, *at, "--face", "all")
        assert one.exit_code == 0
        assert one.stdout.splitlines()[1] in (
            "known Joe, Barack\tgroup.png",
            "known Barack, Joe\tgroup.png",
        )

    @pytest.mark.parametrize(
        ("options", "code", "why"),
        [
            (("--known", OBAMA), 4, "no photo in this folder"),
            (("--known", "missing.jpg"), 4, "missing.jpg"),
            (("--known", OBAMA, "--gallery", "people.db"), 2, "pass one of them"),
            (("--known", OBAMA, "--min-margin", "0.1"), 2, "--min-margin is for the people"),
            (("--known", OBAMA, "--interval", "0"), 2, "--interval"),
            (("--known", OBAMA, "--fmr", "1e-9"), 2, "impostor pairs"),
            (("--gallery", "missing.db"), 7, "missing.db"),
        ],
    )
    def test_what_cannot_be_asked_is_told_before_any_photo(
        self, incoming: Path, options: tuple[str, ...], code: int, why: str
    ) -> None:
        one = once(incoming, *options)
        assert (one.exit_code, one.stdout) == (code, "")
        assert why in one.stderr

    def test_a_gallery_of_another_model_is_refused_at_once(
        self, incoming: Path, tmp_path: Path
    ) -> None:
        at = ("--gallery", str(tmp_path / "people.db"))
        facekit.Gallery(tmp_path / "people.db").enroll("Barack", [OBAMA])
        shutil.copy(OBAMA2, incoming)
        assert once(incoming, *at, "--min-face", "30", "--crop", "none").exit_code == 5

    def test_known_people_of_the_environment_do_not_contradict_known_photos(
        self, incoming: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """As run.sh of a bundle sets it, whether there is a gallery or not."""
        monkeypatch.setenv("FACEKIT_GALLERY", str(incoming / "none.db"))
        shutil.copy(OBAMA2, incoming)
        assert once(incoming, "--known", OBAMA).exit_code == 0
        assert once(incoming).exit_code == 7

    def test_a_folder_that_is_missing_is_an_error(self, incoming: Path) -> None:
        one = once(incoming / "none", "--known", OBAMA)
        assert (one.exit_code, "cannot be read" in one.stderr) == (4, True)

    def test_nothing_in_a_name_begins_a_line(self, incoming: Path) -> None:
        shutil.copy(OBAMA2, incoming / "a\nsame\tb.jpg")
        assert once(incoming, "--known", BIDEN).stdout == "different\ta?same?b.jpg\n"


@pytest.mark.parametrize("polling", [True, False], ids=["polling", "inotify"])
class TestArriving:
    """With and without watchdog."""

    @pytest.fixture(autouse=True)
    def _watchdog(self, polling: bool) -> None:
        if not polling:
            pytest.importorskip("watchdog", reason="no watchdog: pip install '.[watch]'")

    def test_what_arrives_is_answered_what_was_there_is_not(
        self, incoming: Path, polling: bool
    ) -> None:
        shutil.copy(OBAMA, incoming / "there.jpg")
        interval = ("--interval", "0.3" if polling else "600")  # looks alone would be too late
        with watching(incoming, "--known", OBAMA, *interval, polling=polling) as one:
            arrive(BIDEN, incoming, "b.jpg")
            assert one.line() == "different\tb.jpg", "at once, though stdout is a pipe"
            (incoming / "damaged.jpg").write_bytes(b"no photo")
            assert one.line() == "error 4\tdamaged.jpg"
            shutil.copy(OBAMA2, incoming / "o.jpg")
            assert one.line() == "same\to.jpg"
            shutil.copy(BIDEN, incoming / "there.jpg")
            assert one.line() == "different\tthere.jpg", "it has changed"
            arrive(BIDEN, incoming, "o.jpg")
            assert one.line() == "different\to.jpg", "replaced by another"
            assert one.end(signal.SIGINT) == (130, "")
        assert "without the 1 photos that are there" in one.notes
        assert ("facekit-cli[watch]" in one.notes) == polling

    def test_a_photo_that_is_being_written_is_waited_for(
        self, incoming: Path, polling: bool
    ) -> None:
        content = Path(OBAMA2).read_bytes()
        interval = ("--interval", "0.8")
        with watching(incoming, "--known", OBAMA, *interval, polling=polling) as one:
            with (incoming / "slow.jpg").open("wb", buffering=0) as file:
                for part in range(10):  # 2.5 s, in which it could be looked at three times
                    file.write(content[part * len(content) // 10 : (part + 1) * len(content) // 10])
                    time.sleep(0.25)
            assert one.line() == "same\tslow.jpg"
            assert one.end(signal.SIGTERM) == (143, "")

    def test_a_folder_that_goes_away_ends_it(self, incoming: Path, polling: bool) -> None:
        options = ("--known", OBAMA, "--interval", "0.2", "--json")
        with watching(incoming, *options, polling=polling) as one:
            shutil.rmtree(incoming)
            assert json.loads(one.line())["error"]["exit_code"] == 4, "one line, as all others"
            assert one.process.wait(timeout=LONG_S) == 4
        assert "cannot be read" in one.notes
        assert "Traceback" not in one.notes


def test_many_photos_at_once_some_of_which_vanish(incoming: Path, tmp_path: Path) -> None:
    """They arrive faster than they are answered; some are gone when it is their turn."""
    count = 2000
    with watching(incoming, "--known", OBAMA, "--interval", "0.2") as one:
        (tmp_path / "bad").write_bytes(b"no photo")
        for number in range(count):
            os.link(tmp_path / "bad", tmp_path / "link")
            (tmp_path / "link").rename(incoming / f"{number:04}.jpg")
        for number in range(0, count, 10):
            (incoming / f"{number:04}.jpg").unlink()
        arrive(OBAMA2, incoming, "z.jpg")
        lines = [one.line()]
        while lines[-1] != "same\tz.jpg":
            lines.append(one.line())
        code, rest = one.end(signal.SIGINT)
    lines += rest.splitlines()
    assert code == 130
    assert len(lines) == len(set(lines)), "each once"
    left = {f"error 4\t{number:04}.jpg" for number in range(count) if number % 10}
    assert left <= set(lines)


def test_existing_photos_are_answered_first_and_then_what_arrives(incoming: Path) -> None:
    shutil.copy(OBAMA2, incoming / "there.jpg")
    with watching(incoming, "--known", OBAMA, "--existing", "--interval", "0.2") as one:
        assert one.line() == "same\tthere.jpg"
        arrive(BIDEN, incoming, "b.jpg")
        assert one.line() == "different\tb.jpg"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_amid_many_photos_ends_it_between_two(
    incoming: Path, number: signal.Signals
) -> None:
    for copy in range(40):
        shutil.copy(OBAMA2, incoming / f"{copy:02}.jpg")
    with watching(incoming, "--known", OBAMA, "--existing", "--interval", "0.1") as one:
        assert one.line() == "same\t00.jpg"
        code, rest = one.end(number)
        assert len(one.notes.splitlines()) == 1, one.notes
    assert code == 128 + number
    answered = rest.splitlines()
    assert answered == [f"same\t{copy:02}.jpg" for copy in range(1, len(answered) + 1)]
    assert len(answered) < 39, "it has gone on to the end"


def test_the_photo_under_way_is_finished(incoming: Path) -> None:
    """The request to stop comes when its face has been found, before it is embedded."""
    stop = Wakeup()

    class StopAtFirstPhoto(Reporter):
        watching = False

        def note(self, line: str) -> None:
            self.watching = True  # the known photo has been embedded

        def timing(self, stage: str, milliseconds: float) -> None:
            if self.watching and stage == "detect":
                stop.set()

    for copy in range(3):
        shutil.copy(OBAMA2, incoming / f"{copy}.jpg")
    answers = watch(
        incoming,
        known=[OBAMA],
        existing=True,
        interval_s=0.1,
        asked_to_stop=lambda: closing(stop),
        reporter=StopAtFirstPhoto(),
    )
    assert [(photo.path.name, bool(photo)) for photo in answers] == [("0.jpg", True)]


def test_a_reader_that_goes_away_ends_it_quietly(incoming: Path) -> None:
    shutil.copy(OBAMA2, incoming / "a.jpg")
    with watching(incoming, "--known", OBAMA, "--existing", "--interval", "0.1") as one:
        assert one.process.stdout is not None
        one.line()
        one.process.stdout.close()
        arrive(OBAMA2, incoming, "b.jpg")
        assert one.process.wait(timeout=LONG_S) == 141


def test_a_gallery_that_changes_is_asked_as_it_is_then(incoming: Path, tmp_path: Path) -> None:
    gallery = facekit.Gallery(tmp_path / "people.db")
    gallery.create()
    with watching(incoming, "--gallery", str(tmp_path / "people.db"), "--interval", "0.2") as one:
        arrive(OBAMA2, incoming, "a.jpg")
        assert one.line() == "unknown\ta.jpg"
        gallery.enroll("Barack", [OBAMA])
        arrive(OBAMA2, incoming, "b.jpg")
        assert one.line() == "known Barack\tb.jpg"
        with closing(sqlite3.connect(tmp_path / "people.db")) as damaged:
            damaged.execute("DROP TABLE template")
        arrive(OBAMA2, incoming, "c.jpg")
        assert one.line() == "error 7\tc.jpg"
        assert one.end(signal.SIGTERM)[0] == 143


def test_from_python_it_can_be_left_and_interrupted(incoming: Path) -> None:
    began = threading.Timer(1.0, arrive, (OBAMA2, incoming, "a.jpg"))
    began.start()
    answers = facekit.watch(incoming, known=[OBAMA], interval=0.1)
    photo = next(answers)
    assert (photo.path, bool(photo)) == (incoming / "a.jpg", True)
    before = len(os.listdir("/proc/self/fd"))
    assert isinstance(answers, Generator)
    answers.close()
    assert len(os.listdir("/proc/self/fd")) < before, "pipes and inotify are closed"


def write_black(path: Path) -> None:
    import cv2
    import numpy as np

    cv2.imwrite(str(path), np.zeros((80, 80, 3), np.uint8))
