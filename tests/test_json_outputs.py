"""Every command's JSON keeps to its schema, and is what `to_dict()` of its record says.

Commands that take long are held to theirs in their own tests, by `require_schema`.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

import facekit
from facekit.api import models
from facekit.cli import cli
from facekit.model import installation
from facekit.tasks.doctor import examine
from tests.model.made_up_model import write_network
from tests.schemas import require_failure, require_schema, schemas
from tests.small_lfw import home_of_its_own

DATA = Path(__file__).parent / "data"
OBAMA, OBAMA2, BIDEN = (str(DATA / f"{name}.jpg") for name in ("obama", "obama2", "biden"))
MISSING = "missing.jpg"
TIMINGS = ("time", "timings_ms")


def told(*arguments: object, code: int = 0) -> dict[str, Any]:
    """What a command prints with --json."""
    result = CliRunner().invoke(cli, [*map(str, arguments), "--json"])
    assert result.exit_code == code, result.stderr
    payload: dict[str, Any] = json.loads(result.stdout)
    return payload


def require_same(payload: dict[str, Any], record: Any) -> None:
    """The command says what the record says, but for the time that it took."""
    said = json.loads(json.dumps(record.to_dict()))
    assert {**payload, **dict.fromkeys(TIMINGS)} == {
        "schema_version": 1,
        **said,
        **dict.fromkeys(TIMINGS),
    }


# Commands that need no network.


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A store that holds "toy", a small network."""
    monkeypatch.setenv("FACEKIT_HOME", str(tmp_path / "home"))
    installation.install("toy", partial(write_network, name="toy"))
    return tmp_path / "home"


@pytest.mark.usefixtures("store")
def test_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, payload, record in (
        ("list", told("models", "list"), models.list_models()),
        ("info", told("models", "info", "toy"), models.info("toy")),
        ("info", told("models", "info", "mtcnn"), models.info("mtcnn")),
        ("path", told("models", "path", "toy"), models.path("toy")),
        ("verify", told("models", "verify"), models.verify()),
    ):
        require_schema(f"models {name}", payload)
        require_same(payload, record)
    archive = tmp_path / "toy.tar"
    require_schema("models export", told("models", "export", "toy", "-o", archive))
    monkeypatch.setenv("FACEKIT_HOME", str(tmp_path / "fresh"))
    require_schema("models import", told("models", "import", archive))
    require_schema("models remove", told("models", "remove", "toy"))


def test_a_damaged_model_file(store: Path) -> None:
    Path(told("models", "path", "toy")["files"][0]["path"]).write_bytes(b"damaged")
    require_schema("models verify", told("models", "verify", code=5))
    report = told("doctor", code=5)
    require_schema("doctor", report)
    assert any(model["error"] for model in report["models"])


@pytest.mark.parametrize("name", ["int8", "float32"])
def test_inspect(name: str) -> None:
    path = DATA / "tiny" / f"{name}.tflite"
    payload = told("inspect", path)
    require_schema("inspect", payload)
    require_same(payload, facekit.inspect(path))


@pytest.mark.model
def test_doctor() -> None:
    payload, report = told("doctor"), examine().to_dict()
    require_schema("doctor", payload)
    for found in (payload, report):  # what others change, and what differs from time to time
        del found["store"]["free_bytes"]
        found["models"] = [{**model, "time_ms": None} for model in found["models"]]
    assert payload == {"schema_version": 1, **report}


@pytest.mark.model
def test_selftest() -> None:
    payload, record = (
        told("selftest", "--model", "sface"),
        facekit.selftest(request=facekit.PipelineRequest(model="sface")),
    )
    require_schema("selftest", payload)
    for one in (*payload["answers"], *(said := record.to_dict())["answers"]):
        del one["times"]
    assert payload == {"schema_version": 1, **said}


# Commands that look at photos.


@pytest.mark.model
@pytest.mark.parametrize(
    ("name", "arguments", "record", "code"),
    [
        ("verify", (OBAMA, OBAMA2), lambda: facekit.verify(OBAMA, OBAMA2), 0),
        ("verify", (OBAMA, BIDEN), lambda: facekit.verify(OBAMA, BIDEN), 1),
        (
            "verify",
            (OBAMA, BIDEN, "--threshold", "0.9", "--metric", "l2"),
            lambda: facekit.verify(OBAMA, BIDEN, threshold=0.9, metric="l2"),
            1,
        ),
        ("compare", (OBAMA, BIDEN), lambda: facekit.compare([OBAMA, BIDEN]), 0),
        ("compare", (OBAMA, MISSING), lambda: facekit.compare([OBAMA, MISSING]), 4),
        ("cluster", (OBAMA, OBAMA2, BIDEN), lambda: facekit.cluster([OBAMA, OBAMA2, BIDEN]), 0),
        (
            "cluster",
            (OBAMA, MISSING, "--method", "hdbscan"),
            lambda: facekit.cluster([OBAMA, MISSING], method="hdbscan"),
            4,
        ),
    ],
)
def test_what_a_command_prints_is_its_record(
    name: str, arguments: tuple[str, ...], record: Callable[[], Any], code: int
) -> None:
    payload = told(name, *arguments, code=code)
    require_schema(name, payload)
    require_same(payload, record())


@pytest.mark.model
def test_without_detection_there_are_no_faces(tmp_path: Path) -> None:
    at = ("--gallery", tmp_path / "people.db", "--no-detect")
    payload = told("verify", OBAMA, OBAMA2, "--no-detect", "--threshold", "2")
    require_schema("verify", payload)
    assert payload["faces"] == payload["facial_areas"] == {"img1": None, "img2": None}
    require_schema("cluster", told("cluster", OBAMA, "--no-detect", "--threshold", "1"))
    require_schema("enroll", told("enroll", "Barack", OBAMA, *at))
    require_schema("identify", told("identify", OBAMA, "--threshold", "1", *at))
    require_schema("gallery show", told("gallery", "show", "Barack", *at[:2]))


@pytest.mark.model
def test_detect(tmp_path: Path) -> None:
    payload = told("detect", OBAMA, BIDEN)
    require_schema("detect", payload)
    assert [{**one, "crops": ..., "drawing": ...} for one in payload["photos"]] == [
        {**one.to_dict(), "crops": ..., "drawing": ...} for one in facekit.detect([OBAMA, BIDEN])
    ]
    files = ("--save-crops", tmp_path / "crops", "--draw", tmp_path / "drawings")
    failed = told("detect", OBAMA, MISSING, *files, code=4)
    require_schema("detect", failed)
    (photo,) = failed["photos"]
    assert (len(photo["crops"]), photo["drawing"]) == (1, str(tmp_path / "drawings" / "obama.png"))
    assert [one["photo"] for one in failed["failed"]] == [MISSING]


@pytest.mark.model
def test_quality() -> None:
    payload = told("quality", OBAMA, MISSING, code=4)
    require_schema("quality", payload)
    ((quality,),) = facekit.quality([OBAMA])
    (photo,) = payload["photos"]
    assert photo["faces"][0]["quality"] == quality.to_dict()
    assert (photo["passed"], payload["min_quality"]) == (None, None)
    require_schema("quality", poor := told("quality", OBAMA, "--min-quality", "100", code=1))
    assert (poor["photos"][0]["passed"], poor["min_quality"]) == (False, 100)


@pytest.mark.model
def test_embed(tmp_path: Path) -> None:
    output = tmp_path / "out.npz"
    for photos, code in (([OBAMA], 0), ([OBAMA, MISSING], 4)):
        payload = told("embed", *photos, "-o", output, "--force", code=code)
        require_schema("embed", payload)
        require_same(payload, facekit.embed_to_file(photos, output, force=True))


@pytest.mark.model
def test_a_list_of_pairs_prints_a_line_for_each(tmp_path: Path) -> None:
    pairs = tmp_path / "pairs.csv"
    pairs.write_text(f"{OBAMA},{OBAMA2}\n{OBAMA},{MISSING}\n")
    done = CliRunner().invoke(cli, ["verify", "--pairs", str(pairs), "--json"])
    assert done.exit_code == 4
    output = tmp_path / "result.csv"
    whole = told("verify", "--pairs", pairs, "-o", output, code=4)
    require_schema("verify list", whole)
    assert (whole["output"], whole["pair_count"], whole["same_count"]) == (str(output), 2, 1)
    assert [one["photo"] for one in whole["failed"]] == [MISSING]
    assert output.read_text().startswith("a,b,verified")
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    for line, record in zip(lines, facekit.verify_pairs(pairs), strict=True):
        require_schema("verify pair", line)
        require_same(line, record)


@pytest.mark.model
def test_watch_prints_a_line_for_each_photo(tmp_path: Path) -> None:
    people = tmp_path / "people.db"
    facekit.Gallery(people).enroll("Barack", [OBAMA])
    folder = tmp_path / "in"
    folder.mkdir()
    for name in (OBAMA2, BIDEN):
        (folder / Path(name).name).symlink_to(name)
    (folder / "no.jpg").touch()
    for options, ask in (
        (("--known", OBAMA), partial(facekit.watch, folder, known=[OBAMA], once=True)),
        (("--gallery", people), partial(facekit.watch, folder, gallery=people, once=True)),
    ):
        done = CliRunner().invoke(
            cli, ["watch", str(folder), *map(str, options), "--once", "--json"]
        )
        assert done.exit_code == 4
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        assert [line["photo"] for line in lines] == [
            str(folder / name) for name in ("biden.jpg", "no.jpg", "obama2.jpg")
        ]
        for line, record in zip(lines, ask(), strict=True):
            require_schema("watch", line)
            for one in (line, said := record.to_dict()):
                (one["verification"] or {}).update(dict.fromkeys(TIMINGS))
            assert line == {"schema_version": 1, **json.loads(json.dumps(said))}


@pytest.mark.model
def test_a_gallery_from_its_first_day_to_its_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FACEKIT_GALLERY_PASSPHRASE", "one")
    monkeypatch.setenv("FACEKIT_GALLERY_NEW_PASSPHRASE", "two")
    at = ("--gallery", tmp_path / "people.db")
    gallery = facekit.Gallery(tmp_path / "people.db", passphrase=lambda: "one")

    def require(command: str, *arguments: object, code: int = 0) -> dict[str, Any]:
        payload = told(*command.split(), *arguments, *at, code=code)
        require_schema(command, payload)
        return payload

    require("gallery init", "--encrypt")
    enrolled = require("enroll", "Barack Obama", OBAMA, MISSING, code=4)
    again = facekit.Gallery(tmp_path / "again.db").enroll("Barack Obama", [OBAMA, MISSING])
    require_same({**enrolled, "gallery": again.gallery}, again)
    require("enroll", "Joe", BIDEN)
    require_same(require("identify", OBAMA2), gallery.identify([OBAMA2]))
    require_same(require("identify", OBAMA2, MISSING, code=4), gallery.identify([OBAMA2, MISSING]))
    require_same(require("gallery list"), gallery.people())
    require_same(require("gallery show", "Joe"), gallery.show("Joe"))
    require_same(require("gallery check"), gallery.check())
    require_same(require("gallery stats"), gallery.stats())
    require("gallery rename", "Joe", "Joe Biden")
    require("gallery merge", "Joe Biden", "Barack Obama")
    require("gallery show", "Joe Biden")
    require("gallery unmerge", "Joe Biden", "Barack Obama")
    require("gallery recenter")
    nobody = (
        ("gallery show", "Eve"),
        ("gallery remove", "Eve"),
        ("gallery rename", "Eve", "Ada"),
        ("gallery merge", "Joe Biden", "Eve"),
        ("gallery unmerge", "Joe Biden", "Eve"),
    )
    for command, *names in nobody:
        assert require(command, *names, code=1)["found"] is False
    exported = tmp_path / "people.jsonl"
    require("gallery export", "-o", exported, "--decrypt")
    require("gallery remove", "Joe Biden")
    require("gallery import", exported)
    require("gallery rekey")


# A bad photo among good ones.


BAD_AMONG_GOOD = {
    "compare": (4, "compare obama.jpg bad.jpg biden.jpg"),
    "cluster": (4, "cluster obama.jpg bad.jpg biden.jpg"),
    "detect": (4, "detect obama.jpg bad.jpg biden.jpg"),
    "quality": (4, "quality obama.jpg bad.jpg biden.jpg"),
    "embed": (4, "embed obama.jpg bad.jpg biden.jpg -o out.npz"),
    "enroll": (4, "enroll Barack obama.jpg bad.jpg --gallery new.db"),
    "identify": (4, "identify obama.jpg bad.jpg biden.jpg --gallery people.db"),
    "verify list": (4, "verify --pairs pairs.csv -o out.csv"),
    "align-dataset": (4, "align-dataset --data labeled -o crops --workers 1"),
    "evaluate": (0, "evaluate labeled --workers 1"),
}
"""The exit code and the command of each form of output that lists failures."""


def failures(payload: Any) -> list[dict[str, Any]]:
    """All items of the members `failed`, wherever they are."""
    if isinstance(payload, list):
        return [one for value in payload for one in failures(value)]
    if not isinstance(payload, dict):
        return []
    inner = [one for name, value in payload.items() if name != "failed" for one in failures(value)]
    return [*payload.get("failed", ()), *inner]


def test_every_form_of_output_that_lists_failures_is_asked_for_them() -> None:
    """calibrate needs more photos than there are here: see its own tests."""
    listing = {
        file.removesuffix(".json")
        for file, schema in schemas().items()
        if file != "common.json" and "common.json#/$defs/failed" in json.dumps(schema)
    }
    assert listing == {name.split()[0] for name in BAD_AMONG_GOOD} | {"calibrate"}
    assert '"failed": {"type": "array", "items": {"$ref": "#/$defs/photo_failure"}}' in json.dumps(
        schemas()["common.json"]
    )


@pytest.mark.model
@pytest.mark.parametrize("name", BAD_AMONG_GOOD)
def test_a_bad_photo_among_good_ones_is_told_with_its_error(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if name == "evaluate":
        pytest.importorskip("sklearn", reason="needs the evaluate extra")
        monkeypatch.setenv("FACEKIT_HOME", str(home_of_its_own(tmp_path / "facekit")))
    monkeypatch.chdir(tmp_path)
    for folder in ("labeled/Barack", "labeled/Joe"):
        Path(folder).mkdir(parents=True)
    for photo, folder in ((OBAMA, "Barack"), (OBAMA2, "Barack"), (BIDEN, "Joe")):
        Path(Path(photo).name).symlink_to(photo)
        Path("labeled", folder, Path(photo).name).symlink_to(photo)
    for bad in ("bad.jpg", "labeled/Joe/bad.jpg"):
        Path(bad).write_bytes(b"no photo")
    Path("pairs.csv").write_text("obama.jpg,obama2.jpg\nobama.jpg,bad.jpg\n")
    if name == "identify":
        facekit.Gallery("people.db").enroll("Barack", ["obama2.jpg"])
    code, command = BAD_AMONG_GOOD[name]
    payload = told(*command.split(), code=code)
    require_schema(name, payload)
    (failure,) = failures(payload)
    assert failure["photo"].endswith("bad.jpg")
    assert (failure["error"]["type"], failure["error"]["exit_code"]) == ("ImageError", 4)
    assert "bad.jpg" in failure["error"]["message"]


# Errors.


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("verify", OBAMA), 2),
        (("verify", OBAMA, OBAMA, "--no-such-option"), 2),
        (("verify", OBAMA, OBAMA, "--metric", "no-such-metric"), 2),
        (("models", "info"), 2),
        (("gallery", "no-such-command"), 2),
        (("no-such-command",), 2),
        (("inspect", MISSING), 5),
        (("benchmark", "--parse-log", __file__), 4),
        pytest.param(("verify", OBAMA, "gray.png"), 3, marks=pytest.mark.model),
        pytest.param(("verify", OBAMA, MISSING), 4, marks=pytest.mark.model),
    ],
)
def test_an_error_is_an_object(
    arguments: tuple[str, ...], code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    cv2.imwrite("gray.png", np.full((100, 100, 3), 128, np.uint8))
    require_failure(told(*arguments, code=code), exit_code=code)


def test_a_mistake_in_the_options_is_told_on_stderr_too_and_only_there_without_json() -> None:
    mistake = ["verify", OBAMA, OBAMA, "--no-such-option"]
    plain = CliRunner().invoke(cli, mistake)
    assert (plain.exit_code, plain.stdout) == (2, "")
    assert CliRunner().invoke(cli, [*mistake, "--json"]).stderr == plain.stderr
    assert CliRunner().invoke(cli, ["no-such-command", "--", "--json"]).stdout == ""
