"""Videos that are whole, damaged, cut off, or none."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import cv2
import numpy as np
import pytest

from facekit.errors import InputError
from facekit.types import UInt8Array
from facekit.video.reading import VideoReader
from facekit.video.records import Frame

FRAMES, FPS = 50, 25.0
PLENTY = 10**7


def gray_level(number: int) -> int:
    return 40 + 3 * number


def made(path: Path, codec: str = "MJPG", frames: int = FRAMES) -> Path:
    """Frame number n is of the level 40 + 3 n, with noise, so that it takes up bytes."""
    noise = np.random.default_rng(1).integers(-20, 20, (120, 160, 3))
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*codec), FPS, (160, 120))
    assert writer.isOpened()
    for number in range(frames):
        writer.write(np.clip(noise + gray_level(number), 0, 255).astype(np.uint8))
    writer.release()
    return path


def cut(path: Path, share: float) -> Path:
    content = path.read_bytes()
    short = path.with_name(f"cut{path.suffix}")
    short.write_bytes(content[: int(len(content) * share)])
    return short


def read(path: Path) -> tuple[VideoReader, list[Frame]]:
    with VideoReader(str(path), max_pixels=PLENTY) as reader:
        return reader, list(reader.frames())


@pytest.mark.parametrize(
    ("name", "codec"), [("v.avi", "MJPG"), ("v.mp4", "mp4v"), ("v.mkv", "mp4v"), ("v.webm", "VP80")]
)
def test_every_frame_with_its_number_and_time(tmp_path: Path, name: str, codec: str) -> None:
    reader, frames = read(made(tmp_path / name, codec))
    assert [frame.index for frame in frames] == list(range(FRAMES))
    np.testing.assert_allclose(
        [frame.time_s for frame in frames], np.arange(FRAMES) / FPS, atol=0.002
    )
    levels = [float(frame.pixels.mean()) for frame in frames]
    np.testing.assert_allclose(levels, [gray_level(n) for n in range(FRAMES)], atol=3)
    assert reader.fps == pytest.approx(FPS)
    assert reader.missing_s == 0.0
    assert reader.complaint is None


def test_pixels_are_rgb(tmp_path: Path) -> None:
    path = tmp_path / "red.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), FPS, (64, 48))
    writer.write(np.full((48, 64, 3), (0, 0, 220), np.uint8))  # OpenCV's order is BGR
    writer.release()
    _, (frame,) = read(path)
    red, green, blue = frame.pixels.mean(axis=(0, 1))
    assert red > 200 > 30 > max(green, blue)


@pytest.mark.parametrize(("name", "codec"), [("v.avi", "MJPG"), ("v.mkv", "mp4v")])
def test_a_video_that_was_cut_off_says_how_much_is_missing(
    tmp_path: Path, name: str, codec: str
) -> None:
    reader, frames = read(cut(made(tmp_path / name, codec), 0.5))
    assert 5 < len(frames) < 45
    assert reader.missing_s == pytest.approx((FRAMES - len(frames)) / FPS, abs=0.05)
    assert reader.complaint is not None
    assert "0x" not in reader.complaint  # an address of FFmpeg's means nothing to anybody


def test_an_mp4_without_its_index_cannot_be_opened(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"cut\.mp4: not a video .* moov atom not found"):
        read(cut(made(tmp_path / "v.mp4", "mp4v"), 0.5))


def test_what_is_no_video(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    text = tmp_path / "text.mp4"
    text.write_text("not a video")
    empty = tmp_path / "empty.avi"
    empty.touch()
    for source, reason in (
        (text, "not a video that OpenCV can open"),
        (empty, "not a video that OpenCV can open"),
        (tmp_path, "Is a directory"),
        (tmp_path / "absent.mp4", "No such file"),
        (Path("a\0b"), "null"),
    ):
        with pytest.raises(InputError, match=reason):
            read(source)
    assert capfd.readouterr().err == ""


def test_a_video_without_frames(tmp_path: Path) -> None:
    path = made(tmp_path / "none.avi", frames=0)
    if not path.exists():  # OpenCV 5 writes no file then
        path.write_bytes(b"")
    with pytest.raises(InputError, match=r"no frame could be read|not a video"):
        read(path)


def test_a_camera_that_is_not_there() -> None:
    with pytest.raises(InputError, match="Camera 97 cannot be opened"):
        VideoReader("97", max_pixels=PLENTY)


def test_frames_over_the_limit_are_refused_before_one_is_decoded(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="frames of 160 x 120 pixels"):
        VideoReader(str(made(tmp_path / "v.avi", frames=2)), max_pixels=10_000)


def test_a_stream_of_jpegs_that_change_in_size(tmp_path: Path) -> None:
    path = tmp_path / "v.mjpeg"
    pictures: list[UInt8Array] = [
        np.full((120, 160, 3), 90, np.uint8),
        np.full((60, 200, 3), 90, np.uint8),
    ]
    content = b"".join(cv2.imencode(".jpg", it)[1].tobytes() for it in pictures for _ in range(5))
    path.write_bytes(content)
    reader, frames = read(path)
    assert len(frames) == 10
    assert reader.frame_count is None


@pytest.mark.parametrize("seed", range(12))
def test_flipped_bytes_never_do_more_than_spoil_frames(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    path = made(tmp_path / ("v.avi" if seed % 2 else "v.mp4"), "MJPG" if seed % 2 else "mp4v")
    content = bytearray(path.read_bytes())
    for _ in range(1 + 4 * seed):
        content[chance.randrange(len(content))] = chance.randrange(256)
    path.write_bytes(content)
    try:
        _, frames = read(path)
    except InputError:
        return
    assert all(frame.pixels.dtype == np.uint8 and frame.pixels.ndim == 3 for frame in frames)
    times = [frame.time_s for frame in frames]
    assert times == sorted(times)


@pytest.mark.parametrize(
    ("make", "what"),
    [(os.mkfifo, "a pipe"), (lambda path: path.symlink_to("/dev/zero"), "a device")],
)
def test_what_is_no_regular_file_is_refused_at_once(make: Any, what: str, tmp_path: Path) -> None:
    path = tmp_path / "v.mkv"
    make(path)
    with pytest.raises(InputError, match=f"it is {what}.*pass - for what comes through a pipe"):
        VideoReader(str(path), max_pixels=PLENTY)


def test_standard_input_that_is_no_video_neither_hangs_nor_is_taken_for_one() -> None:
    script = "from facekit.video.reading import VideoReader\nVideoReader('-', max_pixels=10**7)"
    done = subprocess.run(
        [sys.executable, "-c", script], input=b"no video at all" * 100, capture_output=True
    )
    assert b"not a video that OpenCV can open" in done.stderr
    assert b"front to end" in done.stderr


def test_a_video_comes_from_standard_input(tmp_path: Path) -> None:
    script = (
        "from facekit.video.reading import VideoReader\n"
        "with VideoReader('-', max_pixels=10**7) as reader:\n"
        "    print(sum(1 for _ in reader.frames()))\n"
    )
    content = made(tmp_path / "v.avi").read_bytes()
    done = subprocess.run([sys.executable, "-c", script], input=content, capture_output=True)
    assert done.stdout.split() == [str(FRAMES).encode()], done.stderr


def test_a_file_behind_a_url_keeps_its_own_times(tmp_path: Path) -> None:
    made(tmp_path / "v.avi")
    handler = partial(SimpleHTTPRequestHandler, directory=str(tmp_path))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/v.avi"
        with VideoReader(url, max_pixels=PLENTY) as reader:
            assert not reader.is_live
            times = [frame.time_s for frame in reader.frames()]
        server.shutdown()
    np.testing.assert_allclose(times, np.arange(FRAMES) / FPS, atol=0.002)
