"""kill -9 at random moments: what a command had told of is kept, and what was there is whole."""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import pytest

from facekit.errors import StorageError
from facekit.gallery.sqlite.encryption import key_file
from facekit.gallery.sqlite.gallery import SqliteGallery, create_sqlite
from facekit.gallery.transfer import export_gallery
from facekit.model.store import load_checked
from tests.forked_commands import Forks, forks
from tests.gallery.made_up import SPACE, templates
from tests.networks.tiny_embedder import tiny_embedder

pytestmark = pytest.mark.model

PEOPLE = 12
SHARE_KILLED = 0.2
"""At least this share of the rounds must end by the signal; the others were over before it."""


class Command(Protocol):
    """A command that changes what is stored; each is made in an empty folder."""

    def __init__(self, folder: Path, data: Path) -> None: ...

    def arguments(self, turn: int) -> list[str]: ...

    def require_nothing_lost(self, output: str) -> None:
        """Raises AssertionError if something is missing or half there after a round."""
        ...


class Enroll:
    """Photos of people, a folder a person, into a gallery."""

    def __init__(self, folder: Path, data: Path) -> None:
        self._url = folder / "people.db"
        self._model = tiny_embedder(data, folder / "tiny").path
        self._people = folder / "people"
        for number in range(PEOPLE):
            (self._people / f"P{number:02d}").mkdir(parents=True)
            for photo in ("obama.jpg", "biden.jpg"):
                shutil.copy(data / photo, self._people / f"P{number:02d}")

    def arguments(self, turn: int) -> list[str]:
        model = ["--model", str(self._model), "--detector", "yunet"]
        return ["enroll", "--data", str(self._people), "--gallery", str(self._url), *model]

    def require_nothing_lost(self, output: str) -> None:
        told = {line.split()[-1] for line in output.split("\n")[1:-1]}
        if not self._url.exists():
            assert not told
            return
        with SqliteGallery(self._url) as gallery:
            assert gallery.check() == []
            listed = {person.name: person.template_count for person in gallery.people()}
        assert told <= set(listed)
        assert set(listed.values()) <= {2}
        if len(listed) == PEOPLE:
            self._url.unlink()


class GalleryImport:
    """An exported gallery into another."""

    def __init__(self, folder: Path, data: Path) -> None:
        self._url, self._export = folder / "people.db", folder / "people.jsonl"
        create_sqlite(folder / "source.db")
        with SqliteGallery(folder / "source.db") as source:
            for number in range(PEOPLE):
                source.add(f"P{number:02d}", templates(number), SPACE)
            export_gallery(source, self._export)
        self._listed: dict[str, int] = {}

    def arguments(self, turn: int) -> list[str]:
        return ["gallery", "import", str(self._export), "--gallery", str(self._url)]

    def require_nothing_lost(self, output: str) -> None:
        before, self._listed = self._listed, {}
        if self._url.exists():
            with SqliteGallery(self._url) as gallery:
                assert gallery.check() == []
                self._listed = {one.name: one.template_count for one in gallery.people()}
        assert set(before) <= set(self._listed)
        assert set(self._listed.values()) <= {3}
        if len(self._listed) == PEOPLE:
            self._url.unlink()
            self._listed = {}


class Merge:
    """Two people of a gallery are merged, and parted again."""

    def __init__(self, folder: Path, data: Path) -> None:
        self._url = folder / "people.db"
        create_sqlite(self._url)
        with SqliteGallery(self._url) as gallery:
            gallery.add("Ada", templates(1, 40), SPACE)
            gallery.add("Byron", [*templates(1, 5), *templates(2, 40)], SPACE)
        self._is_merged = False

    def arguments(self, turn: int) -> list[str]:
        verb = "unmerge" if self._is_merged else "merge"
        return ["gallery", verb, "Ada", "Byron", "--gallery", str(self._url)]

    def require_nothing_lost(self, output: str) -> None:
        with SqliteGallery(self._url) as gallery:
            assert gallery.check() == []
            listed = {person.name: person.template_count for person in gallery.people()}
            self._is_merged = bool(gallery.merges())
        assert listed == ({"Ada": 80} if self._is_merged else {"Ada": 40, "Byron": 45})


class Rekey:
    """A gallery gets another key."""

    def __init__(self, folder: Path, data: Path) -> None:
        self._url = folder / "people.db"
        self._keys = [folder / "a.key", folder / "b.key"]
        for number, key in enumerate(self._keys):
            key.write_bytes(bytes([number]) * 32)
        create_sqlite(self._url, secret=key_file(self._keys[0]))
        with SqliteGallery(self._url, secret=lambda: key_file(self._keys[0])) as gallery:
            for number in range(PEOPLE):
                gallery.add(f"P{number:02d}", templates(number, 20), SPACE)

    def arguments(self, turn: int) -> list[str]:
        old, new = self._keys
        keys = ["--key-file", str(old), "--new-key-file", str(new)]
        return ["gallery", "rekey", *keys, "--gallery", str(self._url)]

    def require_nothing_lost(self, output: str) -> None:
        try:
            SqliteGallery(self._url, secret=lambda: key_file(self._keys[0])).close()
        except StorageError:
            self._keys.reverse()
        with SqliteGallery(self._url, secret=lambda: key_file(self._keys[0])) as gallery:
            assert gallery.check() == []
            assert {one.template_count for one in gallery.people()} == {20}
            assert len(list(gallery.templates())) == 20 * PEOPLE


class Calibrate:
    """A model's card gets thresholds, in turn at one rate and at another."""

    def __init__(self, folder: Path, data: Path) -> None:
        self._model = tiny_embedder(data, folder / "tiny").path
        self._people = folder / "people"
        for name, photos in (("A", ("obama.jpg", "obama2.jpg")), ("B", ("biden.jpg",))):
            (self._people / name).mkdir(parents=True)
            for photo in photos:
                shutil.copy(data / photo, self._people / name)
        shutil.copytree(self._people / "A", self._people / "C")

    def arguments(self, turn: int) -> list[str]:
        fmr = ("0.4", "0.5")[turn % 2]
        data = ["--data", str(self._people), "--protocol", "folders", "--detector", "yunet"]
        return ["calibrate", "--model", str(self._model), *data, "--fmr", fmr, "--write"]

    def require_nothing_lost(self, output: str) -> None:
        load_checked(self._model, read_all=True)
        card = self._model.with_suffix(".json").read_text()
        rates = [rate for rate in ("fmr=4e-1", "fmr=5e-1") if f'"{rate}"' in card]
        assert len(rates) <= 1
        if "written to the model's card" in output:
            assert rates


class Installed:
    """YuNet in the store, which a command installs again."""

    def __init__(self, folder: Path, data: Path) -> None:
        self._home = Path(os.environ["FACEKIT_HOME"])
        self._content = self._file.read_bytes()

    @property
    def _file(self) -> Path:
        return self._home / "models" / "yunet" / "yunet_float32.tflite"

    def require_nothing_lost(self, output: str) -> None:
        replaced = self._home / "models" / ".yunet.old"  # the next install puts it back
        folder = self._file.parent if self._file.parent.exists() else replaced
        assert load_checked(folder / self._file.name, read_all=True).card.name == "yunet"
        assert (folder / self._file.name).read_bytes() == self._content


class Build(Installed):
    def arguments(self, turn: int) -> list[str]:
        return ["models", "build", "yunet", "--offline"]


class ModelsImport(Installed):
    def __init__(self, folder: Path, data: Path) -> None:
        super().__init__(folder, data)
        self._archive = folder / "yunet.tar"
        with forks() as running:
            asked = ["models", "export", "yunet", "-o", str(self._archive)]
            assert running.run(asked, folder / "told") == 0, (folder / "told.err").read_text()

    def arguments(self, turn: int) -> list[str]:
        return ["models", "import", str(self._archive), "--force"]


class Convert:
    """Files of a network, written over those of the round before."""

    def __init__(self, folder: Path, data: Path) -> None:
        self._model = tiny_embedder(data, folder / "tiny").path
        self._out = folder / "out"
        self._names: set[str] = set()

    def arguments(self, turn: int) -> list[str]:
        return ["convert", str(self._model), "--float16", "-o", str(self._out), "--force"]

    def require_nothing_lost(self, output: str) -> None:
        before, self._names = self._names, {path.name for path in self._out.glob("[!.]*")}
        assert before <= self._names
        for path in self._out.glob("[!.]*.tflite"):
            assert load_checked(path, read_all=True).path == path


class ServeStdin:
    """Requests on stdin, of which each is answered by a whole line."""

    def __init__(self, folder: Path, data: Path) -> None:
        self._model = tiny_embedder(data, folder / "tiny").path
        self.source = folder / "requests"
        photo = str(data / "obama.jpg")
        lines = [json.dumps({"detect": photo, "id": number}) for number in range(20)]
        self.source.write_text("\n".join(lines) + "\n")
        self._home = Path(os.environ["FACEKIT_HOME"])
        self._stored = self._hashes()

    def arguments(self, turn: int) -> list[str]:
        return [
            "serve-stdin",
            "--threshold",
            "0.5",
            "--model",
            str(self._model),
            "--detector",
            "yunet",
        ]

    def require_nothing_lost(self, output: str) -> None:
        answers = [json.loads(line) for line in output.split("\n")[:-1]]
        assert [answer["id"] for answer in answers] == list(range(len(answers)))
        assert not any("error" in answer for answer in answers), answers
        assert self._hashes() == self._stored

    def _hashes(self) -> dict[Path, str]:
        files = (path for path in (self._home / "models").rglob("*") if path.is_file())
        return {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


COMMANDS = (
    *(Enroll, GalleryImport, Merge, Rekey, Calibrate, Build, ModelsImport, Convert),
    ServeStdin,
)


@pytest.fixture
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A FACEKIT_HOME with copies of what the commands change."""
    from facekit.model.store import home

    own = tmp_path / "home"
    for name in ("models/yunet", "sources/yunet"):
        shutil.copytree(home() / name, own / name)
    monkeypatch.setenv("FACEKIT_HOME", str(own))
    monkeypatch.delenv("FACEKIT_GALLERY_PASSPHRASE", raising=False)
    return own


@pytest.fixture
def running(own_home: Path) -> Iterator[Forks]:
    with forks() as started:
        yield started


@pytest.mark.parametrize(
    ("kind", "kills"),
    [(Enroll, 2), *(pytest.param(kind, 100, marks=pytest.mark.slow) for kind in COMMANDS)],
)
def test_kill_9_loses_nothing(
    kind: type[Command], kills: int, running: Forks, tmp_path: Path, data: Path
) -> None:
    folder = tmp_path / "own"
    folder.mkdir()
    command, told, rng = kind(folder, data), folder / "told", random.Random(16)
    source = str(getattr(command, "source", os.devnull))
    seconds, killed, turn = 300.0, 0, 0
    while killed < kills:
        start = time.monotonic()
        limit_s = rng.uniform(0, seconds) if turn else seconds
        code = running.run(command.arguments(turn), told, seconds=limit_s, source=source)
        assert code in (0, -signal.SIGKILL), Path(f"{told}.err").read_text()
        if code == 0:
            seconds = time.monotonic() - start
        else:
            killed += 1
        turn += 1
        assert turn <= 10 + kills / SHARE_KILLED, f"only {killed} of {turn} were killed"
        command.require_nothing_lost(told.read_text() if told.exists() else "")
    last = running.run(command.arguments(turn), told, source=source)
    assert last == 0, Path(f"{told}.err").read_text()
    command.require_nothing_lost(told.read_text())
