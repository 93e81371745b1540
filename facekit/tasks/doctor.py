"""Reports which of the packages and files that facekit needs this machine has, and all faults.

Nothing is downloaded, built or changed.  numpy and OpenCV are imported on trial only, so that a
report is also possible without them.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import os
import platform
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from facekit.errors import FacekitError, ModelError, ModelMismatchError, ModelMissingError
from facekit.runtime.devices import LIBRARY_FOLDERS, delegates_found
from facekit.system.extras import EXTRAS, is_installed
from facekit.system.fields import blanks_to_null
from facekit.version import __version__

if TYPE_CHECKING:
    from facekit.model.defaults import DefaultModel


@dataclass(frozen=True, slots=True)
class DelegateLibrary:
    """A shared library through which LiteRT uses an accelerator."""

    path: Path
    accelerator: str

    def to_dict(self) -> dict[str, Any]:
        return {"path": str(self.path), "accelerator": self.accelerator}


@dataclass(frozen=True, slots=True)
class Store:
    """The folder of stored models."""

    path: Path
    writable: bool
    """True if the folder can be written, or made if it does not exist yet."""
    free_bytes: int

    def to_dict(self) -> dict[str, Any]:
        return {"path": str(self.path), "writable": self.writable, "free_bytes": self.free_bytes}


@dataclass(frozen=True, slots=True)
class StoredModel:
    """A model file in the store."""

    model: str
    """The model as "name:variant"."""
    path: Path
    size_bytes: int | None
    """None if the file differs from its card."""
    error: FacekitError | None
    """The difference between the file and its card."""

    def to_dict(self) -> dict[str, Any]:
        return {
            "model": self.model,
            "path": str(self.path),
            "size_bytes": self.size_bytes,
            **(self.error.to_dict() if self.error else {"error": None}),
        }


@dataclass(frozen=True, slots=True)
class Report:
    """The findings of `examine`; without numpy, models and their store are not examined."""

    versions: dict[str, str]
    """Versions of facekit, python, numpy and cv2; "" if a package cannot be imported."""
    runtime: str
    """Import name and version of the LiteRT runtime in use, or "" without one."""
    onnx_runtime: str
    """Version of ONNX Runtime, or "" without the extra."""
    providers: tuple[str, ...]
    """ONNX Runtime's execution providers."""
    delegates: tuple[DelegateLibrary, ...]
    store: Store | None
    models: tuple[StoredModel, ...]
    default_model: DefaultModel | None
    """The model that is used if none is named; None if the setting for it is not valid."""
    to_build: tuple[str, ...]
    """Models that the first command which needs them will build."""
    extras: dict[str, bool]
    problems: tuple[FacekitError, ...]
    """Reasons why commands fail: all commands, or those that use one model."""

    def to_dict(self) -> dict[str, Any]:
        return {
            "versions": blanks_to_null(self.versions, *self.versions),
            "runtime": self.runtime or None,
            "onnx_runtime": self.onnx_runtime or None,
            "onnx_providers": list(self.providers),
            "delegates": [found.to_dict() for found in self.delegates],
            "store": self.store and self.store.to_dict(),
            "models": [model.to_dict() for model in self.models],
            "default_model": self.default_model and self.default_model.to_dict(),
            "to_build": list(self.to_build),
            "extras": self.extras,
            "problems": [problem.to_dict()["error"] for problem in self.problems],
        }


def examine(*, library_folders: Iterable[Path] = LIBRARY_FOLDERS) -> Report:
    """Examines packages, runtime, delegates, cache and models; faults are in the report.

    library_folders: folders that are searched for the libraries of delegates.  Raises no error.
    """
    problems: list[FacekitError] = []
    versions = {"facekit": __version__, "python": platform.python_version()}
    for package, wheel in (("numpy", "numpy"), ("cv2", "opencv-python-headless")):
        versions[package] = _imported_version(package, wheel, problems)
    extras = {name: all(map(is_installed, packages)) for name, packages in EXTRAS.items()}
    runtime = onnx_runtime = ""
    providers: tuple[str, ...] = ()
    store: Store | None = None
    models: tuple[StoredModel, ...] = ()
    default: DefaultModel | None = None
    to_build: tuple[str, ...] = ()
    if versions["numpy"]:
        runtime = _runtime(problems)
        if is_installed("onnxruntime"):
            onnx_runtime, providers = _onnx_runtime(problems)
        store = _store()
        models = _stored_models(problems)
        default = _default_model(problems)
        to_build = _to_build(default, problems, can_build=store.writable)
    return Report(
        versions=versions,
        runtime=runtime,
        onnx_runtime=onnx_runtime,
        providers=providers,
        delegates=_delegates(library_folders),
        store=store,
        models=models,
        default_model=default,
        to_build=to_build,
        extras=extras,
        problems=tuple(problems),
    )


def _imported_version(package: str, wheel: str, problems: list[FacekitError]) -> str:
    """Returns the version of a package after importing it.

    An installed package may fail to load because a system library is missing.
    """
    try:
        return str(importlib.import_module(package).__version__)
    except ImportError as error:
        problems.append(
            ModelError(
                f"{package} cannot be imported: {error}. "
                f"Install it with: python -m pip install {wheel}"
            )
        )
        return ""


def _runtime(problems: list[FacekitError]) -> str:
    from facekit.runtime.packages import default_package

    try:
        name = default_package().value
    except FacekitError as error:
        problems.append(error)
        return ""
    try:
        return f"{name} {importlib.metadata.version(name)}"
    except importlib.metadata.PackageNotFoundError:  # a board's own build without metadata
        return name


def _onnx_runtime(problems: list[FacekitError]) -> tuple[str, tuple[str, ...]]:
    from facekit.runtime.onnx import available_providers, runtime_version

    try:
        return runtime_version(), available_providers()
    except FacekitError as error:  # installed, and cannot be loaded
        problems.append(error)
        return "", ()


def _delegates(folders: Iterable[Path]) -> tuple[DelegateLibrary, ...]:
    return tuple(
        DelegateLibrary(found.path, " or ".join(found.accelerators))
        for found in delegates_found(folders)
    )


def _store() -> Store:
    from facekit.model.store import home

    folder = home().absolute()
    existing = next(one for one in (folder, *folder.parents) if one.exists())
    return Store(
        path=folder,
        writable=existing.is_dir() and os.access(existing, os.W_OK | os.X_OK),
        free_bytes=shutil.disk_usage(existing).free,
    )


def _stored_models(problems: list[FacekitError]) -> tuple[StoredModel, ...]:
    from facekit.model import store

    models = []
    for name in store.stored_names():
        for variant in store.stored_variants(name):
            path = store.variant_path(name, variant)
            wrong, size_bytes = None, None
            try:
                size_bytes = store.load_checked(path).card.file_size_bytes
            except ModelMismatchError as error:
                wrong = error
                problems.append(error)
            models.append(StoredModel(f"{name}:{variant}", path, size_bytes, wrong))
    return tuple(models)


def _default_model(problems: list[FacekitError]) -> DefaultModel | None:
    from facekit.model.defaults import default_model

    try:
        return default_model()
    except FacekitError as error:
        problems.append(error)
        return None


def _to_build(
    default: DefaultModel | None, problems: list[FacekitError], *, can_build: bool
) -> tuple[str, ...]:
    from facekit.model.card import DETECTOR
    from facekit.model.store import paths_of
    from facekit.tasks.open_pipeline import usual_detector

    missing = []
    needed = [default.model, usual_detector(default.model)] if default else [DETECTOR]
    for name in needed:
        try:
            paths_of(name)
        except ModelMissingError as error:
            missing.append(name)
            if not can_build:
                problems.append(error)
    return tuple(missing) if can_build else ()
