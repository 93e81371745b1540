"""What models there are, known or stored, and whether the stored ones are sound."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from facekit.errors import ModelMismatchError
from facekit.model import registry
from facekit.model.card import Card, Source, Task, read_card
from facekit.model.store import (
    CARD_SUFFIX,
    load_checked,
    paths_of,
    stored_names,
    stored_variants,
    variant_path,
)


@dataclass(frozen=True, slots=True)
class ListedModel:
    """One model of the registry or the store."""

    name: str
    summary: str
    """"" for a model that only the store knows"""
    task: Task
    source: Source
    stored: tuple[str, ...]
    """the variants on this machine"""
    is_default: bool


@dataclass(frozen=True, slots=True)
class CheckedFile:
    """One stored model file after all its bytes were compared with its card."""

    path: Path
    problem: str
    """"" where file and card belong together"""


def list_models() -> tuple[ListedModel, ...]:
    """The registry's models, then the others that are stored.

    Of a stored model that the registry does not know, a card that can be read is needed.
    """
    known = registry.names()
    listed = []
    for name in known:
        entry, is_default = registry.entry(name), name == registry.DEFAULT_MODEL
        listed.append(
            ListedModel(
                name, entry.summary, entry.task, entry.source, stored_variants(name), is_default
            )
        )
    for name in stored_names():
        variants = stored_variants(name)
        if name not in known:
            card = read_card(variant_path(name, variants[0]).with_suffix(CARD_SUFFIX))
            listed.append(ListedModel(name, "", card.task, card.source, variants, False))
    return tuple(listed)


def stored_cards(name_or_path: str, *, must_exist: bool) -> list[tuple[Path, Card]]:
    """The stored model files with their cards; files are not checked.

    Raises ModelMissingError where there is none and `must_exist`, and ModelMismatchError.
    """
    variants = stored_variants(name_or_path)
    if variants:
        paths = tuple(variant_path(name_or_path, variant) for variant in variants)
    elif must_exist:
        paths = paths_of(name_or_path)
    else:
        return []
    return [(path, read_card(path.with_suffix(CARD_SUFFIX))) for path in paths]


def check_files(name: str | None = None) -> tuple[CheckedFile, ...]:
    """Reads every byte of one model's files, or of all stored ones.

    A net that is missing from a known detector is a problem too.  Raises ModelMissingError
    where `name` is not stored at all.
    """
    names = stored_names() if name is None else (name,)
    return tuple(_checked(path) for one in names for path in _whole(one))


def _whole(name: str) -> tuple[Path, ...]:
    """All that is stored of "name", and all that the registry builds of it; else as paths_of."""
    variants = stored_variants(name)
    if not variants:
        return paths_of(name)
    built = registry.entry(name).variants if name in registry.names() else ()
    return tuple(variant_path(name, variant) for variant in dict.fromkeys((*built, *variants)))


def _checked(path: Path) -> CheckedFile:
    try:
        load_checked(path, read_all=True)
    except ModelMismatchError as error:
        return CheckedFile(path, str(error))
    return CheckedFile(path, "")
