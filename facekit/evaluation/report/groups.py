"""The report's section on groups of people: their rates, and a heat map of FMR between them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from facekit.evaluation.groups import GroupResult
from facekit.evaluation.metrics.groups import Difference, GroupRate
from facekit.evaluation.records import ModelResult
from facekit.evaluation.report.table import section, table, text
from facekit.template.wording import threshold_text

NO_CLAIM = (
    "A difference that is found may come from the photos as well as from the network, and where "
    "none is found there may be one: no system is shown to be fair by these figures."
)
_CELL_PX = (104, 44)
_LEFT_PX, _TOP_PX = 150, 30
_MOST_LETTERS = 18
_WARMTH = "#d9792b"
_MOST_OPAQUE = 0.6
"""So that letters in the ink of light and dark pages can be read on it."""


def groups_section(models: Sequence[ModelResult]) -> str:
    """Returns tables and a heat map for each model; "" where no groups were given."""
    shown = "".join(_of_model(one.model.label, one.groups) for one in models if one.groups)
    if not shown:
        return ""
    return section("Groups of people", f'<p class="soft">{text(NO_CLAIM)}</p>\n{shown}')


def difference_text(rate: str, found: Difference | None) -> str:
    """Returns a sentence on whether the groups' rates differ."""
    if found is None:
        return f"{rate}: too few comparisons, or no error, to compare the groups."
    ratios = ", ".join(
        f"{ratio:.2f} times {of}"
        for ratio, of in (
            (found.worst_to_mean, "the geometric mean of all"),
            (found.worst_to_best, "the lowest"),
        )
        if ratio is not None
    )
    verdict = "a difference is found" if found.is_found else "no difference is found"
    return (
        f"{rate}: {verdict} (p = {found.p:.3g}); the highest is that of {found.worst}"
        f"{f', {ratios}' if ratios else ''}."
    )


def threshold_of(found: GroupResult) -> str:
    """Returns the common threshold and its origin in words."""
    chosen = found.threshold
    origin = f"the card's {chosen.target}" if chosen.target else f"from: {chosen.origin.value}"
    return f"{threshold_text(chosen.similarity)}, {origin}"


def too_few(found: GroupResult) -> str:
    """Returns a sentence that names the cells without enough comparisons; "" where all have."""
    cells = [
        " and ".join(dict.fromkeys(one.groups)) + f" ({kind}, {one.comparison_count:,})"
        for kind, rates in (("FNMR", found.rates.fnmr), ("FMR", found.rates.fmr))
        for one in rates
        if not one.is_enough
    ]
    return f"Too few comparisons: {', '.join(cells)}." if cells else ""


def _of_model(label: str, found: GroupResult) -> str:
    rates = found.rates
    within = {one.groups[0]: one for one in rates.fmr if one.groups[0] == one.groups[1]}
    rows = "".join(
        f'<tr><th scope="row">{text(one.groups[0])}</th>'
        f"<td>{rates.people_count[one.groups[0]]:,}</td>"
        f"{_cell(one)}{_cell(within[one.groups[0]])}</tr>\n"
        for one in rates.fnmr
    )
    head = "".join(
        f'<th scope="col">{name}</th>' for name in ("Group", "People", "FNMR", "FMR within")
    )
    sentences = (
        difference_text("FNMR", rates.fnmr_difference),
        difference_text("FMR within groups", rates.fmr_difference),
        too_few(found),
    )
    said = "".join(f"<li>{text(one)}</li>" for one in sentences if one)
    return (
        f"<h4>{text(label)}, {text(threshold_of(found))}</h4>\n"
        f"{table('Error rates of groups', head, rows)}<ul>{said}</ul>\n"
        f"<figure>{heat_map(rates.people_count, rates.fmr)}<figcaption>FMR between the people of "
        "two groups; the warmer, the higher, by its logarithm. A dashed cell has too few "
        "comparisons.</figcaption></figure>\n"
    )


def _cell(one: GroupRate) -> str:
    if one.rate is None or one.ci95 is None:
        return '<td><span class="warn">no comparison</span></td>'
    marked = "" if one.is_enough else '<small class="warn">too few comparisons</small>'
    return (
        f"<td>{one.rate:.3%}<small>{one.ci95[0]:.3%} to {one.ci95[1]:.3%}</small>"
        f"<small>{one.error_count:,} of {one.comparison_count:,}</small>{marked}</td>"
    )


def heat_map(groups: Mapping[str, int], rates: Sequence[GroupRate]) -> str:
    """Returns an <svg> with a row and a column for each group.

    `groups`: by name; `rates`: FMR of each pair of groups.  Cells with enough comparisons are
    colored by the logarithm of their rate.
    """
    names = list(groups)
    width = _LEFT_PX + len(names) * _CELL_PX[0]
    height = _TOP_PX + len(names) * _CELL_PX[1]
    logs = [math.log10(one.rate) for one in rates if one.is_enough and one.rate]
    low, high = (min(logs), max(logs)) if logs else (0.0, 0.0)
    parts = [
        f'<svg viewBox="0 0 {width} {height}" style="max-width: {width}px" role="img" '
        'aria-label="FMR of each pair of groups" font-size="12" fill="currentColor">'
    ]
    for number, name in enumerate(names):
        across, down = _LEFT_PX + number * _CELL_PX[0], _TOP_PX + number * _CELL_PX[1]
        parts.append(_label(name, across + _CELL_PX[0] / 2, _TOP_PX - 10, "middle"))
        parts.append(_label(name, _LEFT_PX - 8, down + _CELL_PX[1] / 2 + 4, "end"))
    for one in rates:
        row, column = (names.index(name) for name in one.groups)
        for a, b in {(row, column), (column, row)}:
            parts.append(_square(one, _LEFT_PX + b * _CELL_PX[0], _TOP_PX + a * _CELL_PX[1],
                                 (low, high)))  # fmt: skip
    return "".join((*parts, "</svg>"))


def _square(one: GroupRate, left: int, top: int, logs: tuple[float, float]) -> str:
    low, high = logs
    if one.is_enough:
        place = 0.0
        if one.rate:
            place = 1.0 if high == low else (math.log10(one.rate) - low) / (high - low)
        opacity = 0.06 + (_MOST_OPAQUE - 0.06) * place
        style = f'fill="{_WARMTH}" fill-opacity="{opacity:.2f}"'
    else:
        style = 'fill="none" stroke="currentColor" stroke-opacity="0.4" stroke-dasharray="3 3"'
    rate = "none" if one.rate is None else f"{one.rate:.2g}"
    said = rate if one.is_enough else "too few"
    wide, tall = _CELL_PX
    names = " and ".join(dict.fromkeys(one.groups))
    return (
        f"<g><title>{text(names)}: {one.error_count:,} of {one.comparison_count:,}, FMR {rate}"
        "</title>"
        f'<rect x="{left + 1}" y="{top + 1}" width="{wide - 2}" height="{tall - 2}" {style}/>'
        f'<text x="{left + wide / 2:g}" y="{top + tall / 2 + 4:g}" text-anchor="middle">{said}'
        "</text></g>"
    )


def _label(name: str, x: float, y: float, anchor: str) -> str:
    short = name if len(name) <= _MOST_LETTERS else f"{name[: _MOST_LETTERS - 1]}…"
    return (
        f'<text x="{x:g}" y="{y:g}" text-anchor="{anchor}"><title>{text(name)}</title>'
        f"{text(short)}</text>"
    )
