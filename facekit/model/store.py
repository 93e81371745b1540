"""Finds the models on this machine.

    <home>/models/<name>/<name>_<variant>.tflite    with <name>_<variant>.json, its card
    <home>/models/<name>/<name>_onnx-fp32.onnx      the same for ONNX, see variants.py
    <home>/sources/<name>/                          downloaded weights, see fetch.py
    <home>/verified.json                            see checksum.py

<home> is FACEKIT_HOME, or the platform's cache folder.  installation.py writes to <home>, and
folders.py lists the names.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from facekit.enums import Precision
from facekit.errors import ModelMismatchError, ModelMissingError
from facekit.model import registry
from facekit.model.card import Card, Task, read_card
from facekit.model.checksum import remembered_sha256, sha256_of
from facekit.model.folders import BUNDLE_MANIFEST
from facekit.model.folders import CARD_SUFFIX as CARD_SUFFIX  # re-exported, as all of these
from facekit.model.folders import entries as entries
from facekit.model.folders import models_folder as models_folder
from facekit.model.folders import sources_folder as sources_folder
from facekit.model.folders import stored_names as stored_names
from facekit.model.folders import stored_variants as stored_variants
from facekit.model.shipped_calibrations import recognized
from facekit.model.trial import require_tried
from facekit.model.variants import DEFAULT_VARIANT as DEFAULT_VARIANT  # re-exported
from facekit.model.variants import (
    KERAS_VARIANT,
    LITERT_SUFFIX,
    MODEL_SUFFIXES,
    ONNX_SUFFIX,
    file_name,
    full_variant_name,
    onnx_variant,
    precision_of,
    suffix_of,
)
from facekit.system.fields import PLAIN_NAME
from facekit.system.home import home as home
from facekit.system.suggest import did_you_mean

MODEL_SUFFIX = LITERT_SUFFIX
"""Suffix of the files that facekit builds and converts; export also writes MODEL_SUFFIXES."""


@dataclass(frozen=True, slots=True, eq=False)
class InstalledModel:
    """A model file that its card describes correctly."""

    card: Card
    path: Path

    def __repr__(self) -> str:
        return f"InstalledModel({self.card.name}:{self.card.variant}, {self.path})"


def variant_path(name: str, variant: str) -> Path:
    return models_folder() / name / file_name(name, variant)


def card_for_store(card: Card, *, name: str | None = None) -> Card:
    """Returns the card with the variant and the file name that the store requires.

    If an .onnx file has a variant such as "float32", the variant becomes one of ONNX's variants, so
    that `--runtime onnx` finds the file.  `name` replaces the model's name; None keeps the name.
    """
    is_onnx = card.file_name.endswith(ONNX_SUFFIX)
    variant = card.variant
    if is_onnx and precision_of(variant) is None:
        is_float = card.quantization.scheme == "none"
        variant = onnx_variant(Precision.FP32 if is_float else Precision.INT8)
    elif not is_onnx and suffix_of(variant) == ONNX_SUFFIX:
        variant = DEFAULT_VARIANT
    name = name or card.name
    return replace(card, name=name, variant=variant, file_name=file_name(name, variant))


def find(name_or_path: str | Path) -> InstalledModel:
    """Returns a model by "name", "name:variant" or the path of its file or card.

    A detector's name means the detector's first net.  The file's size and SHA-256 are compared with
    the card (checksum.py caches the hash of an unchanged file).
    Raises ModelMissingError, which states how to get the model, if there is no such model, and
    ModelMismatchError if the card is not valid or does not describe the file.
    """
    return find_all(name_or_path)[0]


def find_all(name_or_path: str | Path, *, task: Task | None = None) -> tuple[InstalledModel, ...]:
    """Returns the model as `find` does, or all nets if the name is that of a detector.

    A file outside the store and outside an unpacked bundle is tried once in a process of its own,
    see `require_tried`.  `task` is the task that the model is needed for; the message of an error
    then lists only models for that task.  Raises the errors of `find`.
    """
    found = tuple(load_checked(path) for path in paths_of(name_or_path, task=task))
    require_tried(
        {model.path: model.card.file_sha256 for model in found if not _is_installed_at(model.path)}
    )
    return found


def _is_installed_at(path: Path) -> bool:
    """Returns whether the file is in the store, where nothing comes from outside untried, or in a
    bundle, which is an installation too.

    A board whose home is read-only would try a bundle's files again at each start.
    """
    folder = path.parent
    if folder.parent == models_folder():
        return not folder.name.startswith(".")
    return (folder.parent.parent / BUNDLE_MANIFEST).is_file()


def paths_of(name_or_path: str | Path, *, task: Task | None = None) -> tuple[Path, ...]:
    """Returns the paths of the model files that `find_all` checks; the first net's is the first.

    A card's path stands for the file that the card names, which is not looked for here.  Raises
    ModelMissingError if another file does not exist, and ModelMismatchError for a card that is not
    valid.
    """
    text = str(name_or_path)
    if text.endswith(CARD_SUFFIX):
        return (Path(text).parent / read_card(Path(text)).file_name,)
    if text.endswith(MODEL_SUFFIXES):
        if not Path(text).is_file():
            raise ModelMissingError(f"No model file {text}.")
        return (Path(text),)
    name, _, variant = text.partition(":")
    variant = full_variant_name(variant)
    variants = (variant,) if variant else default_variants(name)
    paths = tuple(variant_path(name, one) for one in variants)
    plain = all(map(PLAIN_NAME.fullmatch, (name, *variants)))
    if not plain or not all(path.is_file() for path in paths):
        raise ModelMissingError(_how_to_get(name, variant, task))
    return paths


def default_variants(name: str) -> tuple[str, ...]:
    """Returns the variants that a name without a variant means.

    For a model of the registry these are the variants of its entry.  For any other model it is the
    only stored variant, or "float32" if several variants or none are stored.
    """
    if name in registry.names():
        return registry.entry(name).variants
    stored = stored_variants(name)
    return stored if len(stored) == 1 else (DEFAULT_VARIANT,)


def card_of(path: Path) -> Card:
    """Returns the card beside a model file, whose calibrations state whether they ship with
    facekit; the file itself is not read.

    Raises ModelMismatchError if the card is missing or not valid, or states another input of a
    detector's weights than the registry.
    """
    beside = path.with_suffix(CARD_SUFFIX)
    card = read_card(beside)
    registry.require_own_input(card, beside)
    return recognized(card)


def load_checked(path: Path, *, read_all: bool = False) -> InstalledModel:
    """Returns the model file with its card; `read_all` hashes the file even if a hash is cached.

    The card's calibrations state whether they ship with facekit.
    Raises ModelMismatchError if the file cannot be read, if the card is missing or not valid, or if
    the card describes another file.
    """
    card = card_of(path)
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


def is_installed(name_or_path: str | Path) -> bool:
    """Returns whether the model's files exist.

    Unlike `find`, this checks neither their content nor that the file of a card's path exists.

    Raises ModelMismatchError for a card that is not valid.
    """
    try:
        return bool(paths_of(name_or_path))
    except ModelMissingError:
        return False


def _how_to_get(name: str, variant: str, task: Task | None) -> str:
    """Returns a message that names the missing model or variant and the commands to get it."""
    if variant == KERAS_VARIANT and name in (*registry.names(), *stored_names()):
        return (
            f"Model {name} has no Keras file here. Make it with:\n"
            f"  facekit export {name} --format keras --install {name}\n"
            "or bring it with `facekit models import FILE`."
        )
    precision = precision_of(variant)
    if precision is not None and name in (*registry.names(), *stored_names()):
        return (
            f"Model {name} has no ONNX file of precision {precision.value} here. Make it with:\n"
            f"  facekit export {name} --format onnx --precision {precision.value} --install "
            f"{name}\n"
            "or bring it with `facekit models import FILE`."
        )
    if name not in registry.names():
        known = [
            known
            for known in dict.fromkeys((*registry.names(), *stored_names()))
            if known not in registry.names() or task in (None, registry.entry(known).task)
        ]
        return (
            f"No model is called {name!r}.{did_you_mean(name, known)} Known models: "
            f"{', '.join(known)}. A file ends in {' or '.join(MODEL_SUFFIXES)}."
        )
    if variant not in ("", *registry.entry(name).variants):
        stored = stored_variants(name)
        return (
            f"Model {name} has no variant {variant!r} here.{did_you_mean(variant, stored)} Stored "
            f"variants: {', '.join(stored) or 'none'}. Make it with `facekit convert`, or bring it "
            "with `facekit models import FILE`."
        )
    here, install = "Build it here:", ""
    if packages := registry.entry(name).weights_format.packages:
        here = f"Build it here ({', '.join(packages)} are needed for that, once):"
        install = "  python -m pip install 'facekit-cli[convert]'\n"
    return (
        f"Model {name} is not in {models_folder()}. {here}\n{install}"
        f"  facekit models build {name}\n"
        "or build it on another machine and bring it over:\n"
        f"  there:  facekit models export {name} -o {name}.tar\n"
        f"  here:   facekit models import {name}.tar"
    )
