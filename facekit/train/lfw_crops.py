"""The photos of LFW's View 1 as crops for a net that trains, made by worker processes.

Nothing here imports TensorFlow, which each worker would load.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from facekit.errors import FacekitError, InputError
from facekit.evaluate.protocols.plan import Plan, open_plan
from facekit.pipeline.locate import LocateOptions, Locator
from facekit.system.processes import Crash, map_processes
from facekit.train.dataset.align import photo_crop
from facekit.types import CropSpec, InputSpec, UInt8Array

Progress = Callable[[Iterator[Any], int, str], Iterator[Any]]


@dataclass(frozen=True, slots=True, eq=False)
class LfwCrops:
    """The photos of View 1, cropped once for all validations of a run."""

    plan: Plan
    crops: UInt8Array
    """(N, H, W, 3), of plan.photos; zeros where there is an error"""
    errors: tuple[str, ...]
    """(N,) "" or why there is no crop"""


def crop_lfw(
    folder: Path, spec: InputSpec, crop: CropSpec, *, workers: int, progress: Progress
) -> LfwCrops:
    """Raises InputError or PairListError for a folder that is not LFW with View 1's lists."""
    plan = open_plan(data=folder, protocol="devtest", pairs_file=None, limit=None)
    paths = plan.paths()
    crops = np.zeros((len(paths), spec.height_px, spec.width_px, 3), np.uint8)
    errors = [""] * len(paths)
    make = _MakeCrop(crop, spec.height_px, spec.width_px)
    results = map_processes(make, paths, workers=min(workers, len(paths)))
    for place, result in enumerate(progress(results, len(paths), "cropping LFW")):
        if isinstance(result, Crash):
            errors[place] = f"WorkerCrash: exit code {result.exit_code}"
        elif isinstance(result, str):
            errors[place] = result
        else:
            crops[place] = result
    if all(errors):
        raise InputError(f"No photo of {folder} gave a crop. The first reason: {errors[0]}")
    return LfwCrops(plan, crops, tuple(errors))


@dataclass(frozen=True, slots=True)
class _MakeCrop:
    crop: CropSpec
    height_px: int
    width_px: int

    def __call__(self) -> Callable[[Path], UInt8Array | str]:
        cv2.setNumThreads(1)
        locator = Locator(options=LocateOptions())

        def crop(photo: Path) -> UInt8Array | str:
            try:
                return photo_crop(
                    locator, photo, self.crop, height_px=self.height_px, width_px=self.width_px
                )
            except (FacekitError, ValueError) as error:
                return f"{type(error).__name__}: {error}"

        return crop


def photos_of(people: Sequence[str], lfw: LfwCrops) -> int:
    """How many of the people that were trained on are among those of pairsDevTest."""
    tested = {photo.person for photo in lfw.plan.pair_list.photos}
    return len(tested.intersection(people))
