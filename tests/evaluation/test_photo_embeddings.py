"""Embedding many photos: the cache, kills and interrupts, with the real model."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from facekit.enums import CropRule
from facekit.errors import InputError
from facekit.evaluation import embeddings as module
from facekit.evaluation.embeddings import (
    EmbeddedViews,
    EmbedSettings,
    EmbedViews,
    PhotoEmbeddings,
    embed_photos,
)
from facekit.model.registry import DEFAULT_MODEL
from facekit.model.store import find
from tests.small_lfw import group_is_gone, home_of_its_own, noise_photos

pytestmark = pytest.mark.model
N_PHOTOS = 150
WHOLE = EmbedSettings(trim_px=1)
"""no detector: fast, and any pixels will do"""


@pytest.fixture
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = home_of_its_own(tmp_path / "facekit")
    monkeypatch.setenv("FACEKIT_HOME", str(folder))
    return folder


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return noise_photos(tmp_path_factory.mktemp("photos"), N_PHOTOS)


def embed(
    photos: list[Path], settings: EmbedSettings = WHOLE, *, recompute: bool = False
) -> PhotoEmbeddings:
    return embed_photos(photos, find(DEFAULT_MODEL), settings, workers=2, recompute=recompute)


def cached(own_home: Path) -> int:
    """Records on the disk."""
    files = list((own_home / "cache" / "embeddings").glob("*.embeddings"))
    return sum(file.stat().st_size for file in files) // (4 + 32 + 240 + 4 * 512)


def test_photos_come_from_the_cache_the_second_time(own_home: Path, photos: list[Path]) -> None:
    first = embed(photos[:5])
    assert first.computed == 5
    assert {name: len(spent) for name, spent in first.stage_ms.items()} == {
        "decode": 5, "align": 5, "embed": 5,
    }  # fmt: skip
    assert first.wall_s > 0
    again = embed([*photos[:5], photos[2]])
    assert (again.computed, dict(again.stage_ms), again.wall_s) == (0, {}, 0.0)
    assert (again.vectors[:5] == first.vectors).all()
    assert (again.vectors[5] == first.vectors[2]).all()
    timed = embed(photos[:5], recompute=True)
    assert timed.computed == 5
    assert (timed.vectors == first.vectors).all()
    assert cached(own_home) == 5  # nothing is kept twice


def test_a_mirrored_runs_first_view_serves_a_plain_run(own_home: Path, photos: list[Path]) -> None:
    both = embed(photos[:2], EmbedSettings(trim_px=1, mirrored=True))
    plain = embed(photos[:2])
    assert plain.computed == 0
    assert (plain.vectors == both.vectors[:, :1]).all()
    assert not (both.vectors[:, 0] == both.vectors[:, 1]).all()


def test_what_changes_a_vector_is_another_file(own_home: Path, photos: list[Path]) -> None:
    card = find(DEFAULT_MODEL).card
    assert card.crop is not None
    whole = EmbedSettings(crop=type(card.crop)(CropRule.NONE, 0.0, card.crop.resize_filter))
    assert embed(photos[:1]).computed == embed(photos[:1], whole).computed == 1


def test_a_photo_that_is_not_there_is_an_error_before_any_work(
    own_home: Path, photos: list[Path], tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=r"none\.png: No such file"):
        embed([photos[0], tmp_path / "none.png"])


@dataclass(frozen=True, slots=True)
class DieOnSeven:
    """Job: as EmbedViews, but the photo 007.png ends its process."""

    model: Path
    settings: EmbedSettings

    def open(self) -> Callable[[Path], EmbeddedViews]:
        embed_views = EmbedViews(self.model, self.settings).open()

        def embed_or_die(photo: Path) -> EmbeddedViews:
            if photo.name == "007.png":
                os.kill(os.getpid(), signal.SIGKILL)
            return embed_views(photo)

        return embed_or_die


def test_a_photo_that_ends_its_workers_is_a_failure_and_is_tried_again_by_the_next_run(
    own_home: Path, photos: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(module, "EmbedViews", DieOnSeven)
        found = embed(photos[:12])
    assert found.acquired.tolist() == [number != 7 for number in range(12)]
    assert found.errors[7].startswith("ImageError: ")
    assert "two processes ended" in found.errors[7]
    assert (found.vectors[7] == 0).all()
    again = embed(photos[:12])
    assert (again.computed, again.errors) == (1, ("",) * 12)


def test_few_photos_are_embedded_by_this_process(own_home: Path, photos: list[Path]) -> None:
    model = find(DEFAULT_MODEL)
    here = embed_photos(photos[:3], model, WHOLE)
    assert here.workers == 1
    there = embed_photos(photos[:3], model, WHOLE, workers=2, recompute=True)
    assert there.workers == 2
    assert (here.vectors == there.vectors).all()


SCRIPT = """
import json, sys
from pathlib import Path
from facekit.evaluation.embeddings import EmbedSettings, embed_photos
from facekit.model.store import find
from facekit.reporter import Reporter

class Counting(Reporter):
    def steps(self, items, *, length, label):
        for number, item in enumerate(items, 1):
            print(number, flush=True)
            yield item

if __name__ == "__main__":
    photos = [Path(one) for one in json.loads(sys.argv[2])]
    settings = EmbedSettings(trim_px=1)
    embed_photos(photos, find(sys.argv[1]), settings, workers=2, reporter=Counting())
"""


@pytest.fixture
def running(own_home: Path, photos: list[Path], tmp_path: Path
            ) -> Iterator[subprocess.Popen[str]]:  # fmt: skip
    """A run of its own that has embedded 70 photos, one batch of 64 and some."""
    script = tmp_path / "run.py"
    script.write_text(SCRIPT)
    process = subprocess.Popen(
        [sys.executable, str(script), DEFAULT_MODEL, json.dumps([str(one) for one in photos])],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, "PYTHONPATH": str(Path(module.__file__).parents[2])},
    )
    assert process.stdout is not None
    while (line := process.stdout.readline()) and int(line) < 70:
        pass
    yield process
    process.kill()
    process.communicate()


def test_a_kill_loses_at_most_a_batch_and_the_next_run_completes(
    own_home: Path, photos: list[Path], running: subprocess.Popen[str], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    running.send_signal(signal.SIGKILL)
    _out, complaints = running.communicate()
    assert group_is_gone(running.pid)
    assert complaints == ""  # the workers, whose parent is dead, end without a word
    kept = cached(own_home)
    assert 64 <= kept < N_PHOTOS
    resumed = embed(photos)
    assert resumed.computed == N_PHOTOS - kept
    monkeypatch.setenv("FACEKIT_HOME", str(home_of_its_own(tmp_path / "fresh")))
    assert (embed(photos).vectors == resumed.vectors).all()


def test_an_interrupt_loses_nothing_and_leaves_no_worker(
    own_home: Path, running: subprocess.Popen[str]
) -> None:
    os.killpg(running.pid, signal.SIGINT)  # as the terminal does: to the workers too
    _out, _trace = running.communicate(timeout=60)
    assert group_is_gone(running.pid)
    assert cached(own_home) >= 69  # the 70th was told of, and is on its way to the cache
