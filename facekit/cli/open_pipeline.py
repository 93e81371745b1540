"""From parsed options to a pipeline."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from facekit.enums import CropRule, Device, Runtime
from facekit.errors import UsageError

if TYPE_CHECKING:
    from facekit.model.card import Card
    from facekit.model.store import InstalledModel
    from facekit.pipeline.locate import LocateOptions
    from facekit.pipeline.pipeline import Pipeline
    from facekit.runtime.delegates import DelegateRequest
    from facekit.types import CropSpec


def open_pipeline(model: str, **options: Any) -> Pipeline:
    """The pipeline for --model or --bundle and the options of options.py.

    Builds a missing model.  An accelerator that was asked for is opened here, so that a list of
    photos does not begin without it.
    """
    from facekit.cli.ensure import ensure_installed
    from facekit.model.registry import DETECTOR
    from facekit.model.variants import for_runtime
    from facekit.pipeline.pipeline import Pipeline, PipelineOptions

    folder = options.get("bundle")
    installed, request = (
        (
            ensure_installed(for_runtime(model, options.get("runtime"))),
            accelerator_request(**options),
        )
        if folder is None
        else _bundled(folder, model, **options)
    )
    crop = chosen_crop(installed.card, options)
    detect = not options["no_detect"]
    if folder is None and detect and (crop is None or crop.rule is not CropRule.NONE):
        ensure_installed(DETECTOR)
    pipeline = Pipeline(
        installed,
        options=PipelineOptions(
            locate=locate_options(**options),
            detect=detect,
            crop=crop,
            threads=options["threads"],
            accelerator=request,
        ),
    )
    if request.is_delegated:
        from facekit.cli.render.output import note
        from facekit.cli.render.payload import device_text

        note(device_text(pipeline))
    return pipeline


def accelerator_request(
    *,
    device: Device | None = None,
    delegate: Path | None = None,
    delegate_options: tuple[str, ...] = (),
    allow_cpu_fallback: bool = False,
    providers: tuple[str, ...] = (),
    **_others: Any,
) -> DelegateRequest:
    """What `accelerator_options` ask for; the CPU where a command has none of them.

    Raises UsageError.
    """
    from facekit.runtime.delegates import DelegateRequest, parse_options

    return DelegateRequest(
        device=device or Device.CPU,
        library=delegate,
        options=parse_options(delegate_options),
        allow_cpu_fallback=allow_cpu_fallback,
        providers=providers,
    )


def _bundled(folder: Path, model: str, **options: Any) -> tuple[InstalledModel, DelegateRequest]:
    """The model of an unpacked bundle, and the device that is given, else the bundle's.

    --model, where it is typed, says which of the bundle's files.
    """
    from facekit.bundle.manifest import find_embedder, read_bundle

    if options["runtime"] is Runtime.ONNX or options["providers"]:
        raise UsageError("A bundle holds LiteRT's files: --runtime onnx cannot be meant with it.")
    source = click.get_current_context().get_parameter_source("model")
    bundle = read_bundle(folder)
    name, _, variant = model.partition(":") if source is ParameterSource.COMMANDLINE else [""] * 3
    if name and name != bundle.model:
        raise UsageError(f"The bundle {folder} has the model {bundle.model}. Received: {model}")
    device = options["device"] or bundle.device
    if options["delegate"] is None:
        options["device"] = device
    installed = find_embedder(folder, bundle, device=device, variant=variant or None)
    return installed, accelerator_request(**options)


def locate_options(**options: Any) -> LocateOptions:
    """Where and which faces; a cascade setting that was not given keeps its default."""
    from facekit.bundle.manifest import detector_files
    from facekit.face.mtcnn.options import DetectorOptions
    from facekit.photo.decode import DEFAULT_LIMITS
    from facekit.pipeline.locate import LocateOptions

    folder = options.get("bundle")
    given = {
        name: options[name]
        for name in ("min_face_px", "stage_thresholds", "scale_factor", "search_side_px")
        if options[name] is not None
    }
    return LocateOptions(
        face_policy=options["face_policy"],
        detector=DetectorOptions(**given),
        limits=replace(DEFAULT_LIMITS, max_pixels=int(options["max_megapixels"] * 1e6)),
        threads=options["threads"] or 1,
        nets=None if folder is None else detector_files(folder),
    )


def chosen_crop(card: Card, options: dict[str, Any]) -> CropSpec | None:
    """The card's rule with what the user changes; None where nothing is changed."""
    from facekit.types import CropSpec

    rule, margin_px, resize_filter = (
        options[name] for name in ("crop_rule", "margin_px", "resize_filter")
    )
    if rule is margin_px is resize_filter is None:
        return None
    own = card.crop
    assert own is not None  # an embedding card always has one
    rule = rule or own.rule
    if margin_px is None:
        margin_px = own.margin_px if rule is own.rule else 0.0
    return CropSpec(rule, margin_px, resize_filter or own.resize_filter)
