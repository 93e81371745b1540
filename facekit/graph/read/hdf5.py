"""Reads HDF5 files within limits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from facekit.errors import ModelBuildError
from facekit.graph.weights import MAX_BYTES, WEIGHTS
from facekit.system.extras import require
from facekit.system.inputs import InputKind, open_input, reading

_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_HDF5 = InputKind("an HDF5 file of weights", ModelBuildError)
_NUMBERS = "fiub"  # NumPy's kinds of dtypes: floats, integers and booleans


def is_hdf5(path: Path) -> bool:
    """Returns whether the file begins with the HDF5 signature.

    Raises ModelBuildError if the file cannot be read.
    """
    with open_input(path, WEIGHTS) as file:
        return file.read(len(_SIGNATURE)) == _SIGNATURE


@contextmanager
def open_hdf5(
    path: Path, content: BinaryIO | None = None, *, kind: InputKind = _HDF5
) -> Iterator[Any]:
    """Opens the file `path`, or `content`, which is an HDF5 file within it, and yields it.

    Raises the error of the kind if a group or a dataset lies in another file, and for everything
    that is raised in the context; and MissingExtraError if h5py is not installed.
    """
    h5py = require("h5py", extra="convert", needed_for=f"Reading {path.name}")
    with reading(kind, path), h5py.File(content or path, "r") as file:

        def refuse_links(group: str, item: Any) -> None:
            for name in item if isinstance(item, h5py.Group) else ():
                if isinstance(item.get(name, getlink=True), h5py.ExternalLink):
                    raise ValueError(f"{group}/{name} lies in another file")

        refuse_links("", file)
        file.visititems(lambda name, item: refuse_links(f"/{name}", item))
        yield file


def list_datasets(group: Any) -> dict[str, Any]:
    """Returns every dataset below an opened HDF5 file, or below a group of it, by its path there.

    Raises the errors of h5py if the content is damaged.
    """
    datasets: dict[str, Any] = {}

    def visit(name: str, item: Any) -> None:
        if hasattr(item, "nbytes"):  # neither a group nor a named type
            datasets[name] = item

    group.visititems(visit)
    return datasets


def read_arrays(datasets: Mapping[str, Any]) -> dict[str, NDArray[Any]]:
    """Returns the elements of datasets.

    Raises ValueError if a dataset holds anything but numbers, if it lies in other files, or if all
    of them have more than MAX_BYTES; and the errors of h5py if the content is damaged.
    """
    total_bytes = 0
    for name, dataset in datasets.items():
        total_bytes += dataset.nbytes
        if total_bytes > MAX_BYTES:
            raise ValueError(f"{name} has {dataset.nbytes} bytes; {MAX_BYTES} are allowed in all")
        if dataset.dtype.kind not in _NUMBERS:
            raise ValueError(f"{name} holds {dataset.dtype}, not numbers")
        if dataset.external or dataset.is_virtual:
            raise ValueError(f"the elements of {name} lie in another file")
    return {name: np.asarray(dataset) for name, dataset in datasets.items()}
