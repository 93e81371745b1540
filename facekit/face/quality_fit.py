"""The unified quality score: the measures of a face weighed by what was fitted on degraded photos.

quality_fit.json holds the numbers, and the command that made them.
"""

from __future__ import annotations

import functools
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facekit.face.measures import Measures

FIT_FILE = Path(__file__).with_suffix(".json")
_MOST = 4.0
"""Deviations from the mean at which a feature is cut off: no more was seen where it was fitted."""
_ENOUGH_EYE_DISTANCE_PX = 50.0
"""More pixels than embedding networks see."""


def features(found: Measures) -> dict[str, float]:
    """Returns what is weighed of a face.  Detector scores are not, since each has its own scale."""
    return {
        "eye_distance": math.log2(min(max(found.eye_distance_px, 1.0), _ENOUGH_EYE_DISTANCE_PX)),
        "yaw": abs(math.tan(math.radians(found.yaw_degrees))),
        "pitch": math.tan(math.radians(found.pitch_degrees)),
        "misfit": found.misfit_px,
        "fine": math.log(found.fine + 0.5),
        "middle": math.log(found.middle + 0.5),
        "coarse": math.log(found.coarse + 0.5),
        "steepest": math.log(found.steepest + 0.3),
        "flattest": math.log(found.flattest + 0.3),
        "noise": math.log(found.noise + 0.25),
        "blocks": math.log(found.blocks + 1.0),
        "dark": found.dark_share,
        "light": found.light_share,
        "deviation": math.log(found.deviation + 1.0),
        "entropy": found.entropy_bits,
        "cheeks": found.cheeks_overlap,
        "asymmetry": math.log(found.asymmetry + 0.1),
        "flat": found.flat_share,
        "eyes": math.log(found.eye_contrast + 0.1),
        "nose": math.log(found.nose_contrast + 0.1),
        "mouth": math.log(found.mouth_contrast + 0.1),
    }


def unified_score(found: Measures) -> float:
    """Returns 0..100: the percentage of comparisons in which the face is expected to match."""
    fit = _fit()
    values = np.array(list(features(found).values()))
    exponent = standardized(values, fit["mean"], fit["deviation"]) @ fit["weights"] + fit["offset"]
    return float(100 / (1 + math.exp(-exponent)))


def standardized(
    values: NDArray[np.float64], mean: NDArray[np.float64], deviation: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Returns (..., 2 K): (..., K) features less their mean in deviations, and their squares."""
    scaled = np.clip((values - mean) / deviation, -_MOST, _MOST)
    return np.concatenate([scaled, scaled**2], axis=-1)


@functools.cache
def _fit() -> dict[str, Any]:
    stored = json.loads(FIT_FILE.read_text(encoding="utf-8"))
    rows = stored["features"].values()
    arrays = {key: np.array([row[key] for row in rows]) for key in ("mean", "deviation")}
    weights = [row[key] for key in ("weight", "square_weight") for row in rows]
    return {**arrays, "weights": np.array(weights), "offset": stored["offset"]}
