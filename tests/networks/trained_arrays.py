"""Folded weights unfolded again: as training would have left them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from facekit.types import Float32Array


def trained_arrays(folded: Mapping[str, Float32Array], *, seed: int = 0) -> dict[str, Float32Array]:
    """Variables as training leaves them, made of a frozen graph's constants whose batch norms
    were folded: each gets a mean and a variance of its own, and the net answers as before.
    """
    rng = np.random.default_rng(seed)
    arrays: dict[str, Float32Array] = {}
    for name, value in folded.items():
        scope, _, leaf = name.rpartition("/")
        if leaf == "Conv2D_bn_offset":
            spread = rng.uniform(0.5, 2.0, value.shape).astype(np.float32)
            at = rng.normal(0, 0.1, value.shape).astype(np.float32)
            divisor = np.sqrt(spread + np.float32(0.001))
            arrays[f"{scope}/weights"] = folded[f"{scope}/weights"] * divisor
            arrays[f"{scope}/BatchNorm/moving_mean"] = at
            arrays[f"{scope}/BatchNorm/moving_variance"] = spread
            arrays[f"{scope}/BatchNorm/beta"] = value + at / divisor
        elif leaf in ("weights", "biases", "beta", "moving_mean", "moving_variance"):
            arrays.setdefault(name, value)
    return arrays
