"""The time of one embedding: measured here and cached, or the reference that ships with facekit.

    <home>/speed.json   measured here, by the sha256 of a model's file and the machine
    reference.json      measured by benchmarks/reference.py, for models not measured here

The time is the processor time of one thread, which other work on the machine affects little.  It is
the time that an idle core needs.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import process_time
from typing import Any

import numpy as np

from facekit.bench.machine import description
from facekit.model.card import embedder_of
from facekit.model.store import InstalledModel, home
from facekit.runtime.delegates import AcceleratorRequest, open_net
from facekit.system.remembered import remember, remembered

_WARMUP = 3
_RUNS = 20
_REFERENCE = Path(__file__).with_name("reference.json")


@dataclass(frozen=True, slots=True)
class Speed:
    """Milliseconds of processor time of one thread for one crop."""

    median_ms: float
    machine: str
    """Processor, cores and system; see `machine.description`."""
    is_here: bool
    """True if the time was measured on this machine with the same model file."""

    def to_dict(self) -> dict[str, Any]:
        return {"median_ms": self.median_ms, "machine": self.machine, "measured_here": self.is_here}


def measure(model: InstalledModel) -> Speed:
    """Embeds a synthetic crop some 20 times, in under a second, and caches the median.

    Raises ModelMismatchError if the model is not an embedding model, and the errors of `open_net`.
    """
    embedder = embedder_of(
        open_net(model.path, request=AcceleratorRequest(), threads=1).net, model.card
    )
    side = model.card.input
    crops = np.random.default_rng(0).integers(
        256, size=(1, side.height_px, side.width_px, 3), dtype=np.uint8
    )
    speed = Speed(median_ms(lambda: embedder.embed(crops)), description(), is_here=True)
    known = {**_remembered(), f"{model.card.file_sha256} {speed.machine}": speed.median_ms}
    remember(_state(), known)
    return speed


def median_ms(run: Callable[[], object]) -> float:
    """Returns the median processor time of one run, in milliseconds."""
    times = []
    for _ in range(_WARMUP + _RUNS):
        start = process_time()
        run()
        times.append(process_time() - start)
    return 1e3 * median(times[_WARMUP:])


def known_speed(name: str, model: InstalledModel | None) -> Speed | None:
    """Returns the time of the embedding model `name`, whose installed file is `model` or None.

    A time that was measured on this machine is preferred to the shipped reference.  Returns None if
    there is neither.
    """
    machine = description()
    if model is not None:
        ms = _remembered().get(f"{model.card.file_sha256} {machine}")
        if ms is not None:
            return Speed(ms, machine, is_here=True)
    reference = json.loads(_REFERENCE.read_bytes())
    ms = reference["models"].get(name, {}).get("median_ms")
    return None if ms is None else Speed(ms, reference["machine"], is_here=False)


def _state() -> Path:
    return home() / "speed.json"


def _remembered() -> dict[str, float]:
    """Returns the cached times; {} if the file is absent or damaged."""
    state = remembered(_state())
    if not isinstance(state, dict):
        return {}
    return {key: ms for key, ms in state.items() if isinstance(ms, float)}
