"""Installs, replaces and removes models.

A new or replaced model is put in place by renaming its folder, so that another process never finds
a model that is not yet complete.  Removing deletes the model file and then its card, so that
another process may briefly find the card alone.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeAlias

from facekit.errors import (
    ModelBuildError,
    ModelMismatchError,
    ModelMissingError,
    StorageError,
    UsageError,
)
from facekit.model import registry
from facekit.model.card import Card, read_card
from facekit.model.store import (
    CARD_SUFFIX,
    card_for_store,
    entries,
    home,
    is_installed,
    load_checked,
    models_folder,
    sources_folder,
    stored_variants,
    variant_path,
)
from facekit.model.variants import MODEL_SUFFIXES, full_variant_name
from facekit.model.workspace import workspace
from facekit.system.fields import PLAIN_NAME
from facekit.system.files import put_in_place, write_atomically

Build: TypeAlias = Callable[[Path], object]
"""A function that fills an empty folder with model files and their cards."""

_PLAIN = "A model's name is made of letters, digits and ._- only."


def install(
    name: str,
    build: Build,
    *,
    only_if_missing: bool = False,
    on_wait: Callable[[], None] | None = None,
) -> None:
    """Calls `build` with an empty folder, checks the result, and puts the folder in place.

    Variants that `build` does not produce are kept.  If `build` raises or is killed, the existing
    model is unchanged.  A lock lets only one process install a model at a time.  `on_wait` is
    called once if this process must wait for the lock.  With `only_if_missing`, nothing is built if
    the model is installed when the lock is acquired.
    Raises StorageError if the store cannot be written, or for any OSError of `build`.  Raises
    ModelBuildError if `build` produces no model file, ModelMismatchError if `name` is not valid or
    a card does not describe its file, and every other error of `build`.
    """
    _require_plain(name)
    with storage_errors(), workspace(home(), name, on_wait=on_wait) as folder:
        if only_if_missing and is_installed(name):
            return
        build(folder)
        _check_built(name, folder)
        target = models_folder() / name
        for earlier in entries(target):
            if not (folder / earlier.name).exists():
                shutil.copy2(earlier, folder)
        put_in_place(folder, target)


def install_files(
    name: str, files: Sequence[Path], *, on_wait: Callable[[], None] | None = None
) -> tuple[Path, ...]:
    """Copies model files and the cards beside them into the store, as variants of `name`.

    The copies are named <name>_<variant>, as the store requires.  Other stored variants are kept.
    Returns the new paths, in the same order; see `install` for `on_wait`.
    Raises ModelMismatchError if `name` is not valid, or if a card is missing, is not valid or does
    not describe its file; ModelBuildError if `files` is empty; StorageError if a file cannot be
    read or written.
    """
    cards = {
        path: card_for_store(read_card(path.with_suffix(CARD_SUFFIX)), name=name) for path in files
    }

    def copy(folder: Path) -> None:
        for path, stored in cards.items():
            shutil.copyfile(path, folder / stored.file_name)
            write_card(folder / stored.file_name, stored)

    install(name, copy, on_wait=on_wait)
    return tuple(variant_path(name, card.variant) for card in cards.values())


def require_new(name: str, *, force: bool = False) -> None:
    """Raises UsageError if `name` cannot be given to a new model.

    The name must be valid and not in the registry.  If `force` is False, no model of that name may
    be stored.
    """
    _require_usable(name)
    if name in registry.names():
        raise UsageError(f"{name} is a model of the registry. Take another name.")
    if (stored := stored_variants(name)) and not force:
        raise UsageError(
            f"There is a model {name} already ({', '.join(stored)}). Take another name, or pass "
            "--force to replace it."
        )


def require_free_variants(name: str, variants: Iterable[str], *, force: bool) -> None:
    """Raises UsageError if `variants` may not be written.

    The name must be valid.  If `force` is False, none of the variants may be stored.
    """
    _require_usable(name)
    there = [variant for variant in variants if variant in stored_variants(name)]
    if there and not force:
        raise UsageError(
            f"{', '.join(f'{name}:{one}' for one in there)} would be replaced in the store. Pass "
            "--force to allow it, or another name with --install."
        )


def require_same_weights(name: str, card: Card) -> None:
    """Raises UsageError if the stored or registered model called `name` has other weights.

    `card` states the expected weights.  All variants of a name are built from the same weights.
    Raises ModelMismatchError if the card of a stored variant is not valid.
    """
    others = [read_card(variant_path(name, one).with_suffix(CARD_SUFFIX)).source.sha256
              for one in stored_variants(name)]  # fmt: skip
    if name in registry.names():
        others.append(registry.entry(name).source.sha256)
    if any(sha256 != card.source.sha256 for sha256 in others):
        raise UsageError(
            f"{name} is a model of other weights than {card.name}. Take another name with "
            "--install."
        )


def remove_others(name: str, variant: str) -> None:
    """Removes all variants of a model except `variant`.

    Use this after `variant` was replaced by a file built from other weights.
    Raises ModelMissingError if another process removes a variant first, and StorageError if a
    variant cannot be removed.
    """
    for other in stored_variants(name):
        if other != variant:
            remove(f"{name}:{other}")


def write_card(model: Path, card: Card) -> None:
    """Replaces the card beside a model file.  Raises StorageError if the card cannot be written."""
    write_atomically(model.with_suffix(CARD_SUFFIX), card.to_json().encode())


def remove(name: str) -> tuple[Path, ...]:
    """Removes "name" with all variants, or "name:variant"; returns the removed model files.

    Raises ModelMissingError if there is no such model, StorageError if it cannot be removed.
    """
    model, _, variant = name.partition(":")
    variant = full_variant_name(variant)
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
    """Removes the downloaded weights of a model, and returns the paths of the removed files.

    Raises ModelMismatchError if `name` is not valid, and StorageError if a file cannot be removed.
    """
    _require_plain(name)
    folder = sources_folder(name)
    with storage_errors():
        paths = entries(folder)
        if paths:
            shutil.rmtree(folder)
        return paths


@contextmanager
def storage_errors() -> Iterator[None]:
    """Raises StorageError, which names facekit's home, for any OSError in the block."""
    try:
        yield
    except OSError as error:
        raise StorageError(
            f"Cannot change the models in {home()}: {error}. Make that folder writable, make "
            "room on its disk, or set FACEKIT_HOME to another folder."
        ) from error


def _require_usable(name: str) -> None:
    if not PLAIN_NAME.fullmatch(name):
        raise UsageError(f"{_PLAIN} Received: {name!r}")


def _require_plain(name: str) -> None:
    if not PLAIN_NAME.fullmatch(name):
        raise ModelMismatchError(f"{_PLAIN} Received: {name!r}")


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
