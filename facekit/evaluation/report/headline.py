"""The top of the report's page: what is measured in one glance, and what to bear in mind."""

from __future__ import annotations

from collections.abc import Iterator

from facekit.evaluation.protocols.plan import ThresholdOrigin
from facekit.evaluation.records import DataSetReport, EvaluationReport, ModelResult, Rate
from facekit.evaluation.report.table import text
from facekit.template.calibration import RULE_OF_THREE

_MANY = 2000
"""From so many pairs on, a hundredth of a percent is more than a fifth of a pair."""
_ORIGINS = {
    ThresholdOrigin.OTHER_FOLDS: "each fold has the best threshold of the other folds",
    ThresholdOrigin.CARD: "the threshold of the model's card",
    ThresholdOrigin.FIXED: "a given threshold",
    ThresholdOrigin.SAME_PAIRS: "chosen on these very pairs, so the figures are too good",
}


def headline(report: EvaluationReport) -> str:
    """Returns the title and, for each data set, a card a model with its accuracy."""
    names = dict.fromkeys(m.model.name for one in report.data_sets for m in one.models)
    title = f"How well {_listed([text(name) for name in names])} tell{_s(len(names))} faces apart"
    parts = [
        f"<h2>{text(one.title)}</h2>\n<p>{_size(one)}</p>\n"
        f'<div class="answers">{"".join(_card(one, model) for model in one.models)}</div>\n'
        for one in report.data_sets
    ]
    return f"<header><h1>{title}</h1>\n{''.join(parts)}</header>\n"


def banner(report: EvaluationReport) -> str:
    """Returns everything that a reader must bear in mind, once; "" for nothing."""
    of: dict[str, list[str]] = {}
    for one in report.data_sets:
        for caveat in (*_caveats(one), *one.notes):
            of.setdefault(caveat, []).append(one.title)
    if not of:
        return ""
    items = "".join(
        f"<li>{_where(titles, len(report.data_sets))}{text(caveat)}</li>\n"
        for caveat, titles in of.items()
    )
    return (
        '<aside class="banner" aria-labelledby="caveats"><h2 id="caveats">Bear in mind</h2>\n'
        f"<ul>{items}</ul></aside>\n"
    )


def percent(value: float, *, digits: int = 2) -> str:
    return f"{100 * value:.{digits}f} %"


def interval(rate: Rate, *, digits: int = 2) -> str:
    """Returns "(94.3 to 99.2)", the 95 % interval in percent."""
    low, high = (f"{100 * end:.{digits}f}" for end in rate.ci95)
    return f"({low} to {high})"


def _size(report: DataSetReport) -> str:
    first = report.models[0]
    people = "" if report.person_count is None else f" of {report.person_count:,} people"
    return f"{len(first.pairs):,} pairs of {first.photo_count:,} photos{people}."


def _card(report: DataSetReport, model: ModelResult) -> str:
    accuracy = model.accuracy
    digits = 1 if accuracy.trial_count < _MANY else 2
    origin = _ORIGINS.get(model.threshold_origin, f"chosen on {report.threshold_list_name}")
    marked = ' class="warn"' if model.threshold_origin is ThresholdOrigin.SAME_PAIRS else ""
    low, high = min(model.fold_threshold_similarities), max(model.fold_threshold_similarities)
    least = f"{low:.3f}" if low == high else f"{low:.3f} to {high:.3f}"
    return (
        f'<article class="answer"><h3>{text(model.model.label)}</h3>\n'
        f'<p class="big">{percent(accuracy.value, digits=digits)} '
        f"<small>{interval(accuracy, digits=digits)}</small></p>\n"
        f"<p>of {accuracy.trial_count:,} pairs are judged rightly.</p>\n"
        f"<p>Two photos count as one person from a similarity of <b>{least}</b> on: "
        f"<span{marked}>{text(origin)}</span>.</p>\n"
        f"<p>False match rate <b>{percent(model.fmr.value)}</b> {interval(model.fmr)}: two people "
        f"taken for one in {model.fmr.event_count:,} of {model.fmr.trial_count:,} pairs. False "
        f"non-match rate <b>{percent(model.fnmr.value)}</b> {interval(model.fnmr)}: one person "
        f"taken for two in {model.fnmr.event_count:,} of {model.fnmr.trial_count:,}.</p>"
        "</article>\n"
    )


def _caveats(report: DataSetReport) -> Iterator[str]:
    if report.list_published_as is None:
        yield (
            f"{report.list_name} is not one of LFW's published lists: the figures cannot be "
            "compared with published ones."
        )
    for model in report.models:
        if model.failures:
            lost = len(model.pairs) - model.accuracy.trial_count
            yield (
                f"{model.model.label}: {len(model.failures):,} of {model.photo_count:,} photos "
                f"gave no embedding, which leaves {lost:,} of {len(model.pairs):,} pairs out. "
                f"Counted as errors, they make the accuracy "
                f"{percent(model.accuracy_failures_wrong.value)}."
            )
    impostor_count = min(model.fmr.trial_count for model in report.models)
    if any(point.tar is None for model in report.models for point in model.tar_at_fmr):
        yield (
            f"{impostor_count:,} pairs of two people are too few to tell a false match rate below "
            f"{percent(RULE_OF_THREE / impostor_count)} from none."
        )


def _where(titles: list[str], data_set_count: int) -> str:
    everywhere = len(titles) == data_set_count
    return "" if everywhere else f"<b>{text(', '.join(titles))}:</b> "


def _listed(names: list[str]) -> str:
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def _s(count: int) -> str:
    return "s" if count == 1 else ""
