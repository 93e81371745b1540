"""The real detector and embedding model, loaded once."""

from __future__ import annotations

import pytest

from facekit.models.registry import DEFAULT_MODEL
from facekit.models.store import find
from facekit.pipeline import Pipeline, PipelineOptions
from facekit.video.vision import PipelineVision


@pytest.fixture(scope="session")
def vision() -> PipelineVision:
    return PipelineVision(Pipeline(find(DEFAULT_MODEL), options=PipelineOptions(threads=1)))
