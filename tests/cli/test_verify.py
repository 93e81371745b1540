"""facekit verify, on real photos with the real model."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
import stat
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from facekit.cli import cli
from facekit.photo.decode import read_image
from tests.group_photo import write_group

DATA = Path(__file__).parents[1] / "data"
OBAMA, OBAMA2, BIDEN = (str(DATA / f"{name}.jpg") for name in ("obama", "obama2", "biden"))
LOOSE = ("--threshold", "0.7")


def run(*arguments: str, stdin: bytes | None = None) -> Result:
    return CliRunner().invoke(cli, ["verify", *arguments], input=stdin)


@pytest.mark.model
def test_same_person_exits_0_and_says_so() -> None:
    result = run(OBAMA, OBAMA2)
    assert result.exit_code == 0, result.stderr
    same, threshold, _source, probability = result.stdout.splitlines()
    # 0.750 with OpenCV 5, 0.754 before: docs/reference/versions.md
    assert re.fullmatch(
        r"same: cosine similarity 0\.75\d >= 0\.458 \(distance 0\.2\d\d <= 0\.542\)", same
    )
    assert threshold.startswith("threshold: false match rate at most 0.1 % (model card, fmr=1e-3,")
    assert re.fullmatch(
        r"probability of same person: 99\.99\d % \(assuming half of all pairs match\)", probability
    )
    assert max(map(len, result.stdout.splitlines())) <= 80


@pytest.mark.model
def test_different_people_exit_1() -> None:
    result = run(OBAMA, BIDEN)
    assert result.exit_code == 1, result.stderr
    assert re.match(
        r"different: cosine similarity -?0\.0\d\d < 0\.458 \(distance (0\.9|1\.0)\d\d > ",
        result.stdout,
    )


@pytest.mark.model
def test_json_has_deepfaces_keys_and_ours() -> None:
    result = run("--json", OBAMA, OBAMA2)
    payload = json.loads(result.stdout)
    assert payload["schema_version"] == 1
    assert payload["verified"] is True
    assert set(payload) >= {
        *("verified", "distance", "threshold", "model", "detector_backend"),
        *("similarity_metric", "facial_areas", "time"),
        *("similarity", "fmr_at_threshold", "face_count", "model_sha256", "timings_ms"),
    }
    assert payload["distance"] == pytest.approx(1 - payload["similarity"])
    assert payload["fmr_at_threshold"]["fmr"] <= 1e-3
    assert payload["fmr_at_threshold"]["n_impostor"] > 1_000_000
    assert payload["face_count"]["img1"] >= 1
    area = payload["facial_areas"]["img1"]
    assert area["left_eye"][0] > area["right_eye"][0]  # the person's own left, as in deepface
    assert set(payload["timings_ms"]) == {"decode", "load", "detect", "align", "embed", "match"}


@pytest.mark.model
@pytest.mark.parametrize("metric", ["cosine", "l2", "sql2", "angular"])
def test_no_metric_flips_the_decision(metric: str) -> None:
    assert run("--metric", metric, OBAMA, OBAMA2).exit_code == 0
    assert run("--metric", metric, OBAMA, BIDEN).exit_code == 1


@pytest.mark.model
def test_a_stricter_fmr_has_a_smaller_distance_threshold() -> None:
    thresholds = [
        json.loads(run("--json", "--fmr", fmr, OBAMA, OBAMA2).stdout)["threshold"]
        for fmr in ("1e-2", "best-accuracy", "5e-3", "1e-3", "3e-4", "2e-5")
    ]
    assert thresholds == sorted(thresholds, reverse=True)
    assert len(set(thresholds)) == 6


@pytest.mark.model
def test_threshold_zero_is_a_threshold() -> None:
    assert run("--threshold", "0", OBAMA, OBAMA2).exit_code == 1


@pytest.mark.model
def test_stdin_is_a_picture() -> None:
    assert run("-", OBAMA2, stdin=Path(OBAMA).read_bytes()).exit_code == 0


@pytest.mark.model
def test_an_embedding_file_stands_for_its_photo(tmp_path: Path) -> None:
    file = str(tmp_path / "obama.npz")
    assert CliRunner().invoke(cli, ["embed", OBAMA, "-o", file]).exit_code == 0
    from_file = json.loads(run("--json", file, OBAMA2).stdout)
    from_photo = json.loads(run("--json", OBAMA, OBAMA2).stdout)
    assert from_file["similarity"] == pytest.approx(from_photo["similarity"], abs=1e-6)
    assert from_file["facial_areas"]["img1"] is None


@pytest.mark.model
def test_an_embedding_file_of_another_model_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "obama.jsonl"
    CliRunner().invoke(cli, ["embed", OBAMA, "-o", str(file)])
    file.write_text(
        re.sub(r'"model_sha256": "\w+"', f'"model_sha256": "{"0" * 64}"', file.read_text())
    )
    result = run(str(file), OBAMA2)
    assert result.exit_code == 5
    assert "cannot be compared" in result.stderr


@pytest.mark.model
def test_all_faces_of_a_group_are_compared(tmp_path: Path) -> None:
    group = write_group(tmp_path / "group.png", DATA / "biden.jpg", DATA / "obama.jpg")
    assert run("--face", "error", str(group), OBAMA2).exit_code == 3
    payload = json.loads(run("--face", "all", "--json", str(group), OBAMA2).stdout)
    assert payload["face_count"] == {"img1": 2, "img2": 1}
    assert (payload["comparison_count"], payload["verified"]) == (2, True)
    face = payload["faces"]["img1"]
    assert face["box_xyxy"][0] > read_image(DATA / "biden.jpg").shape[1]  # the right one


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ((OBAMA,), 2, "Two photos"),
        (("-", "-"), 2, "only one can be"),
        (("--threshold", "3", OBAMA, OBAMA2), 2, "lies in 0..2"),
        (("--threshold", "0.5", "--fmr", "1e-3", OBAMA, OBAMA2), 2, "one of them"),
        (("--threshold", "0.5", "--min-similarity", "0", OBAMA, OBAMA2), 2, "one of them"),
        (("--min-similarity", "1.5", OBAMA, OBAMA2), 2, "-1<=x<=1"),
        (("--fmr", "0", OBAMA, OBAMA2), 2, "or best-accuracy"),
        pytest.param(
            ("--fmr", "1e-7", OBAMA, OBAMA2), 2, "-07 is the smallest", marks=pytest.mark.model
        ),
        pytest.param(("--margin", "10", OBAMA, OBAMA2), 2, "crop rule", marks=pytest.mark.model),
        (("--face", "somebody", OBAMA, OBAMA2), 2, "somebody"),
        pytest.param(("none.jpg", OBAMA2), 4, "none.jpg", marks=pytest.mark.model),
        pytest.param((str(DATA), OBAMA2), 4, "data", marks=pytest.mark.model),
        pytest.param((OBAMA, __file__), 4, "test_verify.py", marks=pytest.mark.model),
        pytest.param(
            ("--max-megapixels", "0.01", OBAMA, OBAMA2), 4, "obama.jpg", marks=pytest.mark.model
        ),
        (("--model", "nobody", OBAMA, OBAMA2), 5, "nobody"),
        pytest.param(
            ("--model", "mtcnn", OBAMA, OBAMA2),
            5,
            "An embedding model is needed",
            marks=pytest.mark.model,
        ),
        pytest.param(
            ("--model", "mtcnn:onet", OBAMA, OBAMA2),
            5,
            "mtcnn (onet) is for detection",
            marks=pytest.mark.model,
        ),
        (("--pairs", "none.csv"), 4, "none.csv"),
        (("--pairs", "none.csv", "-o", "none.txt"), 2, ".csv or .jsonl"),
    ],
)
def test_wrong_input_has_its_exit_code_and_one_line(
    arguments: tuple[str, ...], code: int, message: str
) -> None:
    result = run(*arguments)
    assert (result.exit_code, result.stdout) == (code, "")
    assert message in result.stderr
    assert "Traceback" not in result.stderr


def test_an_unknown_model_is_answered_with_embedding_models_alone() -> None:
    message = run("--model", "nobody", OBAMA, OBAMA2).stderr
    assert "facenet512-casia" in message
    assert "mtcnn" not in message


@pytest.mark.model
def test_an_error_is_json_too_when_json_is_asked_for() -> None:
    result = run("--json", "none.jpg", OBAMA2)
    assert json.loads(result.stdout)["error"]["exit_code"] == result.exit_code == 4


@pytest.mark.model
def test_a_picture_without_a_face_exits_3(tmp_path: Path) -> None:
    import numpy as np

    from facekit.photo.write import write_png
    from facekit.types import UInt8Array

    blank: UInt8Array = np.full((200, 200, 3), 127, np.uint8)
    write_png(tmp_path / "blank.png", blank)
    result = run(OBAMA, str(tmp_path / "blank.png"))
    assert result.exit_code == 3
    assert "blank.png" in result.stderr


@pytest.mark.model
def test_crops_need_no_detection(tmp_path: Path) -> None:
    crops = str(tmp_path)
    made = CliRunner().invoke(
        cli, ["detect", "--face", "largest", "--save-crops", crops, OBAMA, OBAMA2]
    )
    assert made.exit_code == 0, made.stderr
    result = run("--no-detect", "--json", f"{crops}/obama_0.png", f"{crops}/obama2_0.png")
    whole = json.loads(run("--json", OBAMA, OBAMA2).stdout)
    assert json.loads(result.stdout)["similarity"] == pytest.approx(whole["similarity"], abs=1e-5)


@pytest.mark.model
def test_a_pair_with_a_missing_photo_fails_alone(tmp_path: Path) -> None:
    listed = tmp_path / "list.csv"
    listed.write_text(f"a,b\n{OBAMA},{OBAMA2}\n{OBAMA},{BIDEN}\n{OBAMA},missing.jpg\n")
    result = run("--pairs", str(listed))
    rows = list(csv.DictReader(io.StringIO(result.stdout)))
    assert [row["verified"] for row in rows] == ["true", "false", ""]
    assert "missing.jpg" in rows[2]["error"]
    assert result.exit_code == 4


@pytest.mark.model
@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("deep.jsonl", b'{"schema_version": 2, "space": ' + b"[" * 10_000),
        ("number.jsonl", b'{"schema_version": 2, "space": {"model": 1e999}, "mean": null}'),
        ("archive.npz", b"PK\3\4" + bytes(100)),
        ("latin.csv", b"photo,photo_sha256\xe9\n"),
        ("empty.csv", b""),
    ],
)
def test_a_pair_with_a_malformed_embedding_file_fails_alone(
    name: str, content: bytes, tmp_path: Path
) -> None:
    (tmp_path / name).write_bytes(content)
    listed = tmp_path / "list.csv"
    listed.write_text(f"{tmp_path / name},{OBAMA}\n{OBAMA},{OBAMA2}\n")
    result = run("--pairs", str(listed))
    rows = list(csv.DictReader(io.StringIO(result.stdout)))
    assert [row["verified"] for row in rows] == ["", "true"]
    assert name in rows[0]["error"]
    assert result.exit_code == 4


@pytest.mark.model
def test_pairs_as_json_lines_into_a_file(tmp_path: Path) -> None:
    listed, output = tmp_path / "list.csv", tmp_path / "out.jsonl"
    listed.write_text(f"{OBAMA},{OBAMA2}\n")
    assert run("--pairs", str(listed), "-o", str(output)).exit_code == 0
    (line,) = output.read_text().splitlines()
    assert json.loads(line)["verified"] is True


@pytest.mark.model
def test_non_ascii_names_are_shown_as_they_are(tmp_path: Path) -> None:
    copy = tmp_path / "görüntü фото 写真.jpg"
    shutil.copy(OBAMA, copy)
    assert run(str(copy), OBAMA2).exit_code == 0


@pytest.mark.model
@pytest.mark.parametrize("suffix", ["png", "svg", "pdf"])
def test_plot_is_written(tmp_path: Path, suffix: str) -> None:
    pytest.importorskip("matplotlib", reason="pip install '.[plot]'")
    plot = tmp_path / f"v.{suffix}"
    assert run("--plot", str(plot), OBAMA, BIDEN).exit_code == 1
    start = {"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}[suffix]
    assert plot.read_bytes().startswith(start)
    assert plot.stat().st_size > 100_000  # photos are in it; tests/tasks looks at the pixels
    assert stat.S_IMODE(plot.stat().st_mode) == 0o600


@pytest.mark.model
def test_plot_of_an_unknown_kind_is_refused() -> None:
    assert run("--plot", "v.docx", OBAMA, BIDEN).exit_code == 2
