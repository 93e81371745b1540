"""How alike many faces are: a matrix where it fits the terminal, else the most alike pairs."""

from __future__ import annotations

import csv
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from facekit.cli.render.output import note
from facekit.cli.render.table import WIDTH, Column, number, table, width_of

if TYPE_CHECKING:
    from facekit.tasks.compare import SimilarityMatrix

_TOP = 20


def print_matrix_csv(matrix: SimilarityMatrix) -> None:
    """All of it; the first line and the first column name the faces."""
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(["", *matrix.labels])
    for label, row in zip(matrix.labels, matrix.similarity, strict=True):
        writer.writerow([label, *(f"{value:.6f}" for value in row)])


def print_matrix(matrix: SimilarityMatrix, *, top: int | None) -> None:
    """The matrix; for more faces than 80 columns hold, or with `top`, the most alike pairs."""
    folder, names = _without_common_folder(matrix.labels)
    lines = _matrix_lines(matrix, names)
    if top is not None or max(map(width_of, lines)) > WIDTH:
        pairs = matrix.pairs()
        shown = pairs[: top or _TOP]
        lines = _pair_lines(names, shown)
        if len(shown) < len(pairs):
            note(f"{len(shown)} of {len(pairs):,} pairs; --csv and --json have all")
    if folder:
        click.echo(f"photos in {folder}")
    click.echo("\n".join(lines))


def _matrix_lines(matrix: SimilarityMatrix, names: Sequence[str]) -> list[str]:
    columns = [number("FACE"), *(number(str(n)) for n in range(1, len(names) + 1))]
    rows = [
        (str(n), *(f"{value:.3f}" for value in row), name)
        for n, (name, row) in enumerate(zip(names, matrix.similarity, strict=True), 1)
    ]
    return table([*columns, Column("PHOTO")], rows)


def _pair_lines(names: Sequence[str], pairs: Sequence[tuple[int, int, float]]) -> list[str]:
    """A line a pair, or two where both names do not fit one."""
    scores = (number("SIMILARITY"), number("DISTANCE"))
    values = [(f"{similarity:.4f}", f"{1 - similarity:.4f}") for _, _, similarity in pairs]
    rows = [(*value, names[a], names[b]) for value, (a, b, _) in zip(values, pairs, strict=True)]
    lines = table([*scores, Column("PHOTO"), Column("AND PHOTO")], rows)
    if max(map(width_of, lines)) <= WIDTH:
        return lines
    stacked = [half for *value, a, b in rows for half in ((*value, a), ("", "", b))]
    return table([*scores, Column("PHOTOS")], stacked)


def _without_common_folder(labels: Sequence[str]) -> tuple[str, list[str]]:
    """The folder that all photos are in, "" for none, and their names in it."""
    try:
        folder = os.path.commonpath([os.path.dirname(label) for label in labels])
    except ValueError:  # absolute and relative names
        folder = ""
    if not folder:
        return "", list(labels)
    return folder, [os.path.relpath(label, folder) for label in labels]
