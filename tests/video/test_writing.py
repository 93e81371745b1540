"""An output file that is whole, or absent."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from facekit.errors import StorageError, UsageError
from facekit.types import UInt8Array
from facekit.video.reading import VideoReader
from facekit.video.writing import CODECS, VideoWriter

FULL_DISK = """
import resource, signal, sys
import numpy as np
from pathlib import Path
from facekit.errors import StorageError
from facekit.video.writing import VideoWriter
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
random = np.random.default_rng(0)
try:
    with VideoWriter(Path(sys.argv[1]), fps=25.0) as writer:
        for _ in range(40):
            writer.write(random.integers(0, 255, (240, 320, 3), np.uint8))
except StorageError as error:
    print(error)
"""


def level(value: int, height: int = 120, width: int = 160) -> UInt8Array:
    return np.full((height, width, 3), value, np.uint8)


@pytest.mark.parametrize("suffix", [*CODECS, ".MP4"])
def test_what_is_written_can_be_read_back(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / "new" / f"v{suffix}"
    with VideoWriter(path, fps=12.5) as writer:
        for number in range(20):
            writer.write(level(50 + 8 * number))
        assert not path.exists()
    assert [it.name for it in path.parent.iterdir()] == [path.name]
    with VideoReader(str(path), max_pixels=10**6) as reader:
        levels = [float(frame.pixels.mean()) for frame in reader.frames()]
    np.testing.assert_allclose(levels, [50 + 8 * number for number in range(20)], atol=3.9)
    assert reader.fps == pytest.approx(12.5, rel=0.01)


def test_colors_come_back(tmp_path: Path) -> None:
    with VideoWriter(tmp_path / "v.mp4", fps=25.0) as writer:
        writer.write(np.full((120, 160, 3), (220, 30, 60), np.uint8))
    with VideoReader(str(tmp_path / "v.mp4"), max_pixels=10**6) as reader:
        (frame,) = reader.frames()
    np.testing.assert_allclose(frame.pixels.mean(axis=(0, 1)), (220, 30, 60), atol=6)


@pytest.mark.parametrize("stop", [KeyboardInterrupt, ValueError])
def test_an_exception_leaves_the_earlier_file(tmp_path: Path, stop: type[BaseException]) -> None:
    path = tmp_path / "v.mp4"
    path.write_bytes(b"the earlier one")

    def interrupted() -> None:
        with VideoWriter(path, fps=25.0) as writer:
            writer.write(level(90))
            raise stop

    with pytest.raises(stop):
        interrupted()
    assert path.read_bytes() == b"the earlier one"
    assert [it.name for it in tmp_path.iterdir()] == ["v.mp4"]


def test_no_frame_leaves_no_file(tmp_path: Path) -> None:
    with VideoWriter(tmp_path / "v.mp4", fps=25.0):
        pass
    assert list(tmp_path.iterdir()) == []


def test_frames_of_another_size_are_fitted_to_the_first(tmp_path: Path) -> None:
    with VideoWriter(tmp_path / "v.avi", fps=25.0) as writer:
        writer.write(level(90))
        writer.write(level(90, 300, 200))
    with VideoReader(str(tmp_path / "v.avi"), max_pixels=10**6) as reader:
        assert [frame.pixels.shape for frame in reader.frames()] == [(120, 160, 3)] * 2


def test_an_ending_without_a_codec_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"must end in \.mp4.* Received: v\.gif"):
        VideoWriter(tmp_path / "v.gif", fps=25.0)


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    writer = VideoWriter(tmp_path / "file" / "v.mp4", fps=25.0)
    with pytest.raises(StorageError, match="Cannot write"):
        writer.write(level(90))


def test_an_encoder_that_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(CODECS, ".mp4", "avc1")  # OpenCV's wheels do not encode H.264
    if cv2.VideoWriter(
        str(tmp_path / "v.avi"), cv2.VideoWriter.fourcc(*"avc1"), 25, (64, 48)
    ).isOpened():
        pytest.skip("this OpenCV encodes H.264")
    capfd.readouterr()
    with pytest.raises(StorageError, match=r"no encoder for avc1.* Other endings: \.mp4, "):
        VideoWriter(tmp_path / "v.mp4", fps=25.0).write(level(90))
    assert not (tmp_path / "v.mp4").exists()
    assert not list(tmp_path.glob(".*"))
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("suffix", CODECS)
def test_a_full_disk_is_noticed(tmp_path: Path, suffix: str) -> None:
    """OpenCV says nothing of it."""
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(tmp_path / f"v{suffix}")],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "of 40 frames arrived. Is the disk full?" in done.stdout
    assert list(tmp_path.iterdir()) == []
