"""facekit quantize: applies one recipe, and measures how its file differs from float32."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from facekit.conversion.conversion import ConvertedFile, convert
from facekit.conversion.detection_drift import DetectionDrift
from facekit.conversion.drift import DRIFT_SEED, Drift, drift_json, drift_png
from facekit.conversion.layer_drift import LayerDrift, rank_layers
from facekit.conversion.plan import DRIFT_SUFFIX, ConversionPlan, require_free_files
from facekit.conversion.quantize.recipe import read_recipe
from facekit.conversion.shipped_faces import shipped_crops
from facekit.enums import RangeRule
from facekit.errors import UsageError
from facekit.evaluation.protocols.lfw import find_lfw
from facekit.evaluation.view1 import Accuracy, compare_accuracy
from facekit.model.card import Task
from facekit.model.store import InstalledModel
from facekit.reporter import SILENT, Reporter
from facekit.system.extras import require
from facekit.system.files import require_free, write_atomically
from facekit.tasks.convert import CalibrationPhotos, calibration_crops
from facekit.tasks.float32_source import float32_source

DEFAULT_RECIPE = "static_wi8_ai8"


@dataclass(frozen=True, slots=True)
class QuantizedFile:
    """The quantized file and its measurements."""

    model: str
    """The source model as "name:variant"."""
    model_sha256: str
    output: Path
    """The folder of the files."""
    file: ConvertedFile
    layers: tuple[LayerDrift, ...] | None = None
    """Layers by descending error; None if they were not requested."""
    accuracies: tuple[Accuracy, Accuracy] | None = None
    """Accuracy of float32 and of the quantized file on pairsDevTest."""

    @property
    def drift(self) -> Drift | DetectionDrift:
        """Difference between this file's embeddings, or a detector's faces, and those of
        float32."""
        assert self.file.drift is not None  # every recipe's file is measured
        return self.file.drift

    def report(self) -> dict[str, Any]:
        """Returns the drift report with the content of its file."""
        layers, accuracies = self.layers, self.accuracies
        return {
            **self.drift.to_dict(),
            "layers": None if layers is None else [one.to_dict() for one in layers],
            "accuracy": None if accuracies is None else [one.to_dict() for one in accuracies],
        }

    def to_dict(self) -> dict[str, Any]:
        return {
            "model": self.model,
            "model_sha256": self.model_sha256,
            "output": str(self.output),
            "files": [{**self.file.to_dict(), "drift": self.report()}],
        }


def quantize(
    model: str,
    *,
    output: Path,
    recipe: str = DEFAULT_RECIPE,
    calibration: CalibrationPhotos | None = None,
    drift_on: Path | None = None,
    range_rule: RangeRule | None = None,
    layers: bool = False,
    evaluate_on: Path | None = None,
    plot: Path | None = None,
    force: bool = False,
    accept_drift: bool = False,
    reporter: Reporter = SILENT,
) -> QuantizedFile:
    """Writes the model, its card, the recipe, and the drift report into the folder `output`.

    `recipe`: a name of configs/recipes or a .json file.  `drift_on`: photos to measure the drift
    on, a folder or list; None means those of `calibration`.  `layers`: rank the layers by their
    error.
    `evaluate_on`: LFW's folder, to measure the accuracy on View 1 of float32 and the quantized
    file.
    `plot`: a .png file for a plot of the drift.  `range_rule`: replaces the recipe's rule.
    `force`: replace existing files.  `accept_drift`: keep a file that no longer distinguishes
    faces.
    Raises the errors of `convert`, and InputError for a folder that is not LFW.
    """
    read = read_recipe(recipe)
    calibration = calibration or CalibrationPhotos()
    if plot is not None:
        require("matplotlib.figure", extra="plot", needed_for="--plot")
        require_free(plot, force=force)
    if evaluate_on is not None:
        find_lfw(evaluate_on)  # said now, not after minutes of work
    with float32_source(model, reporter=reporter) as source:
        is_detector = source.card.task is Task.DETECTION
        if is_detector and (layers or plot is not None or evaluate_on is not None):
            raise UsageError(
                f"--layers, --evaluate-on and --plot are for embedding models. {source.card.name} "
                "finds faces."
            )
        plan = ConversionPlan((read,))
        require_free_files(output, source.card.name, plan, force=force)
        crops = calibration_crops(source, calibration, reporter=reporter)
        all_of_them = replace(calibration, source=drift_on, count=None)
        drift_crops = calibration_crops(source, all_of_them, reporter=reporter)
        (made,) = convert(
            source,
            plan,
            output,
            crops=crops,
            drift_crops=drift_crops,
            rule=range_rule,
            force=force,
            accept_drift=accept_drift,
            reporter=reporter,
        ).files
        quantized = InstalledModel(made.card, made.path)
        result = QuantizedFile(source.card.full_name, source.card.file_sha256, output, made)
        if layers:
            seen = drift_crops or crops or shipped_crops(source.card, seed=DRIFT_SEED)
            result = replace(result, layers=rank_layers(source, quantized, seen.images))
        if evaluate_on is not None:
            accuracies = compare_accuracy(source, quantized, evaluate_on, reporter=reporter)
            result = replace(result, accuracies=accuracies)
    write_atomically(
        made.path.with_name(f"{made.path.stem}{DRIFT_SUFFIX}"),
        drift_json(result.report()).encode(),
    )
    if plot is not None and isinstance(result.drift, Drift):
        write_atomically(plot, drift_png(result.drift, result.layers or ()))
    return result
