"""The report's section on quality: the error-versus-discard characteristic of each model."""

from __future__ import annotations

from typing import Any

from facekit.evaluation.metrics.discard import DiscardPoint
from facekit.evaluation.records import ModelResult
from facekit.evaluation.report.table import section, table, text

DISCARD_CAPTION = (
    "FNMR after the genuine pairs of the lowest quality were left out, at the threshold of the "
    "report (ISO/IEC 29794-1). A line that falls means that the unified quality score tells which "
    "pairs fail."
)


def discard_section(models: tuple[ModelResult, ...]) -> str:
    """Returns the table, one row a model; "" where no quality was measured."""
    measured = [model for model in models if model.error_versus_discard]
    if not measured:
        return ""
    shares = [point.discard_share for point in measured[0].error_versus_discard]
    head = '<th scope="col">Left out</th>' + "".join(
        f'<th scope="col">{share:.0%}</th>' for share in shares
    )
    rows = "".join(
        f'<tr><th scope="row">{text(model.model.label)}</th>'
        f"{''.join(map(_cell, model.error_versus_discard))}</tr>\n"
        for model in measured
    )
    shown = table("FNMR without the pairs of the lowest quality", head, rows)
    return section("What quality is worth", f'<p class="soft">{text(DISCARD_CAPTION)}</p>{shown}')


def _cell(point: DiscardPoint) -> str:
    least = "" if point.least_quality is None else f"quality {point.least_quality:.0f} and more, "
    return (
        f"<td>{point.fnmr:.2%}<small>{least}{point.false_non_matches:,} of "
        f"{point.n_genuine:,}</small></td>"
    )


def draw_discard(axes: Any, model: ModelResult, *, color: str, label: str) -> None:
    """Draws a model's curve into the axes of a figure, both in percent."""
    shares = [100 * point.discard_share for point in model.error_versus_discard]
    rates = [100 * point.fnmr for point in model.error_versus_discard]
    axes.step(shares, rates, where="post", color=color, label=label, marker=".")
