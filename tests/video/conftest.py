"""The real detector and embedding model, loaded once."""

from __future__ import annotations

import pytest

from facekit.model.registry import DEFAULT_MODEL
from facekit.model.store import find
from facekit.pipeline.pipeline import Pipeline, PipelineOptions
from facekit.tasks.track import PipelineVision


@pytest.fixture(scope="session")
def vision() -> PipelineVision:
    return PipelineVision(Pipeline(find(DEFAULT_MODEL), options=PipelineOptions(threads=1)))
