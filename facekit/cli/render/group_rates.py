"""The error rates of groups of people for the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from facekit.cli.render.table import Column, number, table, wrapped

if TYPE_CHECKING:
    from facekit.evaluation.groups import GroupResult
    from facekit.evaluation.metrics.groups import GroupRate

_HIGHEST = 3


def group_lines(label: str, found: GroupResult) -> list[str]:
    """A row a group, then whether they differ, and the pairs of groups with the highest FMR."""
    from facekit.evaluation.report.groups import difference_text, threshold_of, too_few

    rates = found.rates
    within = [one for one in rates.fmr if one.groups[0] == one.groups[1]]
    columns = [Column(""), Column("95 %"), number("pairs"), number("people"), Column("group")]
    rows = [
        (name, *_cells(one), f"{rates.people_count[one.groups[0]]:,}", one.groups[0])
        for name, of_groups in (("FNMR", rates.fnmr), ("FMR within", within))
        for one in of_groups
    ]
    between = sorted(
        (one for one in rates.fmr if one.groups[0] != one.groups[1] and one.is_enough and one.rate),
        key=lambda one: -(one.rate or 0.0),
    )
    sentences = [
        difference_text("FNMR", rates.fnmr_difference),
        difference_text("FMR within groups", rates.fmr_difference),
        *(
            f"FMR between {one.groups[0]} and {one.groups[1]}: {' of '.join(_cells(one))}."
            for one in between[:_HIGHEST]
        ),
        too_few(found),
        "These figures do not show that a system is fair.",
    ]
    return [
        *wrapped(f"Groups by {label}, {threshold_of(found)}"),
        "",
        *table(columns, rows),
        "",
        *(line for one in sentences if one for line in wrapped(one, first="- ", others="  ")),
    ]


def _cells(one: GroupRate) -> tuple[str, str]:
    if one.rate is None or one.ci95 is None:
        return "none", "0"
    low, high = one.ci95
    return f"{one.rate:.2%} ({low:.2%} to {high:.2%})", f"{one.comparison_count:,}"
