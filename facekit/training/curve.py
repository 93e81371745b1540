"""Writes the curve of a run: curve.jsonl, with one line of JSON per step, and TensorBoard files.

A resumed run first removes the lines that were written after the checkpoint, so that the curve
equals that of a run without interruption.
"""

from __future__ import annotations

import json
import math
import shutil
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from facekit.errors import StorageError
from facekit.system.files import write_atomically
from facekit.system.inputs import open_input, parse_json, reading
from facekit.training.backend import tf
from facekit.training.request import CURVE

CURVE_NAME = "curve.jsonl"
TENSORBOARD_NAME = "tensorboard"
_STEP = "step"
_SCALAR = tf.compat.v1.SummaryMetadata(
    plugin_data=tf.compat.v1.SummaryMetadata.PluginData(plugin_name="scalars"), data_class=1
)
_NOT_CURVES = frozenset((_STEP, "epoch"))


@dataclass(slots=True)
class CurveLog:
    """Writes the curve.  `resume_at` must be called first.  Every line has the member "step"."""

    folder: Path
    _pending: list[dict[str, Any]] = field(default_factory=list)
    _writer: Any = None

    def resume_at(self, step: int) -> list[dict[str, Any]]:
        """Opens the curve after `step` steps and returns its lines so far.

        Raises StorageError if a file cannot be read or written.
        """
        path = self.folder / CURVE_NAME
        kept = [line for line in read_curve(path) if line[_STEP] <= step] if step else []
        write_atomically(path, "".join(json.dumps(line) + "\n" for line in kept).encode())
        # Event files cannot be truncated at a step, so they are written anew.
        board = self.folder / TENSORBOARD_NAME
        try:
            if board.exists():
                shutil.rmtree(board)
            self._writer = tf.summary.create_file_writer(str(board))
        except (OSError, tf.errors.OpError) as error:
            raise StorageError(f"Cannot write to {board}: {error}") from error
        self._to_tensorboard(kept)
        return kept

    def add(self, step: int, epoch: int, **values: float) -> None:
        """Adds a line with the values after `step` steps.

        Values that are not finite are omitted, because JSON cannot store them.
        """
        finite = {name: value for name, value in values.items() if math.isfinite(value)}
        self._pending.append({_STEP: step, "epoch": epoch, **finite})

    def flush(self) -> None:
        """Writes the added lines to disk.  Raises StorageError if a file cannot be written."""
        path = self.folder / CURVE_NAME
        try:
            with path.open("a", encoding="utf-8") as file:
                file.writelines(json.dumps(line) + "\n" for line in self._pending)
        except OSError as error:
            raise StorageError(f"Cannot write {path}: {error.strerror or error}") from error
        self._to_tensorboard(self._pending)
        self._pending.clear()

    def _to_tensorboard(self, lines: list[dict[str, Any]]) -> None:
        with self._writer.as_default():
            for line in lines:
                for name in line.keys() - _NOT_CURVES:
                    # tf.summary.scalar needs the package tensorboard; these are the same records.
                    tf.summary.write(
                        name, np.float32(line[name]), step=line[_STEP], metadata=_SCALAR
                    )
        self._writer.flush()


def read_curve(path: Path) -> list[dict[str, Any]]:
    """Returns the lines of a curve up to the first invalid one, or [] if there is no file.

    The last line is invalid if the process was killed while writing.
    Raises StorageError if there is something that is not read.
    """
    lines: list[dict[str, Any]] = []
    with reading(CURVE, path):
        if not path.exists():
            return lines
    with open_input(path, CURVE) as file, suppress(ValueError, RecursionError):
        for text in file:
            line = parse_json(text)
            if not isinstance(line, dict) or not isinstance(line.get(_STEP), int):
                break
            lines.append(line)
    return lines
