"""APCER, BPCER and non-responses of ISO/IEC 30107-3, counted by hand; and the way to them."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner, Result

from facekit.cli import cli
from facekit.enums import PadDecision
from facekit.evaluation.metrics.liveness import pad_rates
from facekit.photo.decode import read_image
from facekit.photo.write import write_png
from tests.made_up_attacks import write_made_up
from tests.networks.tiny_pad import write_pad
from tests.schemas import require_schema

LIVE, ATTACK, NOTHING = PadDecision.BONA_FIDE, PadDecision.ATTACK, PadDecision.NON_RESPONSE


def test_rates_are_those_that_are_counted_by_hand() -> None:
    rates = pad_rates(
        [LIVE] * 7 + [ATTACK] * 1 + [NOTHING] * 2,
        {"print": [ATTACK] * 3 + [LIVE], "mask": [LIVE] * 3 + [ATTACK, NOTHING]},
    )
    assert rates.bpcer is not None
    assert (rates.bpcer.event_count, rates.bpcer.trial_count) == (1, 8)
    assert (rates.bpnrr.event_count, rates.bpnrr.trial_count) == (2, 10)
    printed, mask = rates.species
    assert printed.apcer is not None
    assert mask.apcer is not None
    assert (printed.apcer.value, mask.apcer.value) == (0.25, 0.75)
    assert (printed.apnrr.value, mask.apnrr.value) == (0.0, 0.2)
    assert rates.worst is mask
    assert rates.acer == (0.75 + 0.125) / 2
    # Clopper-Pearson of 3 in 4, by the quantiles of the beta distribution: 0.1941 to 0.9937
    assert mask.apcer.ci95 == pytest.approx((0.1941, 0.9937), abs=1e-4)


def test_what_is_never_answered_has_no_error_rate() -> None:
    rates = pad_rates([NOTHING], {"print": [NOTHING, NOTHING], "cut": [ATTACK]})
    assert rates.bpcer is None
    assert rates.species[0].apcer is None
    assert rates.acer is None
    assert rates.worst is rates.species[1]
    with pytest.raises(ZeroDivisionError):
        pad_rates([LIVE], {"print": []})


def run(*arguments: object) -> Result:
    return CliRunner().invoke(cli, [str(one) for one in arguments])


@pytest.fixture(scope="module")
def presentations(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A portrait, and the made-up attacks on it; one print shows no face."""
    folder = tmp_path_factory.mktemp("presentations")
    small = folder.parent / "obama.png"
    pixels = read_image(data / "obama.jpg")
    write_png(small, np.asarray(cv2.resize(pixels, (364, 455)), np.uint8))
    write_made_up([small], folder)
    write_png(folder / "print" / "wall.png", pixels[:1, :1].repeat(90, 0).repeat(90, 1))
    return folder


@pytest.mark.model
def test_evaluate_classifies_each_species_by_itself(presentations: Path, tmp_path: Path) -> None:
    detector = write_pad(tmp_path)
    told = run("evaluate", presentations, "--liveness-model", detector, "--json")
    assert told.exit_code == 0, told.stderr
    require_schema("evaluate liveness", report := json.loads(told.stdout))
    assert report["bona_fide"]["bpcer"]["event_count"] == 0
    attacks = {one["species"]: one for one in report["attacks"]}
    assert set(attacks) == {"print", "replay", "cut"}
    assert {one["apcer"]["value"] for one in attacks.values()} == {0.0}
    assert attacks["print"]["apnrr"]["value"] == 0.5
    assert report["failed"] == []

    text = run("evaluate", presentations, "--liveness-model", detector).stdout
    assert "APCER 0.0 % (0.0 to " in " ".join(text.split())
    assert "for no others" in " ".join(text.split())


@pytest.mark.model
def test_a_damaged_photo_counts_nowhere_and_is_told(presentations: Path, tmp_path: Path) -> None:
    damaged = presentations / "cut" / "damaged.jpg"
    damaged.write_bytes(b"no photo")
    try:
        told = run("evaluate", presentations, "--liveness-model", write_pad(tmp_path), "--json")
    finally:
        damaged.unlink()
    assert told.exit_code == 4
    report = json.loads(told.stdout)
    assert [Path(one["photo"]).name for one in report["failed"]] == ["damaged.jpg"]
    assert {one["presentation_count"] for one in report["attacks"] if one["species"] == "cut"} == {
        1
    }


def test_a_folder_of_another_form_cannot_be_measured(tmp_path: Path) -> None:
    (tmp_path / "print").mkdir()
    told = run("evaluate", tmp_path, "--liveness-model", "x")
    assert told.exit_code == 4
    assert "must hold the folder bona-fide" in " ".join(told.stderr.split())
    told = run("evaluate", tmp_path / "none", "--liveness-model", "x")
    assert told.exit_code == 4
    assert "none is not a folder" in " ".join(told.stderr.split())


def test_options_that_mean_nothing_to_attacks_are_refused(tmp_path: Path) -> None:
    told = run("evaluate", tmp_path, "--liveness-model", "x", "--model", "sface")
    assert told.exit_code == 2
    assert "--model goes without --liveness-model" in " ".join(told.stderr.split())
