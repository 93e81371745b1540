"""The models on this machine.

    <home>/models/<name>/<name>_<variant>.tflite    with <name>_<variant>.json, its card
    <home>/models/<name>/<name>_onnx-fp32.onnx      the same for ONNX, see variants.py
    <home>/sources/<name>/                          downloaded weights, see fetch.py
    <home>/verified.json                            see checksum.py

<home> is FACEKIT_HOME, or the platform's cache folder.  A model appears, changes and goes as a
whole: readers never see half of one.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from facekit.errors import ModelBuildError, ModelMismatchError, ModelMissingError, StorageError
from facekit.files import write_atomically
from facekit.models import registry
from facekit.models.card import Card, read_card
from facekit.models.checksum import remembered_sha256, sha256_of
from facekit.models.decode import PLAIN_NAME
from facekit.models.variants import DEFAULT_VARIANT as DEFAULT_VARIANT  # so named by many
from facekit.models.variants import (
    LITERT_SUFFIX,
    MODEL_SUFFIXES,
    file_name,
    precision_of,
    whole_variant,
)
from facekit.models.workspace import put_in_place, workspace

MODEL_SUFFIX = LITERT_SUFFIX
"""of what facekit builds and converts; export also makes the others of MODEL_SUFFIXES"""
CARD_SUFFIX = ".json"

Build: TypeAlias = Callable[[Path], object]
"""Fills an empty folder with model files and their cards."""


@dataclass(frozen=True, slots=True, eq=False)
class InstalledModel:
    """A model file that is as its card says."""

    card: Card
    path: Path


def home() -> Path:
    """FACEKIT_HOME, or the platform's cache folder for facekit; it need not exist yet."""
    if given := os.environ.get("FACEKIT_HOME"):
        return Path(given).expanduser()
    from platformdirs import user_cache_path

    return user_cache_path("facekit", appauthor=False)


def models_folder() -> Path:
    return home() / "models"


def sources_folder(name: str) -> Path:
    return home() / "sources" / name


def stored_names() -> tuple[str, ...]:
    """Every model of which there is a file, by name."""
    folders = sorted(path for path in _entries(models_folder()) if not path.name.startswith("."))
    return tuple(path.name for path in folders if stored_variants(path.name))


def stored_variants(name: str) -> tuple[str, ...]:
    """The variants of which there is a file or a card, by name."""
    stems = {
        path.stem.removeprefix(f"{name}_")
        for path in _entries(models_folder() / name)
        if path.suffix in (*MODEL_SUFFIXES, CARD_SUFFIX) and path.name.startswith(f"{name}_")
    }
    return tuple(sorted(stems))


def variant_path(name: str, variant: str) -> Path:
    return models_folder() / name / file_name(name, variant)


def find(name_or_path: str | Path) -> InstalledModel:
    """The model called "name" or "name:variant", or the one in a .tflite, .onnx or .json
    file.

    The first of a detector's nets where only the detector is named.  Checks size and sha256
    against the card (see checksum.py for when the file is read for that).
    Raises ModelMissingError, which says how to get it, or ModelMismatchError.
    """
    return find_all(name_or_path)[0]


def find_all(name_or_path: str | Path) -> tuple[InstalledModel, ...]:
    """As `find`, with all the nets of a detector."""
    return tuple(load_checked(path) for path in paths_of(name_or_path))


def paths_of(name_or_path: str | Path) -> tuple[Path, ...]:
    """The files that `find_all` would check, the first one first.  Raises ModelMissingError."""
    text = str(name_or_path)
    if text.endswith(CARD_SUFFIX):
        return (Path(text).parent / read_card(Path(text)).file_name,)
    if text.endswith(MODEL_SUFFIXES):
        if not Path(text).is_file():
            raise ModelMissingError(f"No model file {text}.")
        return (Path(text),)
    name, _, variant = text.partition(":")
    variant = whole_variant(variant)
    variants = (variant,) if variant else wanted_variants(name)
    paths = tuple(variant_path(name, one) for one in variants)
    plain = all(map(PLAIN_NAME.fullmatch, (name, *variants)))
    if not plain or not all(path.is_file() for path in paths):
        raise ModelMissingError(_how_to_get(name, variant))
    return paths


def wanted_variants(name: str) -> tuple[str, ...]:
    """The variants that are meant where none is named."""
    if name in registry.names():
        return registry.entry(name).variants
    stored = stored_variants(name)
    return stored if len(stored) == 1 else (DEFAULT_VARIANT,)


def load_checked(path: Path, *, read_all: bool = False) -> InstalledModel:
    """The model file with its card; `read_all` hashes it whatever was remembered.

    Raises ModelMismatchError where the file is not the one that the card describes.
    """
    card = read_card(path.with_suffix(CARD_SUFFIX))
    try:
        size = path.stat().st_size
        if size == card.file_size_bytes:
            remembered = home() / "verified.json"
            sha256 = sha256_of(path) if read_all else remembered_sha256(path, remembered)
    except OSError as error:
        raise ModelMismatchError(f"Model file {path} cannot be read: {error.strerror}") from error
    if size != card.file_size_bytes:
        wanted, received = f"{card.file_size_bytes} bytes", f"{size}"
    elif sha256 != card.file_sha256:
        wanted, received = f"sha256 {card.file_sha256}", sha256
    elif path.name != card.file_name:
        wanted, received = f"the file name {card.file_name}", path.name
    else:
        return InstalledModel(card, path)
    raise ModelMismatchError(
        f"Model file {path} is not the one that its card describes: {wanted} needed, received "
        f"{received}. Build, convert or import it again."
    )


def install(
    name: str,
    build: Build,
    *,
    only_if_missing: bool = False,
    on_wait: Callable[[], None] | None = None,
) -> None:
    """Lets `build` fill an empty folder, checks what it made, and puts it in place as a whole.

    Earlier variants that `build` does not make stay.  Where `build` raises or is killed, the
    earlier model stays as it was.  Processes take turns; `on_wait` is called once before waiting,
    and with `only_if_missing` nothing is built where another one has done it meanwhile.
    Raises StorageError, ModelBuildError or ModelMismatchError, and whatever `build` raises.
    """
    import shutil  # with its compressors 5 ms, which finding a model need not pay

    _require_plain(name)
    with storage_errors(), workspace(home(), name, on_wait=on_wait) as folder:
        if only_if_missing and is_installed(name):
            return
        build(folder)
        _check_built(name, folder)
        target = models_folder() / name
        for earlier in _entries(target):
            if not (folder / earlier.name).exists():
                shutil.copy2(earlier, folder)
        put_in_place(folder, target)


def write_card(model: Path, card: Card) -> None:
    """Replaces the card beside a model file.  Raises StorageError."""
    write_atomically(model.with_suffix(CARD_SUFFIX), card.to_json().encode())


def is_installed(name_or_path: str | Path) -> bool:
    """Whether the files are there; `find` also checks them."""
    try:
        return bool(paths_of(name_or_path))
    except ModelMissingError:
        return False


def remove(name: str) -> tuple[Path, ...]:
    """Removes "name" with all variants, or "name:variant"; returns the model files that are gone.

    Raises ModelMissingError where there is none, StorageError where it cannot be removed.
    """
    import shutil

    model, _, variant = name.partition(":")
    variant = whole_variant(variant)
    stored = stored_variants(model) if PLAIN_NAME.fullmatch(model) else ()
    gone = tuple(one for one in stored if variant in ("", one))
    if not gone:
        raise ModelMissingError(f"No model {name} in {models_folder()}: nothing to remove.")
    paths = tuple(variant_path(model, one) for one in gone)
    with storage_errors(), workspace(home(), model):
        for path in paths:
            path.unlink(missing_ok=True)
            path.with_suffix(CARD_SUFFIX).unlink(missing_ok=True)
        if not stored_variants(model):
            shutil.rmtree(models_folder() / model)
    return paths


def remove_sources(name: str) -> tuple[Path, ...]:
    """Removes the downloaded weights; returns the files that are gone.  Raises StorageError."""
    import shutil

    _require_plain(name)
    folder = sources_folder(name)
    with storage_errors():
        paths = _entries(folder)
        if paths:
            shutil.rmtree(folder)
        return paths


@contextmanager
def storage_errors() -> Iterator[None]:
    """Translates what the file system says about facekit's home into StorageError."""
    try:
        yield
    except OSError as error:
        raise StorageError(
            f"Cannot change the models in {home()}: {error}. Make that folder writable, make "
            "room on its disk, or set FACEKIT_HOME to another folder."
        ) from error


def _require_plain(name: str) -> None:
    if not PLAIN_NAME.fullmatch(name):
        raise ModelMismatchError(
            f"A model's name is made of letters, digits and ._- only. Received: {name!r}"
        )


def _check_built(name: str, folder: Path) -> None:
    files = sorted(path for path in folder.iterdir() if path.suffix in MODEL_SUFFIXES)
    if not files:
        raise ModelBuildError(f"Building {name} has made no model file.")
    for path in files:
        card = load_checked(path, read_all=True).card
        if card.name != name or not path.name.startswith(f"{name}_"):
            raise ModelMismatchError(
                f"Model {name} needs files called {name}_VARIANT{path.suffix}. Received: "
                f"{path.name} with the card of {card.name}."
            )


def _entries(folder: Path) -> tuple[Path, ...]:
    return tuple(folder.iterdir()) if folder.is_dir() else ()


def _how_to_get(name: str, variant: str) -> str:
    """What is missing, what there is, and the commands that bring it."""
    precision = precision_of(variant)
    if precision is not None and name in (*registry.names(), *stored_names()):
        return (
            f"Model {name} has no ONNX file of precision {precision.value} here. Make it with:\n"
            f"  facekit export {name} --format onnx --precision {precision.value} --install\n"
            "or bring it with `facekit models import FILE`."
        )
    if name not in registry.names():
        known = ", ".join(dict.fromkeys((*registry.names(), *stored_names())))
        return (
            f"No model is called {name!r}. Known models: {known}. A file ends in "
            f"{' or '.join(MODEL_SUFFIXES)}."
        )
    if variant not in ("", *registry.entry(name).variants):
        stored = ", ".join(stored_variants(name)) or "none"
        return (
            f"Model {name} has no variant {variant!r} here; stored variants: {stored}. Make it "
            "with `facekit convert`, or bring it with `facekit models import FILE`."
        )
    return (
        f"Model {name} is not in {models_folder()}. Build it here (TensorFlow is needed for "
        "that, once):\n"
        "  python -m pip install 'facekit-cli[host]'\n"
        f"  facekit models build {name}\n"
        "or build it on another machine and bring it over:\n"
        f"  there:  facekit models export {name} -o {name}.tar\n"
        f"  here:   facekit models import {name}.tar"
    )
