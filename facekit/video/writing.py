"""Writes an annotated video, completely or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np

from facekit.errors import StorageError, UsageError
from facekit.system.native_output import captured
from facekit.types import UInt8Array

CODECS = {".mp4": "mp4v", ".mov": "mp4v", ".mkv": "mp4v", ".avi": "MJPG", ".webm": "VP80"}
"""Codecs of the OpenCV wheels, by suffix; H.264 is not among them because of its license."""


class VideoWriter:
    """Writes under a temporary name beside `path` and renames when the block ends normally.

    Without a frame, or if the block ends with an exception, no file remains.
    """

    def __init__(self, path: Path, *, fps: float) -> None:
        """Raises UsageError for a suffix that is not in CODECS."""
        if path.suffix.lower() not in CODECS:
            raise UsageError(
                f"The annotated video's name must end in {', '.join(CODECS)}. Received: {path.name}"
            )
        self._path = path
        self._fps = fps
        self._temporary = path.with_name(f".{path.stem}.{os.getpid()}.part{path.suffix}")
        self._writer: cv2.VideoWriter | None = None
        self._size = (0, 0)
        self._frames = 0

    def write(self, pixels: UInt8Array) -> None:
        """Writes (H, W, 3) RGB; frames of another size than the first are resized to it.

        Raises StorageError if the file or the encoder cannot be opened.
        """
        if self._writer is None:
            self._size = (pixels.shape[1], pixels.shape[0])
            self._writer = self._opened()
        if pixels.shape[1::-1] != self._size:
            pixels = np.asarray(cv2.resize(pixels, self._size), np.uint8)
        self._writer.write(cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR))
        self._frames += 1

    def __enter__(self) -> VideoWriter:
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        """Raises StorageError if the file is incomplete, for example on a full disk."""
        if self._writer is None:
            return
        try:
            with captured(_is_chatter):
                self._writer.release()
            if error is None:
                self._require_whole()
                self._temporary.replace(self._path)
        except OSError as failed:
            raise StorageError(f"Cannot write {self._path}: {failed.strerror}") from failed
        finally:
            self._temporary.unlink(missing_ok=True)

    def _opened(self) -> cv2.VideoWriter:
        codec = CODECS[self._path.suffix.lower()]
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._temporary.touch()  # reports an error that OpenCV would not explain
        except OSError as error:
            raise StorageError(f"Cannot write {self._path}: {error.strerror}") from error
        with captured(_is_chatter) as lines:
            writer = cv2.VideoWriter(
                str(self._temporary), cv2.VideoWriter.fourcc(*codec), self._fps, self._size
            )
        if not writer.isOpened():
            self._temporary.unlink(missing_ok=True)
            reason = f": {lines[-1]}" if lines else "."
            raise StorageError(
                f"Cannot write {self._path}: this OpenCV has no encoder for {codec}, or not for "
                f"frames of {self._size[0]} x {self._size[1]}{reason} Other endings: "
                f"{', '.join(CODECS)}"
            )
        return writer

    def _require_whole(self) -> None:
        """Reads the file back.  NB: OpenCV's writer does not report a failed write."""
        with captured(_is_chatter):
            written = cv2.VideoCapture(str(self._temporary))
            frames = written.get(cv2.CAP_PROP_FRAME_COUNT)
            written.release()
        if abs(frames - self._frames) > 1:  # Matroska states a duration, which is rounded
            raise StorageError(
                f"Cannot write {self._path}: {max(frames, 0):.0f} of {self._frames} frames "
                "arrived. Is the disk full?"
            )


def _is_chatter(line: bytes) -> bool:
    return line.startswith((b"[", b"OpenCV: "))
