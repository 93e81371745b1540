"""facekit eval-lfw: a small LFW with the real model, and a part of the real one."""

from __future__ import annotations

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from facekit.cli import cli
from facekit.cli.command import TYPED, command_line
from facekit.photo.decode import load_picture
from facekit.photo.write import jpeg_bytes
from tests.schemas import require_schema
from tests.small_lfw import (
    FACELESS,
    group_is_gone,
    home_of_its_own,
    make_small_lfw,
    noise_photos,
)
from tests.text_tables import require_readable

pytest.importorskip("sklearn", reason="needs the evaluate extra")


@pytest.fixture(scope="module")
def own_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = home_of_its_own(tmp_path_factory.mktemp("home") / "facekit")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FACEKIT_HOME", str(folder))
        patch.delenv("FACEKIT_LFW", raising=False)
        yield folder


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory, data: Path, own_home: Path) -> Path:
    return make_small_lfw(tmp_path_factory.mktemp("small"), data)


def run(*arguments: object) -> Result:
    return CliRunner().invoke(cli, ["eval-lfw", *map(str, arguments)])


@pytest.fixture(scope="module")
def cold(small: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of a first run."""
    pytest.importorskip("matplotlib", reason="needs the plot extra")
    folder = tmp_path_factory.mktemp("out") / "report"
    result = run("--data", small, "-o", folder)
    assert result.exit_code == 0, result.output
    return folder


@pytest.mark.model
def test_the_report_says_what_the_photos_say(cold: Path) -> None:
    report = json.loads((cold / "report.json").read_text())
    require_schema("eval-lfw", report)
    (model,) = report["data_sets"][0]["models"]
    assert report["schema_version"] == 1
    assert report["data_sets"][0]["list_published_as"] is None
    assert model["threshold_origin"] == "other-list"
    # One person under two names is called the same; the photo without a face has no score.
    assert model["fmr"]["event_count"] == 1
    assert model["accuracy"] | {"ci95": None} == {
        "value": 6 / 7, "event_count": 6, "trial_count": 7, "ci95": None,
    }  # fmt: skip
    assert model["accuracy_failures_wrong"]["trial_count"] == 8
    assert model["failed"][0]["photo"] == FACELESS
    assert model["failed"][0]["error"]["message"].startswith("No face found in ")
    assert {stage["stage"] for stage in model["stages"]} == {"decode", "detect", "align", "embed"}
    assert all(0 < stage["median_ms"] <= stage["p95_ms"] for stage in model["stages"])
    assert model["throughput"]["photo_count"] == 11


@pytest.mark.model
def test_the_folder_holds_pairs_page_and_figures(cold: Path) -> None:
    names = {path.name for path in cold.iterdir()}
    assert names >= {"report.json", "report.html", "pairs.csv", "roc.png", "det.png", "scores.png"}
    rows = list(csv.DictReader((cold / "pairs.csv").read_text().splitlines()))
    assert len(rows) == 8
    assert [row["similarity"] == "" for row in rows].count(True) == 1
    page = (cold / "report.html").read_text()
    assert page.count("data:image/jpeg;base64,") == 2  # the crops of the one false match
    assert "Barack Mirrored 0001" in page


@pytest.mark.model
def test_a_warm_run_has_the_same_results_and_says_that_no_time_was_measured(
    small: Path, cold: Path
) -> None:
    result = run("--data", small, "--json")
    assert result.exit_code == 0, result.stderr
    (warm,) = json.loads(result.stdout)["data_sets"][0]["models"]
    (first,) = json.loads((cold / "report.json").read_text())["data_sets"][0]["models"]
    for key in set(first) - {"stages", "throughput", "error_versus_discard"}:
        assert warm[key] == first[key], key
    assert first["error_versus_discard"]
    assert warm["error_versus_discard"] == []  # only a report rates the photos
    assert warm["stages"] == []
    assert any(
        "Every embedding came from the cache" in n
        for n in json.loads(result.stdout)["data_sets"][0]["notes"]
    )


@pytest.mark.model
def test_the_text_is_a_table_with_intervals_and_origin(small: Path, cold: Path) -> None:
    result = run("--data", small, "--all-pairs", "--protocol", "view1")
    assert result.exit_code == 0, result.stderr
    assert "pairsDevTrain.txt + pairsDevTest.txt: 20 pairs" in result.stdout
    assert "the other folds" in result.stdout
    assert "all pairs, best-accuracy" in result.stdout
    require_readable(result.stdout)
    assert "is not LFW's published list" in result.stderr


@pytest.mark.model
def test_the_threshold_of_the_pairs_themselves_is_marked(small: Path, cold: Path) -> None:
    result = run("--data", small, "--protocol", "devtrain")
    assert "THESE VERY PAIRS" in result.stdout


@pytest.mark.model
@pytest.mark.parametrize(("least", "code"), [("0.75", 0), ("0.76", 1)])
def test_an_accuracy_that_is_not_reached_exits_1(
    small: Path, cold: Path, least: str, code: int
) -> None:
    result = run("--data", small, "--assert-accuracy", least)
    assert result.exit_code == code, result.output
    assert ("accuracy below 0.76: facenet512-casia float32 on lfw" in result.stderr) == bool(code)


@pytest.mark.model
def test_profiles_show_their_authors_way_beside_ours(small: Path) -> None:
    result = run("--data", small, "--profile", "sphereface", "--protocol", "devtest", "--json")
    assert result.exit_code == 0, result.output
    require_schema("eval-lfw", json.loads(result.stdout))
    theirs, own = json.loads(result.stdout)["data_sets"][0]["models"]
    assert (theirs["threshold_origin"], theirs["fold_threshold_similarities"]) == ("fixed", [0.41])
    assert own["threshold_origin"] == "other-list"
    assert "mirror image concatenated" in own["profile"]
    assert {"pre_processing_s", "inference_s", "post_processing_s"} <= set(own["throughput"])


@pytest.mark.model
def test_nxps_center_crop_needs_no_detector_and_a_photo_that_is_large_enough(
    small: Path, tmp_path: Path
) -> None:
    big = load_picture(small / "lfw" / "Joe_Biden" / "Joe_Biden_0001.jpg").pixels
    for name, pixels in (("a", big), ("b", big[::-1]), ("c", big[:90]), ("d", big[:, ::-1])):
        (tmp_path / f"{name}.jpg").write_bytes(jpeg_bytes(pixels))
    pairs = tmp_path / "own.csv"
    pairs.write_text("a,b,same\na.jpg,d.jpg,1\na.jpg,b.jpg,0\na.jpg,c.jpg,0\n")
    result = run("--pairs", pairs, "--profile", "nxp", "--json")
    assert result.exit_code == 0, result.output
    require_schema("eval-lfw", json.loads(result.stdout))
    models = json.loads(result.stdout)["data_sets"][0]["models"]
    assert [one["fold_threshold_similarities"] for one in models[:2]] == [[0.4], [0.4]]
    (failed,) = models[0]["failed"]
    assert failed["photo"] == "c.jpg"
    assert "more than 90 pixels a side needed" in failed["error"]["message"]
    assert {stage["stage"] for stage in models[0]["stages"]} == {"decode", "align", "embed"}


@pytest.mark.model
def test_a_corrupt_photo_is_a_counted_failure(small: Path, cold: Path, tmp_path: Path) -> None:
    good = small / "lfw" / "Barack_Obama" / "Barack_Obama_0001.jpg"
    biden = small / "lfw" / "Joe_Biden" / "Joe_Biden_0001.jpg"
    (tmp_path / "broken.jpg").write_bytes(good.read_bytes()[:500])
    pairs = tmp_path / "own.csv"
    other = good.with_name("Barack_Obama_0002.jpg")
    pairs.write_text(f"a,b,same\n{good},{other},1\n{good},{biden},0\n{other},broken.jpg,1\n")
    result = run("--pairs", pairs, "--json")
    assert result.exit_code == 0, result.output
    (model,) = json.loads(result.stdout)["data_sets"][0]["models"]
    assert [one["photo"] for one in model["failed"]] == ["broken.jpg"]
    assert (model["accuracy"]["trial_count"], model["accuracy_failures_wrong"]["trial_count"]) == (
        2,
        3,
    )


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("--protocol", "devtest", "--pairs", "x.csv"), 2, "pass one of them"),
        (("--protocol", "nonsense"), 2, "--protocol is one of"),
        (("--protocol", "view2"), 4, r"view2 needs pairs.txt"),
        (("--model", "no-such-model"), 5, "No model is called"),
        pytest.param(
            ("--model", "facenet512-casia", "--model", "facenet512-casia:float32"),
            2,
            "once",
            marks=pytest.mark.model,
        ),
        (("--limit", "0"), 2, "--limit"),
        (("--gallery-size", "5", "--seed", "1"), 2, "--gallery-size, --seed: these options go"),
        (("--identification", "--gallery-size", "1"), 2, "--gallery-size"),
    ],
)
def test_wrong_options_have_their_exit_code_and_message(
    small: Path, arguments: tuple[str, ...], code: int, message: str
) -> None:
    result = run("--data", small, *arguments)
    assert result.exit_code == code
    assert message in result.stderr
    assert result.stdout == ""


def test_a_folder_with_other_files_is_not_replaced(small: Path, tmp_path: Path) -> None:
    (tmp_path / "precious.txt").write_text("mine")
    result = run("--data", small, "-o", tmp_path)
    assert result.exit_code == 2
    assert "holds other files" in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["precious.txt"]


@pytest.mark.model
def test_an_earlier_report_is_replaced_as_a_whole(small: Path, cold: Path, tmp_path: Path) -> None:
    target = tmp_path / "report"
    target.mkdir()
    (target / "report.json").write_text("{}")
    (target / "folds.png").write_bytes(b"of an earlier evaluation")
    assert run("--data", small, "-o", target, "--force").exit_code == 0
    assert not (target / "folds.png").exists()
    assert json.loads((target / "report.json").read_text())["data_sets"]
    assert [path.name for path in tmp_path.iterdir()] == ["report"]


@pytest.mark.model
def test_ctrl_c_is_quiet_keeps_what_was_done_and_leaves_no_worker(
    own_home: Path, tmp_path: Path
) -> None:
    photos = noise_photos(tmp_path, 400)
    lines = [f"{a.name},{b.name},{n % 2}" for n, (a, b) in enumerate(pairwise(photos))]
    (tmp_path / "noise.csv").write_text("\n".join(["a,b,same", *lines]) + "\n")
    cache = own_home / "cache" / "embeddings"
    before = set(cache.glob("*")) if cache.is_dir() else set()
    process = subprocess.Popen(
        [sys.executable, "-m", "facekit", "eval-lfw", "--pairs", str(tmp_path / "noise.csv"),
         "--crop", "none", "--resize-filter", "cubic", "--workers", "2"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    try:
        while process.poll() is None and set(cache.glob("*")) == before:
            time.sleep(0.02)
        os.killpg(process.pid, signal.SIGINT)  # as the terminal does: to the workers too
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert (process.returncode, out) == (130, "")
    assert "Traceback" not in err
    assert group_is_gone(process.pid)


@pytest.mark.model
def test_people_are_searched_for_and_groups_are_compared(small: Path, tmp_path: Path) -> None:
    people = shutil.copytree(small / "lfw", tmp_path / "people")
    for photo in list((people / "Joe_Biden").iterdir())[:2]:
        mirrored = people / "Joe_Mirrored" / photo.name
        mirrored.parent.mkdir(exist_ok=True)
        mirrored.write_bytes(jpeg_bytes(load_picture(photo).pixels[:, ::-1].copy()))
    table = tmp_path / "groups.csv"
    table.write_text("person,group\nBarack_Obama,a\nBarack_Mirrored,a\nJoe_Biden,b\nEve,b\n")
    at = ("--data", people, "--protocol", "folders", "--groups", table, "--json")
    few = run(*at, "--identification", "--enrolled-photos", "2")
    assert few.exit_code == 4
    assert "Four people with more than 2 photos" in few.stderr
    done = run(*at, "--identification")
    assert done.exit_code == 0, done.stderr
    report = json.loads(done.stdout)
    require_schema("eval-lfw", report)
    (result,) = report["data_sets"]
    (model,) = result["models"]
    notes = " ".join(result["notes"])
    assert "names 1 photos or people that are not in the data: Eve" in notes
    assert "4 of 14 photos have no group in groups.csv" in notes
    fmr = {tuple(one["groups"]): one for one in model["groups"]["fmr"]}
    assert fmr[("a", "a")]["comparison_count"] == 8
    assert fmr[("a", "a")]["error_count"] == 8  # one person under two names
    assert fmr[("a", "b")]["error_count"] == 0
    assert model["groups"]["threshold_target"] == "fmr=1e-3"
    assert model["identification"]["closed_set"]["people_count"] == 4


@pytest.mark.model
@pytest.mark.lfw
def test_a_part_of_lfw(lfw: Path, own_home: Path) -> None:
    """The first 15 pairs of each kind: 30 of devtest, 30 of devtrain; all are called right."""
    done = run("--data", lfw, "--limit", "15", "--json", "--assert-accuracy", "0.9")
    assert done.exit_code == 0, done.output
    report = json.loads(done.stdout)
    require_schema("eval-lfw", report)
    (result,) = report["data_sets"]
    assert result["list_published_as"] is None  # a part is not the published list
    assert result["models"][0]["accuracy"]["trial_count"] == 30
    assert any("Only a part" in note for note in result["notes"])


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        (["--data", "/home/ann/lfw"], "--data ~/lfw"),
        (["--data=/home/ann/my faces"], "--data ~/'my faces'"),
        (["--data", "/home/annabel/lfw", "--limit=5"], "--data /home/annabel/lfw --limit=5"),
        (["a;b", ""], "'a;b' ''"),
    ],
)
def test_a_command_line_is_told_for_a_shell_without_the_home_folder(
    typed: list[str], told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", "/home/ann")
    with click.Context(cli) as ctx:
        ctx.meta[TYPED] = ("evaluate", *typed)
        assert command_line(ctx) == f"facekit evaluate {told}"
