"""The report's histograms of similarities, with a slider for the threshold.

The slider needs the page's script, `threshold.js`; without it the figure stays as it is drawn.  A
similarity is counted in steps of 0.001, so that the script's rates are those of
`facekit.evaluation.metrics.error_rates` at each step.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from facekit.evaluation.metrics.error_rates import Scores
from facekit.evaluation.records import ModelResult, Rate
from facekit.evaluation.report.headline import percent
from facekit.evaluation.report.table import section, text

_STEPS = 1000
"""Steps in a similarity of 1."""
_BAR = 20
"""Steps in a bar of the histogram."""
_TICK = 200
_EDGE = 100
"""The axis begins and ends at a multiple of so many steps."""
_WIDTH, _HEIGHT = 1000, 200


def threshold_section(models: tuple[ModelResult, ...], key: str) -> str:
    """Returns a figure a model; `key` makes its ids differ from those of other data sets."""
    figures = "".join(_figure(model, f"{key}-{number}") for number, model in enumerate(models, 1))
    words = (
        '<p class="soft">Similarities of the pairs of one person and of two people, as shares of '
        "their kind. Full colors are errors.</p>"
    )
    return section("Where the threshold lies", f'{words}<div class="figures">{figures}</div>')


def _figure(model: ModelResult, key: str) -> str:
    scored = [(pair.similarity, pair.same) for pair in model.pairs if pair.similarity is not None]
    scores = np.array([similarity for similarity, _ in scored], np.float64)
    same = np.array([one for _, one in scored])
    cut = float(np.mean(model.fold_threshold_similarities))
    start = int(np.floor(min(scores.min(), cut) * _STEPS / _EDGE)) * _EDGE
    end = max(int(np.ceil(max(scores.max(), cut) * _STEPS / _EDGE)) * _EDGE, start + _EDGE)
    genuine, impostor = (_counts(scores[kind], start, end) for kind in (same, ~same))
    x = _WIDTH * (cut * _STEPS - start) / (end - start)
    highest = max(_shares(counts).max() for counts in (genuine, impostor))
    name = text(model.model.label)
    bars = {"impostor": _bars(impostor, highest), "genuine": _bars(genuine, highest)}
    paths = "".join(f'<path class="{kind}" d="{shape}"/>' for kind, shape in bars.items())
    paths += "".join(
        f'<path class="{kind} wrong" clip-path="url(#{key}-{side})" d="{bars[kind]}"/>'
        for kind, side in (("impostor", "above"), ("genuine", "below"))
    )
    folds = len(set(model.fold_threshold_similarities)) > 1
    return (
        f'<figure class="threshold" data-start="{start}" data-genuine="{_joined(genuine)}" '
        f'data-impostor="{_joined(impostor)}"><h4>{name}</h4>\n'
        f'<p class="key"><span style="--mark: var(--impostor)">two people</span>'
        f'<span style="--mark: var(--genuine)">one person</span></p>\n'
        f'<div class="plot"><svg viewBox="0 0 {_WIDTH} {_HEIGHT}" preserveAspectRatio="none" '
        f'role="img" aria-label="Histograms of the similarities, {name}">'
        f'<clipPath id="{key}-above"><rect class="above" x="{x:.1f}" y="0" width="{_WIDTH}" '
        f'height="{_HEIGHT}"/></clipPath><clipPath id="{key}-below"><rect class="below" x="0" '
        f'y="0" width="{x:.1f}" height="{_HEIGHT}"/></clipPath>{paths}'
        f"{_line('reported', x)}{_line('cut', x)}</svg>\n{_ticks(start, end)}</div>\n"
        f'<div class="slide" hidden><label for="{key}-at">Threshold: move it to see the errors of '
        f'another one</label><input type="range" id="{key}-at" min="{start / _STEPS}" '
        f'max="{end / _STEPS}" step="{1 / _STEPS}" value="{cut:.3f}"></div>\n'
        f'<output aria-live="polite"><span class="at">one person from<b>≥ {cut:.3f}</b><small>'
        f"{'mean of the folds' if folds else 'in this report'}</small>"
        f"</span>{_rate('fmr', 'false matches', model.fmr)}"
        f"{_rate('fnmr', 'false non-matches', model.fnmr)}</output></figure>\n"
    )


def _counts(scores: Scores, start: int, end: int) -> NDArray[np.int64]:
    """Returns how many scores are in each step from `start`, and last how many are above."""
    edges = np.arange(start, end + 1) / _STEPS  # as the script divides, bit by bit
    steps = np.searchsorted(edges, scores, side="right") - 1
    return np.bincount(steps, minlength=len(edges)).astype(np.int64)


def _shares(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Returns the share of pairs in each bar; those above the axis are in the last one."""
    inside = counts[:-1].copy()
    inside[-1] += counts[-1]
    return np.asarray(inside.reshape(-1, _BAR).sum(1) / counts.sum(), np.float64)


def _bars(counts: NDArray[np.int64], highest: float) -> str:
    shares = _shares(counts)
    width = _WIDTH / len(shares)
    tops = _HEIGHT * (1 - shares / highest)
    steps = "".join(f"V{top:.1f}H{width * (n + 1):.1f}" for n, top in enumerate(tops))
    return f"M0 {_HEIGHT}{steps}V{_HEIGHT}Z"


def _joined(counts: NDArray[np.int64]) -> str:
    return ",".join(str(count) if count else "" for count in counts.tolist())


def _line(kind: str, x: float) -> str:
    return f'<line class="{kind}" x1="{x:.1f}" x2="{x:.1f}" y1="0" y2="{_HEIGHT}"/>'


def _ticks(start: int, end: int) -> str:
    ticks = range(-(-start // _TICK) * _TICK, end + 1, _TICK)
    marks = "".join(
        f'<span style="left: {100 * (at - start) / (end - start):.2f}%">{at / _STEPS:g}</span>'
        for at in ticks
    )
    return f'<div class="ticks" aria-hidden="true">{marks}</div>'


def _rate(kind: str, name: str, rate: Rate) -> str:
    return (
        f'<span class="{kind}">{name}<b>{percent(rate.value)}</b>'
        f"<small>{rate.event_count:,} of {rate.trial_count:,} pairs</small></span>"
    )
