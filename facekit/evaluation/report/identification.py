"""The report's section on identification: searches for enrolled people, and for strangers."""

from __future__ import annotations

from typing import Any

from facekit.evaluation.identification import Identification, Interval, OpenSet
from facekit.evaluation.records import ModelResult
from facekit.evaluation.report.table import section, table, text
from facekit.template.wording import threshold_text

CMC_CAPTION = (
    "Closed set: the share of searches for enrolled people whose right person is among the first "
    "so many (CMC). Higher is better."
)
FNIR_CAPTION = (
    "Open set: searches for enrolled people that miss them (FNIR) against searches for strangers "
    "that find somebody (FPIR). Lower is better; a cross is at the threshold that identify chooses."
)


def identification_section(models: tuple[ModelResult, ...]) -> str:
    """Returns the tables of closed and open set; "" where identification was not measured."""
    measured = [(one.model.label, one.identification) for one in models if one.identification]
    if not measured:
        return ""
    first = measured[0][1]
    photos = "One photo" if first.photo_count == 1 else f"{first.photo_count} photos"
    intro = f"{photos} enrolled of each person; intervals at 95 % resample people."
    shown = f'<p class="soft">{text(intro)}</p>\n'
    ranks = "".join(f'<th scope="col">Rank {one.rank}</th>' for one in first.closed_set.identified)
    shown += "<h4>Everybody is enrolled</h4>\n" + table(
        "Closed-set identification",
        f'<th scope="col">Model</th><th scope="col">Searches</th>{ranks}',
        "".join(_closed_row(label, found) for label, found in measured),
    )
    targets = sorted({one.fpir for _, found in measured for each in found.open_sets
                      for one in each.fnir})  # fmt: skip
    head = "".join(f'<th scope="col">FNIR at FPIR {one:.3g}</th>' for one in targets)
    shown += "<h4>Strangers are searched for too</h4>\n" + table(
        "Open-set identification",
        '<th scope="col">Model</th><th scope="col">Gallery</th><th scope="col">Rank 1</th>'
        f'{head}<th scope="col">At identify\'s threshold</th>',
        "".join(
            _open_row(label, each, targets) for label, found in measured for each in found.open_sets
        ),
    )
    return section("Identification", shown)


def _closed_row(label: str, found: Identification) -> str:
    closed = found.closed_set
    cells = "".join(_cell(one.rate, one.ci95) for one in closed.identified)
    return (
        f'<tr><th scope="row">{text(label)}</th><td>{closed.probe_count:,}<small>for '
        f"{closed.people_count:,} people</small></td>{cells}</tr>\n"
    )


def _open_row(label: str, found: OpenSet, targets: list[float]) -> str:
    at = {one.fpir: one for one in found.fnir}
    cells = "".join(
        _cell(at[one].fnir, at[one].ci95)
        if one in at
        else '<td><span class="warn">not measurable</span></td>'
        for one in targets
    )
    return (
        f'<tr><th scope="row">{text(label)}</th><td>{found.people_count:,} people<small>'
        f"{found.mated_count:,} searches for them and {found.non_mated_count:,} for strangers, in "
        f"{found.draw_count} draws</small></td>{_cell(found.rank_1.rate, found.rank_1.ci95)}"
        f"{cells}{_chosen(found)}</tr>\n"
    )


def _chosen(found: OpenSet) -> str:
    chosen = found.chosen
    if chosen is None:
        return "<td>the card has none</td>"
    predicted = (
        ""
        if chosen.predicted_fpir is None
        else f"<small>predicted: FPIR {chosen.predicted_fpir:.2%} at most</small>"
    )
    return (
        f"<td>FNIR {chosen.fnir:.2%}, FPIR {chosen.fpir:.2%}{predicted}"
        f"<small>{text(threshold_text(chosen.threshold_similarity))}</small></td>"
    )


def _cell(rate: float, ci95: Interval) -> str:
    return f"<td>{rate:.2%}<small>{ci95[0]:.2%} to {ci95[1]:.2%}</small></td>"


def draw_cmc(axes: Any, model: ModelResult, *, color: str, label: str) -> None:
    """Draws the CMC curve of a model that has one, in percent."""
    assert model.identification is not None
    points = model.identification.closed_set.identified
    axes.plot(
        [one.rank for one in points],
        [100 * one.rate for one in points],
        color=color,
        label=label,
        marker=".",
    )


def draw_fnir(axes: Any, model: ModelResult, *, color: str, label: str) -> None:
    """Draws FNIR against FPIR, a line a gallery size, both in percent."""
    assert model.identification is not None
    styles = ("-", "--", ":", "-.")
    for number, found in enumerate(model.identification.open_sets):
        axes.plot(
            [100 * one.fpir for one in found.fnir],
            [100 * one.fnir for one in found.fnir],
            styles[number % len(styles)],
            color=color,
            label=f"{label}, {found.people_count:,} people",
            marker=".",
        )
        if found.chosen is not None and found.chosen.fpir:
            axes.plot(100 * found.chosen.fpir, 100 * found.chosen.fnir, "x", color=color)
