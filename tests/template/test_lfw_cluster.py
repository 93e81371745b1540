"""facekit cluster on labeled photos of LFW: how far the groups are from the people."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from facekit.cli import cli
from tests.template.cluster_scores import bcubed, pairwise

pytestmark = [pytest.mark.lfw, pytest.mark.model]

PEOPLE, PHOTOS_EACH = 12, 4


@pytest.fixture
def photos(lfw: Path, tmp_path: Path) -> Path:
    """Photos of people from all over the alphabet, in one folder."""
    several = [
        found[:PHOTOS_EACH]
        for person in sorted((lfw / "lfw-deepfunneled").iterdir())
        if len(found := sorted(person.glob("*.jpg"))) >= PHOTOS_EACH
    ]
    for chosen in several[:: len(several) // PEOPLE][:PEOPLE]:
        for photo in chosen:
            shutil.copy(photo, tmp_path)
    return tmp_path


@pytest.mark.parametrize(("method", "least"), [("agglomerative", 0.9), ("hdbscan", 0.6)])
def test_groups_are_nearly_the_people(photos: Path, method: str, least: float) -> None:
    done = CliRunner().invoke(cli, ["cluster", str(photos), "--json", "--method", method])
    assert done.exit_code == 0, done.stderr
    faces = json.loads(done.stdout)["faces"]
    groups = [face["group"] for face in faces]
    truth = [Path(face["photo"]).stem.rpartition("_")[0] for face in faces]
    assert len(faces) == PEOPLE * PHOTOS_EACH
    scores = {"pairwise": pairwise(groups, truth), "bcubed": bcubed(groups, truth)}
    print({name: (score.precision, score.recall, score.f) for name, score in scores.items()})
    assert scores["pairwise"].f >= least
    assert scores["bcubed"].f >= least
