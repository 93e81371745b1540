"""What convert and quantize share: their model, their photos, and the text of a drift report."""

from __future__ import annotations

import re
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from facekit.cli.options import AnyCommand, EnumChoice, detector_options, image_options
from facekit.cli.render.output import note
from facekit.cli.terminal import with_progress
from facekit.enums import Architecture, FacePolicy
from facekit.errors import UsageError

if TYPE_CHECKING:
    from facekit.convert.crops import CropSet
    from facekit.convert.drift import Drift
    from facekit.convert.layer_drift import LayerDrift
    from facekit.evaluate.view1 import Accuracy
    from facekit.model.store import InstalledModel

KERAS_SUFFIXES = (".keras", ".h5")
_LISTED_LAYERS = 12
_NOT_PLAIN = re.compile(r"[^A-Za-z0-9._-]+")


def calibration_options(command: AnyCommand) -> AnyCommand:
    """Which photos, which faces of them, and the rule that makes ranges of them."""
    for decorate in reversed(
        (
            click.option(
                "--calibration",
                type=click.Path(path_type=Path),
                metavar="DIR|LIST",
                help="Photos to calibrate on: a folder, or a text file with one a line.  "
                "[default: what ships with facekit]",
            ),
            click.option(
                "--calibration-count",
                "count",
                type=click.IntRange(min=1),
                default=400,
                show_default=True,
                help="Use at most so many of them, spread over the people (folders).",
            ),
            click.option(
                "--seed",
                type=click.IntRange(min=0),
                help="Of the choice among the photos.  [default: a fixed one]",
            ),
            click.option(
                "--rule",
                type=click.Choice(["minmax", "percentile", "mse", "entropy"]),
                help="From an activation's values to its range.  [default: the recipe's]",
            ),
            click.option(
                "--face",
                "face_policy",
                type=EnumChoice(FacePolicy),
                default=FacePolicy.LARGEST.value,
                show_default=True,
                help="Which face of a calibration photo is meant.",
            ),
            detector_options,
            image_options,
        )
    ):
        command = decorate(command)
    return command


def float32_model(
    name: str, stack: ExitStack, *, arch: Architecture | None = None, like: str | None = None
) -> InstalledModel:
    """The float32 model that `name` is, or was made from.

    A registry name, a card or .tflite file (one that is quantised is traced to the registry), or
    a Keras file, which is built in a temporary folder that lives as long as `stack`.
    """
    from facekit.cli.ensure import ensure_installed
    from facekit.model import registry
    from facekit.model.card import Task
    from facekit.model.variants import DEFAULT_VARIANT

    if name.endswith(KERAS_SUFFIXES):
        return _from_keras(Path(name), stack, arch=arch, like=like)
    if arch is not None or like is not None:
        raise UsageError("--arch and --like are for Keras files; other models have a card.")
    model = ensure_installed(name)
    if model.card.task is not Task.EMBEDDING:
        raise UsageError(
            f"An embedding model is needed. {name} is for {model.card.task.value}; a detector's "
            "nets are small and stay float32."
        )
    if model.card.variant == DEFAULT_VARIANT:
        return model
    origin = model.card.name
    if origin not in registry.names() or (
        model.card.source.sha256 != registry.entry(origin).source.sha256
    ):
        raise UsageError(
            f"{name} is {model.card.variant}, and the model it was made from, {origin}, is not "
            f"in the registry. Pass its {DEFAULT_VARIANT} file."
        )
    note(f"{name} is {model.card.variant}: starting from {origin}")
    return ensure_installed(f"{origin}:{DEFAULT_VARIANT}")


def _from_keras(
    path: Path, stack: ExitStack, *, arch: Architecture | None, like: str | None
) -> InstalledModel:
    from facekit.model import registry

    if arch is None:
        raise UsageError("A Keras file needs --arch: which graph its weights are for.")
    if not path.is_file():
        raise UsageError(f"There is no Keras file {path}.")
    defaults = None if like is None else registry.entry(like).card
    from facekit.convert.import_weights import Said, import_weights

    said = Said(
        architecture=arch,
        input=None if defaults is None else defaults.input,
        crop=None if defaults is None else defaults.crop,
        flip=None if defaults is None else defaults.flip,
        licence="not stated: the weights are the user's own",
    )
    name = _NOT_PLAIN.sub("-", path.name.partition(".")[0]).strip("-._") or "model"
    folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="facekit-keras-"))
    return import_weights(path, name, said, Path(folder), progress=note).model


def calibration_crops(
    model: InstalledModel,
    photos: Path | None,
    *,
    count: int | None,
    seed: int | None,
    **options: Any,
) -> CropSet | None:
    """The crops of a folder or list, or None without; photos that gave none are noted.

    At most `count`; None for all.
    """
    if photos is None:
        return None
    from facekit.cli.ensure import ensure_installed
    from facekit.cli.open_pipeline import locate_options
    from facekit.convert.crops import SEED, photo_crops
    from facekit.model.registry import DETECTOR

    ensure_installed(DETECTOR)
    cropped = photo_crops(
        photos,
        model,
        locate_options(threads=None, **options),
        count=sys.maxsize if count is None else count,
        seed=SEED if seed is None else seed,
        progress=bar,
    )
    for failure in cropped.failures:
        note(f"left out: {failure}")
    return cropped


def bar(items: Iterator[Any], length: int, label: str) -> Iterator[Any]:
    """`Progress` of host/quantize on a terminal."""
    return with_progress(items, length=length, label=label)


def embedding_bar() -> Callable[[Iterator[Any], int], Iterator[Any]]:
    return lambda results, total: with_progress(results, length=total, label="embedding")


def print_drift(drift: Drift) -> None:
    """How far the quantised file is from float32, and what it saves."""
    a, b = drift.float32, drift.quantised
    few = "" if drift.has_enough_crops else "; few: pass --calibration with 200 photos or more"
    lines = (
        ("cosine", f"mean {drift.mean:.5f}, 1st percentile {drift.first_percentile:.5f}, "
         f"minimum {drift.minimum:.5f}"),
        ("crops", f"{drift.n_crops}, {drift.crops_title}{few}"),
        ("faces", f"the two least alike: {drift.least_alike[0]:.3f} in float32, "
         f"{drift.least_alike[1]:.3f} here"),
        ("size", f"{b.size_bytes / 1e6:.1f} MB, float32 {a.size_bytes / 1e6:.1f} MB"),
        ("latency", f"{b.latency_ms:.1f} ms, float32 {a.latency_ms:.1f} ms "
         f"(threads: {drift.threads}, this machine)"),
    )  # fmt: skip
    for label, text in lines:
        click.echo(f"  {label:9}{text}")


def print_layers(layers: tuple[LayerDrift, ...]) -> None:
    click.echo("  layers furthest from float32 (error, of which new in this layer):")
    for layer in layers[:_LISTED_LAYERS]:
        click.echo(f"    {layer.relative_error:7.2%} {layer.added_error:7.2%}  {layer.key}")


def print_accuracy(float32: Accuracy, quantised: Accuracy) -> None:
    click.echo(f"  LFW pairsDevTest, {float32.n_pairs} pairs, thresholds from pairsDevTrain:")
    for one in (float32, quantised):
        tars = ", ".join(f"{rate:.1%} at FMR {fmr}" for fmr, rate in one.tar_at_fmr.items())
        click.echo(
            f"    {one.variant:9}accuracy {one.accuracy:.2%} (at float32's threshold "
            f"{one.accuracy_at_float32_threshold:.2%}), EER {one.eer:.2%}, TAR {tars}"
        )
