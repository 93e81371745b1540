"""Plans a benchmark: the combinations of stages and settings to measure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import product
from pathlib import Path

from facekit.enums import Stage
from facekit.errors import UsageError
from facekit.runtime.delegates import AcceleratorRequest

NEED_PHOTOS = frozenset((Stage.DETECT, Stage.ALIGN, Stage.VERIFY))
_BATCHED = frozenset((Stage.DETECT, Stage.ALIGN, Stage.EMBED, Stage.MATCH))
_OF_ONE_THREAD = frozenset((Stage.ALIGN, Stage.MATCH))


@dataclass(frozen=True, slots=True)
class BenchmarkCase:
    """One combination to measure."""

    model: Path
    stage: Stage
    threads: int
    batch: int
    workers: int
    runs: int
    warmup: int
    photos: tuple[Path, ...]
    request: AcceleratorRequest
    detector: str | None = None
    """None means the detector in the model's card."""


def plan(
    models: Iterable[Path],
    *,
    stages: Iterable[Stage],
    threads: Iterable[int],
    batches: Iterable[int],
    workers: int,
    runs: int,
    warmup: int,
    photos: tuple[Path, ...],
    request: AcceleratorRequest,
    detector: str | None = None,
) -> list[BenchmarkCase]:
    """Returns every combination of settings that a stage depends on, each once.

    Raises UsageError if a stage needs photos and there are none.
    """
    wanted = list(stages)
    unfed = [stage.value for stage in wanted if stage in NEED_PHOTOS and not photos]
    if unfed:
        raise UsageError(f"Photos are needed to measure {', '.join(unfed)}.")
    cases = {
        BenchmarkCase(
            model=model,
            stage=stage,
            threads=1 if stage in _OF_ONE_THREAD else count,
            batch=batch if stage in _BATCHED else 1,
            workers=workers,
            runs=runs,
            warmup=warmup,
            photos=photos,
            request=request,
            detector=detector,
        ): None
        for model, stage, count, batch in product(models, wanted, list(threads), list(batches))
    }
    return list(cases)
