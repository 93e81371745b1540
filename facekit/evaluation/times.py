"""How long a photo takes in an evaluation."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class StageTime:
    """Milliseconds per photo or pair in one stage."""

    stage: str
    median_ms: float
    p95_ms: float
    count: int
    """Number of photos or pairs that were timed."""


@dataclass(frozen=True, slots=True)
class Throughput:
    """Time of the photos that this run embedded, with one crop per batch, as LiteRT runs.

    Pre-processing is decoding, detection and cropping; post-processing is scoring.
    """

    photo_count: int
    workers: int | None
    """Number of processes that embedded; None if a Ray cluster decided it."""
    wall_s: float
    """Wall time of pre-processing and inference, including the start of workers."""
    pre_processing_s: float
    """Seconds summed over all workers; `inference_s` is summed likewise."""
    inference_s: float
    post_processing_s: float

    @property
    def photos_per_s(self) -> float:
        return self.photo_count / self.wall_s

    @property
    def crew(self) -> str:
        """The workers in words, for readers."""
        return "a Ray cluster" if self.workers is None else f"{self.workers} workers"
