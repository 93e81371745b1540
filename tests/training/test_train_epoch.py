"""Which photos are held out, and which each step sees."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from facekit.errors import InputError
from facekit.photo.sources import PersonFolder
from facekit.training.config import TrainConfig
from facekit.training.config_file import config_from
from facekit.training.dataset.epoch import epoch_plan, photos_sha256, split, steps_per_epoch


def _people(*counts: int) -> list[PersonFolder]:
    return [
        PersonFolder(f"p{index}", tuple(Path(f"p{index}/{n}.png") for n in range(count)))
        for index, count in enumerate(counts)
    ]


def _config(**changes: object) -> TrainConfig:
    return config_from({}, {"batch_size": 4, **changes}, origin="the test")


def test_held_out_photos_are_of_everyone_with_two_or_more() -> None:
    training, held = split(_people(1, 2, 10), _config(held_out=0.3))
    assert np.bincount(training.labels).tolist() == [1, 1, 7]
    assert np.bincount(held.labels).tolist() == [0, 1, 3]
    assert not set(training.paths) & set(held.paths)
    assert split(_people(1, 2, 10), _config(held_out=0.3))[1].paths == held.paths
    assert split(_people(1, 2, 10), _config(held_out=0.3, seed=1))[1].paths != held.paths


def test_one_person_is_not_enough() -> None:
    with pytest.raises(InputError, match="two people"):
        split(_people(5, 0), _config())


def test_an_epoch_sees_every_photo_once_in_an_order_of_its_own() -> None:
    photos, _ = split(_people(6, 6), _config())
    plans = [epoch_plan(photos, _config(), epoch) for epoch in (0, 1)]
    assert [plan.shape for plan in plans] == [(3, 4), (3, 4)]
    assert all(sorted(plan.ravel()) == list(range(12)) for plan in plans)
    assert (plans[0] != plans[1]).any()
    assert (epoch_plan(photos, _config(), 1) == plans[1]).all()


def test_more_steps_than_photos_go_round_again() -> None:
    photos, _ = split(_people(3, 3), _config())
    plan = epoch_plan(photos, _config(steps_per_epoch=4), 0)
    assert plan.shape == (4, 4)
    assert np.bincount(plan.ravel()).min() >= 2


def test_balanced_batches_have_so_many_of_each_person() -> None:
    photos, _ = split(_people(1, 5, 5, 3, 2), _config())
    config = _config(batch_size=6, photos_per_person=2)
    for epoch in range(3):
        plan = epoch_plan(photos, config, epoch)
        for batch in plan:
            people, counts = np.unique(photos.labels[batch], return_counts=True)
            assert len(people) == 3
            assert (counts == 2).all()
        with_two = [batch for batch in plan.reshape(-1, 2) if photos.labels[batch[0]] != 0]
        assert all(a != b for a, b in with_two), "no photo twice where there are two"


def test_batches_that_cannot_be_filled() -> None:
    photos, _ = split(_people(2, 1), _config())
    with pytest.raises(InputError, match="smaller --batch-size"):
        steps_per_epoch(photos, _config())
    with pytest.raises(InputError, match="4 people needs as many"):
        epoch_plan(photos, _config(batch_size=8, photos_per_person=2), 0)


def test_the_data_s_hash_sees_names_and_sizes_wherever_they_lie(tmp_path: Path) -> None:
    hashes = []
    for folder in ("a", "b", "c"):
        people = []
        for name in ("x", "y"):
            photo = tmp_path / folder / name / "1.png"
            photo.parent.mkdir(parents=True)
            photo.write_bytes(b"12" if (folder, name) == ("c", "y") else b"1")
            people.append(PersonFolder(name, (photo,)))
        hashes.append(photos_sha256(tmp_path / folder, *split(people, _config())))
    assert hashes[0] == hashes[1] != hashes[2]
