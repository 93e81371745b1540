"""The rates of identification as rows of an evaluation's table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from facekit.evaluation.identification import Interval, MarginAt, OpenSet
    from facekit.evaluation.records import ModelResult

_SHOWN_RANKS = (1, 5)
_SHOWN_FPIRS = (0.001, 0.01, 0.1)


def identification_rows(
    models: Sequence[ModelResult],
) -> list[tuple[str, Callable[[ModelResult], str]]]:
    """Returns a name and a cell for each row; without identification there is none."""
    found = next((one.identification for one in models if one.identification), None)
    if found is None:
        return []
    closed = found.closed_set
    rows: list[tuple[str, Callable[[ModelResult], str]]] = [("all enrolled", _searched)]
    rows += [
        (f"  rank {one.rank}", partial(_rank, number))
        for number, one in enumerate(closed.identified)
        if one.rank in _SHOWN_RANKS
    ]
    if any(one.identification and one.identification.closed_set.margins for one in models):
        rows += [("  margin", partial(_margin, 0)), ("  above threshold", partial(_margin, 1))]
    for number, opened in enumerate(found.open_sets):
        rows += [
            (f"{opened.people_count:,} enrolled", partial(_open, number, _counts)),
            (
                "  rank 1",
                partial(_open, number, lambda one: _rate(one.rank_1.rate, one.rank_1.ci95)),
            ),
        ]
        rows += [
            (f"  at FPIR {fpir:g}", partial(_open, number, partial(_fnir, fpir)))
            for fpir in _SHOWN_FPIRS
        ]
        rows.append(("  as identify", partial(_open, number, _chosen)))
    return rows


def _searched(model: ModelResult) -> str:
    assert model.identification is not None
    closed, photos = model.identification.closed_set, model.identification.photo_count
    enrolled = "1 photo" if photos == 1 else f"{photos} photos"
    return f"{closed.people_count:,} people, {enrolled} each; {closed.probe_count:,} searches"


def _rank(number: int, model: ModelResult) -> str:
    assert model.identification is not None
    point = model.identification.closed_set.identified[number]
    return _rate(point.rate, point.ci95)


def _margin(number: int, model: ModelResult) -> str:
    assert model.identification is not None
    margins: tuple[MarginAt, ...] = model.identification.closed_set.margins
    if number >= len(margins):
        return ""
    rule = margins[number].rule
    caught = ""
    if rule.wrong_caught is not None:
        caught = f", catches {rule.wrong_caught:.1%} of {rule.wrong_count:,} wrong"
    return f"{rule.least:.3f} loses {rule.right_lost:.1%} of {rule.right_count:,}{caught}"


def _open(number: int, cell: Callable[[OpenSet], str], model: ModelResult) -> str:
    assert model.identification is not None
    return cell(model.identification.open_sets[number])


def _counts(found: OpenSet) -> str:
    return (
        f"{found.mated_count:,} searches, {found.non_mated_count:,} for strangers, "
        f"{found.draw_count} draws"
    )


def _fnir(fpir: float, found: OpenSet) -> str:
    point = next((one for one in found.fnir if one.fpir == fpir), None)
    return "not measurable" if point is None else f"FNIR {_rate(point.fnir, point.ci95)}"


def _chosen(found: OpenSet) -> str:
    chosen = found.chosen
    if chosen is None:
        return ""
    return (
        f"FNIR {chosen.fnir:.2%}, FPIR {chosen.fpir:.2%}, similarity >= "
        f"{chosen.threshold_similarity:.4f}"
    )


def _rate(rate: float, ci95: Interval) -> str:
    return f"{rate:.2%} ({ci95[0]:.2%} to {ci95[1]:.2%})"
