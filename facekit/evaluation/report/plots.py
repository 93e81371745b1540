"""Draws the report's figures: ROC, DET, score histograms, folds, latency.

matplotlib is used without its global state (pyplot) and without a window system.  In SVG, axes and
letters have the color of the surrounding text (`currentColor`) on a transparent background, so that
a figure fits light and dark pages.  In PNG, axes and letters are black on white.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from textwrap import fill
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facekit.evaluation.identification import DEFAULT_FPIRS
from facekit.evaluation.metrics.error_rates import Flags, Scores, roc
from facekit.evaluation.records import DataSetReport, ModelIdentity, ModelResult
from facekit.evaluation.report.discard import draw_discard
from facekit.evaluation.report.identification import draw_cmc, draw_fnir
from facekit.system.extras import require
from facekit.template.calibration import RULE_OF_THREE
from facekit.template.wording import threshold_text

SERIES_COLORS = ("#2f7fd1", "#d9792b", "#2f9e6e", "#c2478b", "#8a6fc9", "#8c8c3a")
"""Colors of the models, repeated after the last; each has a contrast >= 3 on white and
near-black."""
_GENUINE, _IMPOSTOR = SERIES_COLORS[2], SERIES_COLORS[3]
_INK = "#010203"  # replaced by the text color when the figure is written
_SIZE_INCHES = (5.2, 3.7)
_STYLE = {
    "font.size": 10.5,
    "font.family": "sans-serif",
    "axes.titlesize": 11.5,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "grid.alpha": 0.15,
    "grid.color": _INK,
    "legend.frameon": False,
    "lines.linewidth": 1.8,
    "svg.fonttype": "none",
    "svg.hashsalt": "facekit",
    **dict.fromkeys(
        ("text.color", "axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color"), _INK
    ),
}


def draw_figures(report: DataSetReport) -> dict[str, Any]:
    """Returns matplotlib Figures by name: "roc", "det", "scores", and what was measured of "folds",
    "latency", "discard", "cmc", "fnir".

    Raises MissingExtraError without matplotlib.
    """
    models = report.models
    drawings: dict[str, Callable[[tuple[ModelResult, ...]], Any]] = {"roc": _roc, "det": _det}
    if any(len(model.fold_accuracies) > 1 for model in models):
        drawings["folds"] = _folds
    if any(model.stages for model in models):
        drawings["latency"] = _latency
    if any(model.error_versus_discard for model in models):
        drawings["discard"] = _discard
    if any(model.identification for model in models):
        drawings |= {"cmc": _cmc, "fnir": _fnir}
    drawings["scores"] = _score_histograms
    with _matplotlib().rc_context(_STYLE):
        return {name: draw(models) for name, draw in drawings.items()}


def svg(figure: Any, name: str) -> str:
    """Returns an <svg> element for a page; `name` makes its ids differ from other figures'."""
    text = io.StringIO()
    with _matplotlib().rc_context(_STYLE):
        figure.savefig(text, format="svg", transparent=True, metadata={"Date": None})
    element = text.getvalue()
    element = element[element.index("<svg") :].replace(_INK, "currentColor")
    element = re.sub(r'\bid="', f'id="{name}-', element)
    element = re.sub(r"url\(#", f"url(#{name}-", element)
    element = re.sub(r'href="#', f'href="#{name}-', element)
    return re.sub(r"<metadata>.*?</metadata>", "", element, flags=re.DOTALL)


def png(figure: Any) -> bytes:
    """Returns the figure as a PNG file, black on white, 160 dots per inch."""
    content = io.BytesIO()
    with _matplotlib().rc_context(_STYLE):
        figure.savefig(content, format="png", dpi=160, facecolor="white")
    return content.getvalue()


def _roc(models: tuple[ModelResult, ...]) -> Any:
    figure, axes = _figure(
        "ROC: true accept rate by false match rate",
        "false match rate (FMR)",
        "true accept rate (TAR)",
    )
    lowest, names = 1.0, _names(models)
    for model, color in _colored(models):
        curve = roc(*_scored(model))
        axes.step(_on_log(curve.fmr, model), curve.tar, where="post", color=color,
                  label=f"{names[model.model]}: AUC {model.auc:.4f}")  # fmt: skip
        axes.plot(max(model.fmr.value, _least(model)), 1 - model.fnmr.value, "o", color=color)
        lowest = min(lowest, float(curve.tar[np.searchsorted(curve.fmr, 0, "right") - 1]))
    _log_fmr_axis(axes, models)
    axes.set_ylim(max(0.0, lowest - 0.02), 1.002)
    figure.legend(loc="outside lower center")
    return figure


def _det(models: tuple[ModelResult, ...]) -> Any:
    figure, axes = _figure(
        "DET: false non-matches against false matches",
        "false match rate (FMR)",
        "false non-match rate (FNMR)",
    )
    names = _names(models)
    for model, color in _colored(models):
        curve = roc(*_scored(model))
        least_fnmr = 0.5 / model.fnmr.trial_count
        axes.step(_on_log(curve.fmr, model), np.maximum(1 - curve.tar, least_fnmr), where="post",
                  color=color, label=f"{names[model.model]}: EER {model.eer:.2%}")  # fmt: skip
    _log_fmr_axis(axes, models)
    axes.set_yscale("log")
    axes.set_ylim(min(0.5 / model.fnmr.trial_count for model in models), 1.0)
    axes.plot([1e-9, 1], [1e-9, 1], ":", color=_INK, alpha=0.5, linewidth=1)
    figure.legend(loc="outside lower center")
    return figure


def _score_histograms(models: tuple[ModelResult, ...]) -> Any:
    height = _SIZE_INCHES[1] * (0.35 + 0.65 * len(models))
    figure = require("matplotlib.figure", extra="plot", needed_for="Plots").Figure(
        figsize=(_SIZE_INCHES[0], height), layout="constrained"
    )
    names = _names(models)
    rows = figure.subplots(len(models), 1, sharex=True, squeeze=False)[:, 0]
    for axes, model in zip(rows, models, strict=True):
        scores, same = _scored(model)
        bins = np.linspace(float(scores.min()), float(scores.max()), 61)
        for kind, flags, color in (("impostor", ~same, _IMPOSTOR), ("genuine", same, _GENUINE)):
            weights = np.full(int(flags.sum()), 100.0 / int(flags.sum()))
            axes.hist(scores[flags], bins, weights=weights, color=color, alpha=0.65,
                      label=f"{kind}: {int(flags.sum()):,} pairs")  # fmt: skip
        thresholds = sorted(set(model.fold_threshold_similarities))
        axes.axvspan(thresholds[0], thresholds[-1], color=_INK, alpha=0.3, linewidth=0)
        middle = float(np.mean(thresholds))
        axes.axvline(
            middle, color=_INK, linewidth=1.2, ymax=0.66, label=threshold_text(middle, digits=3)
        )
        axes.set_title(f"Scores, {names[model.model]}")
        axes.set_ylabel("% of pairs of this kind")
        axes.margins(y=0.5)  # room for the legend
        axes.legend(loc="upper right")
    rows[-1].set_xlabel("cosine similarity (distance = 1 - similarity)")
    return figure


def _folds(models: tuple[ModelResult, ...]) -> Any:
    figure, axes = _figure("Accuracy by fold, and its mean", "fold", "% right")
    several = tuple(model for model in models if len(model.fold_accuracies) > 1)
    width = 0.8 / len(several)
    names = _names(models)
    for number, (model, color) in enumerate(_colored(several)):
        percent = 100 * np.array(model.fold_accuracies)
        centers = np.arange(1, len(percent) + 1) + (number - (len(several) - 1) / 2) * width
        label = f"{names[model.model]}: {percent.mean():.2f} ± {percent.std():.2f} %"
        axes.bar(centers, percent, width * 0.9, color=color, label=label)
        axes.axhline(percent.mean(), color=color, linewidth=1, linestyle="--")
    lowest = 100 * min(min(model.fold_accuracies) for model in several)
    axes.set_ylim(max(0.0, lowest - 0.5 * (100.5 - lowest)), 100.0)
    axes.set_xticks(range(1, max(len(model.fold_accuracies) for model in several) + 1))
    axes.grid(visible=False, axis="x")
    figure.legend(loc="outside lower center")
    return figure


def _discard(models: tuple[ModelResult, ...]) -> Any:
    figure, axes = _figure(
        "Error versus discard: FNMR without the poorest pairs",
        "% of genuine pairs left out, the lowest quality first",
        "FNMR in %",
    )
    names = _names(models)
    for model, color in _colored(models):
        if model.error_versus_discard:
            draw_discard(axes, model, color=color, label=names[model.model])
    axes.set_ylim(bottom=0)
    figure.legend(loc="outside lower center")
    return figure


def _cmc(models: tuple[ModelResult, ...]) -> Any:
    figure, axes = _figure("CMC: identification by rank", "rank", "% of searches")
    names = _names(models)
    for model, color in _colored(models):
        if model.identification:
            draw_cmc(axes, model, color=color, label=names[model.model])
    axes.set_ylim(top=100.0)
    figure.legend(loc="outside lower center")
    return figure


def _fnir(models: tuple[ModelResult, ...]) -> Any:
    figure, axes = _figure("DET: searches that miss, and that find strangers", "FPIR in %",
                           "FNIR in %")  # fmt: skip
    names = _names(models)
    for model, color in _colored(models):
        if model.identification:
            draw_fnir(axes, model, color=color, label=names[model.model])
    percents = [100 * fpir for fpir in DEFAULT_FPIRS]
    axes.set_xscale("log")
    axes.set_xticks(percents, [f"{one:g}" for one in percents])
    axes.set_xticks([], minor=True)
    axes.set_ylim(bottom=0)
    figure.legend(loc="outside lower center")
    return figure


def _latency(models: tuple[ModelResult, ...]) -> Any:
    models = tuple(model for model in models if model.stages)
    figure, axes = _figure("Median time by stage", "ms a photo", "")
    stages = list(dict.fromkeys(stage.stage for model in models for stage in model.stages))
    names = _names(models)
    labels = [fill(names[model.model], 18) for model in models]
    left = np.zeros(len(models))
    for number, name in enumerate(stages):
        times = np.array([
            sum(stage.median_ms for stage in model.stages if stage.stage == name)
            for model in models
        ])  # fmt: skip
        color = SERIES_COLORS[number % len(SERIES_COLORS)]
        axes.barh(labels, times, 0.6, left=left, color=color, label=name)
        left += times
    axes.invert_yaxis()
    axes.grid(visible=False, axis="y")
    figure.legend(loc="outside lower center", ncols=min(len(stages), 4))
    return figure


def _figure(title: str, x_label: str, y_label: str) -> tuple[Any, Any]:
    module = require("matplotlib.figure", extra="plot", needed_for="Plots")
    figure = module.Figure(figsize=_SIZE_INCHES, layout="constrained")
    axes = figure.subplots()
    axes.set(title=title, xlabel=x_label, ylabel=y_label)
    return figure, axes


def _log_fmr_axis(axes: Any, models: tuple[ModelResult, ...]) -> None:
    """Draws an FMR of 0 at the left edge, and shades FMRs of fewer than three false matches."""
    left = min(map(_least, models))
    axes.set_xscale("log")
    axes.set_xlim(left, 1.0)
    carried = min(RULE_OF_THREE / model.fmr.trial_count for model in models)
    axes.axvspan(left, min(carried, 1.0), color=_INK, alpha=0.08, linewidth=0)


def _least(model: ModelResult) -> float:
    return 0.5 / model.fmr.trial_count


def _on_log(fmr: NDArray[np.float64], model: ModelResult) -> NDArray[np.float64]:
    return np.maximum(fmr, _least(model))


def _scored(model: ModelResult) -> tuple[Scores, Flags]:
    scored = [pair for pair in model.pairs if pair.similarity is not None]
    scores = np.array([pair.similarity for pair in scored], np.float64)
    return scores, np.array([pair.same for pair in scored])


def _names(models: tuple[ModelResult, ...]) -> dict[ModelIdentity, str]:
    """Returns labels that distinguish the results; if all are of one model, its name is omitted."""
    identities = [model.model for model in models]
    one_model = len({identity.file_sha256 for identity in identities}) == 1
    return {
        identity: identity.setup if one_model and identity.setup else identity.label
        for identity in identities
    }


def _colored(models: tuple[ModelResult, ...]) -> list[tuple[ModelResult, str]]:
    return [
        (model, SERIES_COLORS[number % len(SERIES_COLORS)]) for number, model in enumerate(models)
    ]


def _matplotlib() -> Any:
    return require("matplotlib", extra="plot", needed_for="Plots")
