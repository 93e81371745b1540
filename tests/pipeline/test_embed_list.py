"""Many photos: workers give what one process gives, in order, whatever happens to them."""

from __future__ import annotations

import multiprocessing
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import facekit
from facekit.enums import Metric
from facekit.errors import ImageError, UsageError
from facekit.pipeline import photos as embed_list
from facekit.pipeline.photos import EmbedResult, embed_each, worth_workers
from facekit.pipeline.pipeline import Pipeline
from facekit.system.processes import Crash, available_cores
from facekit.tasks.verify_pairs import Pair, photos_of, verify_pairs
from facekit.template.threshold import given_threshold

pytestmark = pytest.mark.model


@pytest.fixture(scope="module")
def pipeline() -> Pipeline:
    return facekit.load(threads=1)


@pytest.fixture
def photos(data: Path, tmp_path: Path) -> list[str]:
    """Two good photos, a bad one, a good one."""
    bad = tmp_path / "bad.jpg"
    bad.write_bytes(b"\xff\xd8 cut short")
    return [str(data / "obama.jpg"), str(data / "biden.jpg"), str(bad), str(data / "obama2.jpg")]


def vectors(results: list[EmbedResult]) -> list[Any]:
    return [None if one.embedded is None else one.embedded.embeddings for one in results]


def test_workers_give_the_same_vectors_in_the_same_order(
    pipeline: Pipeline, photos: list[str]
) -> None:
    here = list(embed_each(pipeline, photos))
    there = list(embed_each(pipeline, photos, workers=2))
    assert [one.name for one in there] == photos
    assert [type(one.error) for one in there] == [type(None), type(None), ImageError, type(None)]
    assert str(there[2].error) == str(here[2].error)
    for one, other in zip(vectors(here), vectors(there), strict=True):
        np.testing.assert_array_equal(one, other)
    assert there[0].embedded is not None
    assert there[0].embedded.pixels is None, "pixels do not travel"


def test_a_killed_worker_costs_nothing_but_time(
    pipeline: Pipeline, data: Path, tmp_path: Path
) -> None:
    copies = [str(shutil.copy(data / "biden.jpg", tmp_path / f"{n}.jpg")) for n in range(8)]
    results = embed_each(pipeline, copies, workers=2)
    first = next(results)
    multiprocessing.active_children()[0].kill()
    rest = list(results)
    assert [one.name for one in [first, *rest]] == copies
    assert all(one.error is None for one in rest)


def test_a_photo_that_ends_two_workers_is_a_record(
    pipeline: Pipeline, photos: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    good = EmbedResult("other", None, ImageError("x"))

    def crash_first(_make: Any, items: list[str], *, workers: int) -> Iterator[Any]:
        assert workers == 2
        return iter([Crash(-9), *[good] * (len(items) - 1)])

    monkeypatch.setattr(embed_list, "map_processes", crash_first)
    first, *_ = embed_each(pipeline, photos, workers=2)
    assert first.name == photos[0]
    assert isinstance(first.error, ImageError)
    assert "exit code -9" in str(first.error)


def test_standard_input_is_for_one_process(pipeline: Pipeline) -> None:
    with pytest.raises(UsageError, match="--workers 1"):
        embed_each(pipeline, ["-"], workers=2)


def test_workers_are_for_many_photos() -> None:
    assert worth_workers(["x"] * 2) == worth_workers(["-"] * 500) == 1
    assert worth_workers(["x"] * 10_000) == available_cores()


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
    pairs = [Pair(a, b) for a in photos for b in photos]
    assert photos_of(pairs) == photos
    results = list(verify_pairs(pipeline, pairs, threshold=given_threshold(0.6, Metric.COSINE)))
    assert asked == photos
    same = {
        (one.pair.a, one.pair.b): one.verification.decision.same
        for one in results
        if one.verification is not None
    }
    people = {obama: 0, obama2: 0, biden: 1}
    assert same == {(a, b): people[a] == people[b] for a in people for b in people}
    assert all(bad in (one.pair.a, one.pair.b) for one in results if one.error is not None)


def test_pairs_by_workers_are_decided_the_same(pipeline: Pipeline, photos: list[str]) -> None:
    pairs = [Pair(a, b) for a in photos for b in photos]
    cut = given_threshold(0.6, Metric.COSINE)
    runs = [list(verify_pairs(pipeline, pairs, threshold=cut, workers=n)) for n in (1, 2)]
    for one, other in zip(*runs, strict=True):
        assert one.pair == other.pair
        assert (one.verification and one.verification.decision) == (
            other.verification and other.verification.decision
        )
