"""The drift report's picture."""

from __future__ import annotations

import io
from collections.abc import Sequence

from facekit.convert.drift import Drift
from facekit.convert.layer_drift import LayerDrift
from facekit.system.extras import require

PLOT_SUFFIX = "_drift.png"
_SIZE_INCHES = (10, 3.7)


def drift_png(drift: Drift, layers: Sequence[LayerDrift] = ()) -> bytes:
    """Cosines of all crops and, where they were ranked, the error of every layer.

    Raises MissingExtraError without matplotlib.
    """
    figure_module = require("matplotlib.figure", extra="plot", needed_for="--plot")
    figure = figure_module.Figure(figsize=_SIZE_INCHES, layout="constrained")
    left, right = figure.subplots(1, 2) if layers else (figure.subplots(), None)
    left.hist(drift.cosines, bins=40, color="#2f7fd1")
    for value, name in ((drift.mean, "mean"), (drift.minimum, "minimum")):
        left.axvline(value, color="#d9792b", label=f"{name} {value:.5f}")
    left.set(
        title=f"{drift.quantised.variant} and float32, {drift.n_crops} crops",
        xlabel="cosine of the two embeddings",
        ylabel="crops",
    )
    left.legend(frameon=False)
    if right is not None:
        right.bar(range(len(layers)), [100 * one.relative_error for one in layers], width=1.0)
        right.set(title="error by layer", xlabel="layers, worst first", ylabel="% of the signal")
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    return buffer.getvalue()
