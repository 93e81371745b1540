"""Many photos: workers give what one process gives, in order, whatever happens to them."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import facekit
from facekit.enums import Metric
from facekit.errors import ImageError, UsageError
from facekit.pipeline.photos import PhotoFailure, embed_each, map_photos, worth_workers
from facekit.pipeline.pipeline import Pipeline
from facekit.pipeline.records import EmbeddedPicture
from facekit.reporter import Item, Reporter
from facekit.system.processes import available_cores
from facekit.tasks.verify_pairs import PhotoPair, VerifiedPair, verify_each
from facekit.template.match import Decision
from facekit.template.threshold import given_threshold


@pytest.fixture(scope="module")
def pipeline() -> Pipeline:
    return facekit.load(threads=1)


@pytest.fixture
def photos(data: Path, tmp_path: Path) -> list[str]:
    """Two good photos, a bad one, a good one."""
    bad = tmp_path / "bad.jpg"
    bad.write_bytes(b"\xff\xd8 cut short")
    return [str(data / "obama.jpg"), str(data / "biden.jpg"), str(bad), str(data / "obama2.jpg")]


def vectors(results: list[EmbeddedPicture | PhotoFailure]) -> list[Any]:
    return [None if isinstance(one, PhotoFailure) else one.embeddings for one in results]


@pytest.mark.model
def test_workers_give_the_same_vectors_in_the_same_order(
    pipeline: Pipeline, photos: list[str]
) -> None:
    here = list(embed_each(pipeline, photos))
    there = list(embed_each(pipeline, photos, workers=2))
    assert [one.name for one in there] == photos
    assert [type(one) for one in there] == [
        *(EmbeddedPicture, EmbeddedPicture),
        *(PhotoFailure, EmbeddedPicture),
    ]
    assert isinstance(here[2], PhotoFailure)
    assert isinstance(there[2], PhotoFailure)
    assert isinstance(there[2].error, ImageError)
    assert str(there[2].error) == str(here[2].error)
    for one, other in zip(vectors(here), vectors(there), strict=True):
        np.testing.assert_array_equal(one, other)
    assert isinstance(there[0], EmbeddedPicture)
    assert there[0].pixels is None, "pixels do not travel"


@pytest.mark.model
def test_a_killed_worker_costs_nothing_but_time(
    pipeline: Pipeline, data: Path, tmp_path: Path
) -> None:
    copies = [str(shutil.copy(data / "biden.jpg", tmp_path / f"{n}.jpg")) for n in range(8)]
    results = embed_each(pipeline, copies, workers=2)
    first = next(results)
    multiprocessing.active_children()[0].kill()
    rest = list(results)
    assert [one.name for one in [first, *rest]] == copies
    assert all(isinstance(one, EmbeddedPicture) for one in rest)


@dataclass(frozen=True)
class DieOn:
    """Job: doubles the name; a photo called `fatal` kills the process, `broken` cannot be meant."""

    fatal: str = "fatal"
    broken: str = "broken"

    def open(self) -> Callable[[str], str]:
        def double(name: str) -> str:
            if name == self.fatal:
                os.kill(os.getpid(), signal.SIGKILL)
            if name == self.broken:
                raise ValueError("landmarks that all coincide")
            return 2 * name

        return double


def test_a_photo_that_ends_two_workers_is_a_failure_and_the_others_are_done() -> None:
    done = list(map_photos(DieOn(), ["a", "fatal", "b", "c"], workers=2, label="doubling"))
    assert [one for one in done if isinstance(one, str)] == ["aa", "bb", "cc"]
    assert isinstance(done[1], PhotoFailure)
    assert done[1].name == "fatal"
    assert isinstance(done[1].error, ImageError)
    assert "two processes ended" in str(done[1].error)
    assert "exit code -9" in str(done[1].error)
    assert done[1].crashed


@pytest.mark.parametrize("workers", [1, 2])
def test_a_value_error_is_a_failure_that_names_the_photo(workers: int) -> None:
    done = list(map_photos(DieOn(), ["a", "broken"], workers=workers, label="doubling"))
    assert done[0] == "aa"
    assert isinstance(done[1], PhotoFailure)
    assert str(done[1].error) == "broken: landmarks that all coincide"
    assert not done[1].crashed
    assert done[1].to_dict()["error"]["exit_code"] == 4


def test_every_photo_is_reported_once_whoever_works() -> None:
    class Counting(Reporter):
        def __init__(self) -> None:
            self.seen: list[tuple[int, str]] = []

        def steps(self, items: Iterable[Item], *, length: int, label: str) -> Iterator[Item]:
            for item in items:
                self.seen.append((length, label))
                yield item

    for workers in (1, 2):
        reporter = Counting()
        list(map_photos(DieOn(), list("abc"), workers=workers, label="x", reporter=reporter))
        assert reporter.seen == [(3, "x")] * 3


@pytest.mark.model
def test_standard_input_is_for_one_process(pipeline: Pipeline) -> None:
    with pytest.raises(UsageError, match="--workers 1"):
        embed_each(pipeline, ["-"], workers=2)


def test_workers_are_for_many_photos() -> None:
    assert worth_workers(["x"] * 2) == worth_workers(["-"] * 500) == 1
    assert worth_workers(["x"] * 10_000) == available_cores()


@pytest.mark.model
def test_pairs_embed_each_photo_once(
    pipeline: Pipeline, photos: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """And a photo that fails fails its pairs alone."""
    asked: list[str] = []
    embed = Pipeline.embed

    def counted(self: Pipeline, sources: Any) -> Any:
        asked.extend(sources)
        return embed(self, sources)

    monkeypatch.setattr(Pipeline, "embed", counted)
    obama, biden, bad, obama2 = photos
    pairs = [PhotoPair(a, b) for a in photos for b in photos]
    results = list(verify_each(pipeline, pairs, threshold=given_threshold(0.6, Metric.COSINE)))
    assert asked == photos
    same = {
        (one.pair.a, one.pair.b): one.verification.decision.same
        for one in results
        if one.verification is not None
    }
    people = {obama: 0, obama2: 0, biden: 1}
    assert same == {(a, b): people[a] == people[b] for a in people for b in people}
    assert all(bad in (one.pair.a, one.pair.b) for one in results if one.error is not None)


@pytest.mark.model
def test_pairs_by_workers_are_decided_the_same(pipeline: Pipeline, photos: list[str]) -> None:
    pairs = [PhotoPair(a, b) for a in photos for b in photos]
    threshold = given_threshold(0.6, Metric.COSINE)
    runs = [list(verify_each(pipeline, pairs, threshold=threshold, workers=n)) for n in (1, 2)]
    for one, other in zip(*runs, strict=True):
        assert one.pair == other.pair
        assert decision(one) == decision(other)


def decision(result: VerifiedPair) -> Decision | None:
    return None if result.verification is None else result.verification.decision
