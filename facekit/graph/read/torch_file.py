"""PyTorch's files of tensors, read without running anything that is pickled in them.

A .pt file is a pickle, alone or in a zip archive, and a pickle can call any function.  PyTorch's
own restricted reader builds tensors and plain containers and refuses the rest.
"""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facekit.errors import ModelBuildError
from facekit.graph.weights import MAX_BYTES
from facekit.system.extras import require

_LEGACY_MAGIC = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."
"""how PyTorch before 1.6 begins a file: a pickled number"""
_HEAD_BYTES = 1 << 20
_WRAPPED = ("state_dict", "model_state_dict")


def is_torch_file(path: Path) -> bool:
    """Whether PyTorch wrote it, today's way or the older one."""
    return _pickle_member(path) is not None or _head(path).startswith(_LEGACY_MAGIC)


def mentions(path: Path, key: str) -> bool:
    """Whether a tensor is called so, by the bytes of the pickle, which is not opened."""
    member = _pickle_member(path)
    if member is None:
        return key.encode() in _head(path)
    with zipfile.ZipFile(path) as archive, archive.open(member) as file:
        return key.encode() in file.read(_HEAD_BYTES)


def read_state_dict(path: Path) -> dict[str, NDArray[Any]]:
    """Every tensor by its name, without the "module." that training on several devices adds.

    Raises ModelBuildError for a file that holds more than tensors, is damaged or huge, and
    MissingExtraError without PyTorch.
    """
    _require_small(path)
    torch = require("torch", extra="torch", needed_for=f"Reading {path.name}")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # unpickling raises whatever it meets
        reason = str(error).strip().partition("\n")[0]
        raise ModelBuildError(
            f"{path} is not a PyTorch file of tensors alone, or is damaged; nothing in it was "
            f"run: {reason}"
        ) from error
    for wrapped in _WRAPPED:
        if isinstance(content, dict) and isinstance(content.get(wrapped), dict):
            content = content[wrapped]
    if not isinstance(content, dict):
        raise ModelBuildError(
            f"{path} must hold tensors by name (a state_dict). Received: a "
            f"{type(content).__name__}."
        )
    tensors: dict[str, NDArray[Any]] = {}
    for name, value in content.items():
        if not isinstance(value, torch.Tensor):
            raise ModelBuildError(f"{path.name}: {name} is a {type(value).__name__}, no tensor.")
        tensors[str(name).removeprefix("module.")] = np.asarray(value.detach().numpy())
    return tensors


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_HEAD_BYTES)


def _pickle_member(path: Path) -> str | None:
    """NAME/data.pkl, which every zip archive of PyTorch's has."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, OSError):
        return None
    return next((name for name in names if name.rpartition("/")[2] == "data.pkl"), None)


def _require_small(path: Path) -> None:
    size = path.stat().st_size
    if _pickle_member(path) is not None:
        with zipfile.ZipFile(path) as archive:
            size = max(size, sum(member.file_size for member in archive.infolist()))
    if size > MAX_BYTES:
        raise ModelBuildError(f"{path} has {size} bytes unpacked; {MAX_BYTES} are allowed.")
