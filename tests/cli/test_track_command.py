"""facekit track, as a person or a script sees it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from facekit.video.reading import VideoReader
from tests.schemas import require_schema
from tests.text_tables import require_readable, rows
from tests.video import clips

FACEKIT = (sys.executable, "-m", "facekit")


@pytest.fixture(scope="module")
def crossing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return clips.CROSSING.write(tmp_path_factory.mktemp("clips") / "crossing.avi")


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return clips.Scene((), frames=10).write(tmp_path_factory.mktemp("clips") / "empty.avi")


@pytest.fixture(scope="module")
def gallery(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Obama by another photo than the video shows."""
    path = tmp_path_factory.mktemp("gallery") / "people.db"
    photo = str(clips.DATA / "obama2.jpg")
    facekit("enroll", "--gallery", str(path), "Barack Obama", photo, home=path.parent)
    return path


def environment(home: Path) -> dict[str, str]:
    """No gallery but those that a test names."""
    inherited = {name: it for name, it in os.environ.items() if name != "FACEKIT_GALLERY"}
    return {**inherited, "XDG_DATA_HOME": str(home)}


def facekit(*arguments: str, home: Path) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [*FACEKIT, *arguments], capture_output=True, text=True, check=False, env=environment(home)
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done


def lines(done: subprocess.CompletedProcess[str]) -> Sequence[dict[str, Any]]:
    records = [json.loads(line) for line in done.stdout.splitlines()]
    for record in records:
        require_schema("common failure" if "error" in record else "track", record)
    return records


@pytest.mark.model
def test_one_json_line_a_person_with_names(crossing: Path, gallery: Path, tmp_path: Path) -> None:
    annotated = tmp_path / "seen.mp4"
    done = facekit(
        *("track", str(crossing), "--json", "--output", str(annotated)),
        *("--gallery", str(gallery)),
        home=tmp_path,
    )
    assert (done.returncode, done.stderr) == (0, "")
    stranger, obama = lines(done)
    assert (stranger["track"], stranger["name"]) == (1, None)
    assert stranger["similarity"] < 0.3
    assert (obama["track"], obama["name"]) == (2, "Barack Obama")
    assert obama["similarity"] > 0.65
    assert obama["spans"] == [[0, 119]]
    assert (obama["start_s"], obama["end_s"], obama["frame_count"]) == (0.0, 4.76, 120)
    assert len(stranger["spans"]) == 2  # he was behind the other one
    best = obama["best_face"]
    truth = clips.CROSSING.truth(best["frame"])[1]
    assert truth is not None
    assert best["box_xyxy"] == pytest.approx(truth.tolist(), abs=8)
    assert obama["schema_version"] == 1
    with VideoReader(str(annotated), max_pixels=10**7) as reader:
        assert [frame.pixels.shape for frame in reader.frames()] == [(480, 640, 3)] * 120


@pytest.mark.model
def test_without_a_gallery_nobody_is_named(crossing: Path, tmp_path: Path) -> None:
    done = facekit("track", str(crossing), home=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    require_readable(done.stdout)
    header, hidden, in_front = rows(done.stdout)
    assert header == ["TRACK", "FROM_S", "TO_S", "FRAMES"]
    assert hidden[:3] == ["1", "0.00", "4.76"]
    assert 90 <= int(hidden[3]) < 110
    assert in_front == ["2", "0.00", "4.76", "120"]


@pytest.mark.model
def test_only_strangers_is_exit_code_1(crossing: Path, gallery: Path, tmp_path: Path) -> None:
    strict = ("--threshold", "0.05")
    done = facekit("track", str(crossing), *strict, "--gallery", str(gallery), home=tmp_path)
    assert done.returncode == 1
    assert [row[-1] for row in rows(done.stdout)] == ["NAME", "unknown", "unknown"]


@pytest.mark.model
def test_nobody_is_an_empty_result_and_exit_code_1(empty: Path, tmp_path: Path) -> None:
    annotated = tmp_path / "seen.avi"
    done = facekit("track", str(empty), "--json", "--output", str(annotated), home=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "")
    assert annotated.exists()


@pytest.mark.model
def test_a_truncated_video_is_reported_after_its_tracks(crossing: Path, tmp_path: Path) -> None:
    short = tmp_path / "short.avi"
    short.write_bytes(crossing.read_bytes()[: crossing.stat().st_size // 2])
    done = facekit("track", str(short), "--json", home=tmp_path)
    *people, failure = lines(done)
    assert len(people) == 2
    assert done.returncode == failure["error"]["exit_code"] == 4
    assert "s could not be read; the file is truncated or damaged" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("absent.mp4",), 4, "No such file"),
        (("97",), 4, "Camera 97 cannot be opened"),
        pytest.param(("VIDEO", "--output", "v.gif"), 2, "must end in", marks=pytest.mark.model),
        (("VIDEO", "--output", "VIDEO"), 2, "would replace the video itself"),
        pytest.param(("VIDEO", "--gallery", "absent.db"), 7, "absent.db", marks=pytest.mark.model),
        pytest.param(
            ("VIDEO", "--crop", "none"), 2, "crop rule other than none", marks=pytest.mark.model
        ),
        (("VIDEO", "--every", "0"), 2, "--every"),
    ],
)
def test_what_cannot_be_done(
    empty: Path, tmp_path: Path, arguments: Sequence[str], code: int, message: str
) -> None:
    given = [str(empty) if word == "VIDEO" else word for word in arguments]
    done = facekit("track", *given, home=tmp_path)
    assert done.returncode == code, done.stderr
    assert message in done.stderr
    assert done.stdout == ""


@pytest.mark.model
def test_ctrl_c_finishes_the_output_and_reports_what_was_seen(tmp_path: Path) -> None:
    long = clips.Scene((clips.Person("obama", clips.still(300)),), frames=400)
    video, annotated = long.write(tmp_path / "long.avi"), tmp_path / "seen.avi"
    command = [*FACEKIT, "track", str(video), "--json", "--output", str(annotated)]
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(tmp_path),
    )
    for _ in range(600):
        if part := [path for path in tmp_path.glob(".seen.*") if path.stat().st_size > 300_000]:
            break
        time.sleep(0.05)
    assert part, "it never began to write"
    process.send_signal(signal.SIGINT)
    stdout, stderr = process.communicate(timeout=60)
    assert (process.returncode, stderr) == (130, "")
    track = json.loads(stdout)
    with VideoReader(str(annotated), max_pixels=10**7) as reader:
        frames = len(list(reader.frames()))
        assert reader.missing_s == 0.0
    assert 5 < frames < 400
    assert track["frame_count"] == frames
    assert not list(tmp_path.glob(".seen.*"))
