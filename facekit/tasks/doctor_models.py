"""Examines the models that commands would use: those of a bundle, or of the store."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from facekit.board.manifest import Bundle, detector_files, model_file, read_bundle
from facekit.board.match import ThisBoard, require_match
from facekit.enums import Device, Runtime
from facekit.errors import (
    AcceleratorError,
    FacekitError,
    ModelError,
    ModelMissingError,
    error_named,
)
from facekit.model import store
from facekit.model.defaults import DefaultModel, default_model
from facekit.model.registry import DETECTOR
from facekit.system.extras import is_installed
from facekit.system.trial import Died, try_each
from facekit.tasks.doctor_results import ExaminedBundle, ExaminedModel, Models, Store
from facekit.tasks.open_pipeline import usual_detector

_TRIAL = "facekit.tasks.doctor_trials:try_model"


def examine(bundle: Path | None, *, folders: Sequence[Path], board: ThisBoard) -> Models:
    """Examines the models of an unpacked bundle; None means those of the store.

    `folders` are searched for the delegates that run a bundle's models on `board`.
    """
    return _of_store(folders) if bundle is None else _of_bundle(bundle, folders, board)


def _of_bundle(folder: Path, folders: Sequence[Path], board: ThisBoard) -> Models:
    try:
        bundle = read_bundle(folder)
    except FacekitError as error:
        return Models(problems=(error,))
    problems: list[FacekitError] = []
    files = []
    for device, paths in _files(folder, bundle).items():
        skipped = ""
        try:
            require_match(bundle, device, board=board)
        except AcceleratorError as error:  # its driver may hang on such a file
            problems.append(error)
            skipped = "not run: this board's NPU does not take the bundle's files"
        for path in paths:
            checked = _checked(path, device, read_all=True)
            files.append(replace(checked, skipped=skipped) if skipped else checked)
    ran = _run(files, folders)
    return Models(
        bundle=ExaminedBundle(folder, bundle.target, bundle.device, bundle.board),
        files=ran,
        problems=(*problems, *(model.error for model in ran if model.error)),
    )


def _files(folder: Path, bundle: Bundle) -> dict[Device, list[Path]]:
    """Returns the files that run on each device.

    MTCNN's nets run on the CPU whatever the device, and stand there alone.
    """
    files = {
        device: [folder / model_file(bundle.model, variant)]
        for device, variant in bundle.variants.items()
    }
    for device in bundle.variants if bundle.detector_variants else (bundle.device,):
        on = device if bundle.detector_variants else Device.CPU
        files.setdefault(on, []).extend(detector_files(folder, bundle, device=device))
    return files


def _of_store(folders: Sequence[Path]) -> Models:
    home = store.home().absolute()
    existing = next(one for one in (home, *home.parents) if one.exists())
    writable = existing.is_dir() and os.access(existing, os.W_OK | os.X_OK)
    files = [
        _checked(store.variant_path(name, variant), Device.CPU)
        for name in store.stored_names()
        for variant in store.stored_variants(name)
    ]
    ran = _run(files, folders)
    problems = [model.error for model in ran if model.error]
    default: DefaultModel | None = None
    try:
        default = default_model()
    except FacekitError as error:
        problems.append(error)
    missing = tuple(_missing(default))
    if not writable:
        problems += [error for _, error in missing]
    return Models(
        store=Store(home, writable, shutil.disk_usage(existing).free),
        files=ran,
        default=default,
        to_build=tuple(name for name, _ in missing) if writable else (),
        problems=tuple(problems),
    )


def _missing(default: DefaultModel | None) -> Iterable[tuple[str, FacekitError]]:
    """Yields the models that verify needs and that are not stored, with how to get them."""
    for name in [default.model, usual_detector(default.model)] if default else [DETECTOR]:
        try:
            store.paths_of(name)
        except ModelMissingError as error:
            yield name, error


def _checked(path: Path, device: Device, *, read_all: bool = False) -> ExaminedModel:
    """Compares a file with its card; `read_all` hashes it even if a hash is cached."""
    name = path.parent.name
    full_name = f"{name}:{path.stem.removeprefix(f'{name}_')}"
    try:
        card = store.load_checked(path, read_all=read_all).card
    except FacekitError as error:
        return ExaminedModel(full_name, path, None, device, error=error)
    return ExaminedModel(full_name, path, card.file_size_bytes, device, skipped=_lacks(path))


def _lacks(path: Path) -> str:
    if path.suffix == Runtime.KERAS.suffix:
        return "not run: TensorFlow takes seconds to start"
    if path.suffix == Runtime.ONNX.suffix and not is_installed("onnxruntime"):
        return "not run: ONNX Runtime is not installed"
    return ""


def _run(models: Iterable[ExaminedModel], folders: Sequence[Path]) -> tuple[ExaminedModel, ...]:
    """Opens and runs every model that is as its card says, and whose runtime is installed."""
    known = tuple(models)
    items = [
        {
            "path": str(model.path),
            "device": model.device.value,
            "folders": list(map(str, folders)),
        }
        for model in known
        if model.is_runnable
    ]
    answers = try_each(_TRIAL, items)
    return tuple(
        _with_answer(model, next(answers)) if model.is_runnable else model for model in known
    )


def _with_answer(model: ExaminedModel, answer: Any) -> ExaminedModel:
    """`answer`: of `try_model`, or Died."""
    if isinstance(answer, Died):
        kind = ModelError if model.device is Device.CPU else AcceleratorError
        return replace(
            model,
            error=kind(
                f"{model.path} cannot be run on {model.device.value}: the process {answer.how}. "
                "Build, convert or copy it again, or install another LiteRT runtime."
            ),
        )
    if answer["is_for_npu"]:
        return replace(model, skipped="not run: compiled for an NPU")
    error = answer["error"] and error_named(**answer["error"])
    return replace(model, time_ms=answer["time_ms"], error=error)
