"""From parsed options to a pipeline."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from facekit.model.card import Card
    from facekit.pipeline.locate import LocateOptions
    from facekit.pipeline.pipeline import Pipeline
    from facekit.types import CropSpec


def open_pipeline(model: str, **options: Any) -> Pipeline:
    from facekit.cli.requests import pipeline_request
    from facekit.cli.terminal import TerminalReporter
    from facekit.tasks import open_pipeline as task

    request = pipeline_request(model, **options)
    return task.open_pipeline(request, reporter=TerminalReporter())


def locate_options(**options: Any) -> LocateOptions:
    from facekit.cli.requests import pipeline_request

    return pipeline_request("", **options).locate_options


def chosen_crop(card: Card, options: dict[str, Any]) -> CropSpec | None:
    from facekit.cli.requests import crop_change

    assert card.crop is not None
    return crop_change(**options).of(card.crop)
