"""Reads videos and cameras frame by frame; no other module opens them."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator

import cv2
import numpy as np

from facekit.errors import InputError
from facekit.system.inputs import IrregularFileError, open_regular
from facekit.system.native_output import captured
from facekit.types import UInt8Array
from facekit.video.records import Frame

_USUAL_FPS = 25.0  # for a stream that states no rate
_HIGHEST_FPS = 1000.0  # a higher rate in a header is that of its clock, not of the frames
_FORGIVEN_S = 0.5  # missing at the end: headers round, and some state when the sound ends,
_FORGIVEN_SHARE = 0.1  # but of a short video at most this share,
_FORGIVEN_FRAMES = 2  # and at least this number
_OPENCV_ITSELF = ("[ WARN", "[ERROR", "[ INFO")
_ADDRESS = re.compile(r"\[(\S+) @ 0x[0-9a-f]+\] ")  # "[mpeg4 @ 0x55...] " before what FFmpeg says


class VideoReader:
    """Reads a video, one frame at a time in memory.  Use it as a context manager."""

    def __init__(self, source: str, *, max_pixels: int) -> None:
        """`source`: a regular file, "-" for standard input, a stream's URL, or a camera's number.
        Standard input needs a format that can be read from front to end, such as MPEG-TS, Matroska
        or AVI; most MP4 files cannot.

        Raises InputError if the source cannot be opened, or a frame has more than `max_pixels`.
        """
        self.source = source
        self._shown = "standard input" if source == "-" else source
        is_url = "://" in source
        is_camera = source.isdecimal()
        if not (is_url or is_camera or source == "-"):
            _require_file(source)
        with captured(_is_chatter) as self._complaints:
            self._capture = _opened(source)
        if not self._capture.isOpened():
            raise InputError(self._why_not_opened())
        width, height = (
            self._capture.get(side)
            for side in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT)
        )
        if width * height > max_pixels:
            self._capture.release()
            raise InputError(
                f"{source}: frames of {width:.0f} x {height:.0f} pixels; the limit is "
                f"{max_pixels / 1e6:g} megapixels. Pass a larger --max-megapixels."
            )
        fps = self._capture.get(cv2.CAP_PROP_FPS)
        self.fps = fps if 0 < fps <= _HIGHEST_FPS else _USUAL_FPS
        count = self._capture.get(cv2.CAP_PROP_FRAME_COUNT)
        self.frame_count = int(count) if not is_camera and count > 0 else None
        """Number of frames that the header states; None if the header states no number."""
        self.is_live = is_camera or (is_url and self.frame_count is None)
        """True if times are measured by a clock, False if they are stored in the video."""
        self.missing_s = 0.0
        """Seconds promised by the header that could not be read; known after the last frame."""

    @property
    def complaint(self) -> str | None:
        """The first message of the decoder about an error."""
        said = [line for line in self._complaints if not line.startswith(_OPENCV_ITSELF)]
        return _ADDRESS.sub(r"\1: ", said[0]) if said else None

    def frames(self) -> Iterator[Frame]:
        """Yields the frames.  Raises InputError if there is none."""
        opened = time.monotonic()
        index, time_s = 0, 0.0
        while (pixels := self._read()) is not None:
            if self.is_live:
                time_s = time.monotonic() - opened
            else:
                time_s = max(self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1e3, time_s)
            yield Frame(index, time_s, pixels)
            index += 1
        if not index:
            raise InputError(f"{self._shown}: no frame could be read.{self._because()}")
        if self.frame_count is not None:
            self.missing_s = self._missing_s(self.frame_count / self.fps, time_s + 1 / self.fps)

    def __enter__(self) -> VideoReader:
        return self

    def __exit__(self, *_error: object) -> None:
        self._capture.release()

    def _read(self) -> UInt8Array | None:
        """Returns (H, W, 3) RGB; None at the end."""
        with captured(_is_chatter) as lines:
            there, pixels = self._capture.read()
        if not self._complaints:
            self._complaints.extend(lines[:1])
        if not there:
            return None
        return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB), np.uint8)

    def _missing_s(self, promised_s: float, read_s: float) -> float:
        missing_s = promised_s - read_s
        forgiven_s = min(_FORGIVEN_S, _FORGIVEN_SHARE * promised_s)
        return missing_s if missing_s > max(forgiven_s, _FORGIVEN_FRAMES / self.fps) else 0.0

    def _why_not_opened(self) -> str:
        if self.source.isdecimal():
            return f"Camera {self.source} cannot be opened. Is it connected, and free?"
        what = "a stream" if "://" in self.source else "a video"
        return f"{self._shown}: not {what} that OpenCV can open.{self._because()}"

    def _because(self) -> str:
        said = f" The decoder says: {self.complaint}" if self.complaint else ""
        if self.source == "-":
            said += (
                " What comes through a pipe must be readable from front to end: MPEG-TS, Matroska "
                "or AVI, not a plain MP4."
            )
        return said


def _require_file(source: str) -> None:
    """Raises InputError if the path is no regular file that can be opened."""
    try:
        open_regular(source).close()
    except IrregularFileError as error:
        reason = f"it is {error}; pass - for what comes through a pipe"
    except OSError as error:
        reason = error.strerror or str(error)
    except ValueError as error:  # a null character
        reason = str(error)
    else:
        return
    raise InputError(
        f"{source}: {reason}. The file of a video, -, a URL or a camera's number needed."
    )


def _opened(source: str) -> cv2.VideoCapture:
    if source.isdecimal():
        return cv2.VideoCapture(int(source))
    if source == "-":
        return cv2.VideoCapture("pipe:0", cv2.CAP_FFMPEG)
    return cv2.VideoCapture(source)


def _is_chatter(line: bytes) -> bool:
    """Returns whether a line was logged by FFmpeg ("[mpeg4 @ 0x...] ...") or OpenCV."""
    return line.startswith((b"[", b"OpenCV: "))
