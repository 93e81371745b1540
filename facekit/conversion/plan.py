"""What a conversion writes: the recipes and targets, and the names of the files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from facekit.conversion.quantize.recipe import Recipe
from facekit.conversion.vela.target import Target
from facekit.model.store import CARD_SUFFIX, MODEL_SUFFIX
from facekit.model.variants import DEFAULT_VARIANT
from facekit.system.files import require_free

RECIPE_SUFFIX = "_recipe.json"
DRIFT_SUFFIX = "_drift.json"
UINT8 = "uint8"
"""Variant of the file with uint8 input, which Vela compiles."""


@dataclass(frozen=True, slots=True)
class ConversionPlan:
    """The files to create."""

    recipes: tuple[Recipe, ...]
    float32: bool = False
    targets: tuple[Target, ...] = ()
    """The targets for which Vela compiles the file with uint8 input.

    The recipe of that file must be in `recipes`.
    """


def file_names(name: str, plan: ConversionPlan) -> dict[str, tuple[str, ...]]:
    """Returns the names of the files to write, by folder.

    Folders are relative to the output folder; "" is the output folder itself.
    """
    stems = [f"{name}_{recipe.variant}" for recipe in plan.recipes]
    float32_stems = [f"{name}_{DEFAULT_VARIANT}"] if plan.float32 else []
    names = [
        f"{stem}{suffix}"
        for stem in float32_stems + stems
        for suffix in (MODEL_SUFFIX, CARD_SUFFIX)
    ]
    names += [f"{stem}{suffix}" for stem in stems for suffix in (RECIPE_SUFFIX, DRIFT_SUFFIX)]
    return {"": tuple(names)} | {
        f"model_{target.name}": tuple(
            f"{name}_{UINT8}_vela{ending}"
            for ending in (MODEL_SUFFIX, CARD_SUFFIX, f"_report{CARD_SUFFIX}")
        )
        for target in plan.targets
    }


def require_free_files(folder: Path, name: str, plan: ConversionPlan, *, force: bool) -> None:
    """Raises UsageError if one of the files exists and `force` is False."""
    names = file_names(name, plan)
    paths = (folder / subfolder / file for subfolder, files in names.items() for file in files)
    require_free(*paths, force=force)
