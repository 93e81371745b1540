"""Writes and restores checkpoints, each of which is the full state of a run in one file.

A run that is restored from a checkpoint continues as if it had not stopped.

A checkpoint is an .npz file of plain arrays, without pickle.  It contains every variable of net,
head and optimizers, including Keras's random state, and the number of steps done.  The number of
steps and the seed determine the photos of the next step; see dataset/epoch.py.
"""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from facekit.errors import ModelMismatchError
from facekit.system.files import write_atomically
from facekit.system.inputs import InputKind, open_input, open_zip

_NAME = re.compile(r"step-(\d{9})\.npz")
_STEP = "step"
_KIND = InputKind(
    "a checkpoint of a training run",
    ModelMismatchError,
    max_bytes=16 << 30,
    remedy="Remove it to go on from the one before.",
)


def save(folder: Path, variables: Mapping[str, Any], *, step: int, keep: int) -> Path:
    """Writes the state after `step` steps, then removes all but the last `keep` checkpoints.

    Raises StorageError if the file cannot be written; the earlier checkpoints then still exist.
    """
    content = io.BytesIO()
    arrays: dict[str, Any] = {_STEP: np.array(step, np.int64)}
    arrays.update((name, variable.numpy()) for name, variable in variables.items())
    np.savez(content, **arrays)
    path = folder / f"step-{step:09d}.npz"
    write_atomically(path, content.getvalue())
    for old in saved(folder)[:-keep]:
        old.unlink(missing_ok=True)
    return path


def saved(folder: Path) -> list[Path]:
    """Returns the paths of the checkpoints in `folder`, the latest last; [] if there are none."""
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if _NAME.fullmatch(path.name))


def restore(path: Path, variables: Mapping[str, Any]) -> int:
    """Assigns every variable and returns the number of steps done.

    Raises ModelMismatchError if the file cannot be read, or belongs to another net, head or
    optimizer.  In that case no variable has changed.
    """
    with open_input(path, _KIND) as content:
        with open_zip(content, max_bytes=_KIND.max_bytes):
            content.seek(0)  # np.load opens it by itself
        with np.load(content, allow_pickle=False) as file:
            arrays = {name: np.asarray(file[name]) for name in file.files}
        done = int(arrays.pop(_STEP))
    wrong = sorted(arrays.keys() ^ variables.keys()) or sorted(
        name
        for name, variable in variables.items()
        if arrays[name].shape != tuple(variable.shape)
        or not np.can_cast(arrays[name].dtype, variable.numpy().dtype, "same_kind")
    )
    if wrong:
        raise ModelMismatchError(
            f"Checkpoint {path} is of another net or optimizer: {', '.join(wrong[:3])} does not "
            "fit."
        )
    for name, variable in variables.items():
        variable.assign(arrays[name])
    return done
