"""Models as text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from facekit.cli.render.output import emit_json, note
from facekit.cli.render.table import Column, StreamedTable, labeled, number, table, wrapped
from facekit.enums import Flip, MeasuredBy

if TYPE_CHECKING:
    from facekit.conversion.import_options import ImportedModel
    from facekit.model.card import Card, Source
    from facekit.model.registry import Download, RegistryEntry
    from facekit.tasks.build import ModelFiles
    from facekit.tasks.import_model import ImportedArchive
    from facekit.tasks.model_card import CardFile
    from facekit.tasks.model_list import ListedModel, ModelList
    from facekit.tasks.models import CheckedFiles, ModelInfo, RemovedFiles
    from facekit.template.calibration import OperatingPoint
    from facekit.types import InputSpec

_LICENSE = re.compile("[,;]")
"""What follows are conditions, which `models info` tells."""
_NARROW = {"attack-detection": "attacks"}
"""Tasks whose names are too wide for a table."""
_MIRROR = {
    Flip.NONE: "",
    Flip.CONCAT: ", mirror image concatenated",
    Flip.SUM: ", mirror image added",
}


def print_list(listed: ModelList) -> None:
    """A table, then what its figures rest on."""
    columns = (
        *(Column("MODEL"), Column("FOR"), Column("LICENSE")),
        *(number("MB"), number("MS"), number("TAR"), Column("STORED")),
    )
    lines = table(columns, map(_list_row, listed.models), wrap_last=True)
    for note_line in dict.fromkeys(_list_notes(listed)):
        lines += wrapped(note_line, others="  ")
    click.echo("\n".join(lines))


def _list_row(model: ListedModel) -> tuple[str, str, str, str, str, str, str]:
    size = "-"
    if model.size_bytes is not None:
        size = f"{model.size_bytes / 1e6:.1f}"
    elif model.download_bytes is not None:
        size = f"{model.download_bytes / 1e6:.1f}+"
    ms = "-"
    if model.speed is not None:
        ms = f"{model.speed.median_ms:.1f}{'' if model.speed.is_here else '*'}"
    return (
        model.name,
        _NARROW.get(model.task.value, model.task.value),
        _LICENSE.split(model.source.license)[0][:14],
        size,
        ms,
        "-" if model.match_rate is None else f"{100 * model.match_rate.tar:.1f} %",
        ", ".join(model.stored) or "-",
    )


def _list_notes(listed: ModelList) -> Iterator[str]:
    from facekit.template.wording import CARD_MAKER_TEXT

    yield f"default: {listed.default.model}, set by {listed.default.origin}"
    if any(one.size_bytes is None and one.download_bytes is not None for one in listed.models):
        yield "+ not built here yet: what facekit models build would fetch"
    for model in listed.models:
        if rate := model.match_rate:
            yield (
                "TAR: share of genuine pairs that match where 0.01 % of impostor pairs do; "
                f"{rate.origin}, faces found by {rate.detector}"
            )
    for model in listed.models:
        if model.match_rate and model.match_rate.measured_by is MeasuredBy.CARD_MAKER:
            yield f"{model.name}: TAR measured by {CARD_MAKER_TEXT}"
    for model in listed.models:
        if model.speed and not model.speed.is_here:
            yield f"* on {model.speed.machine}; facekit models list --measure measures here"


def print_info(info: ModelInfo) -> None:
    """What the registry says, then what each card adds."""
    if info.entry is not None:
        _print_entry(info.entry, stored=bool(info.cards))
    for row, (path, card) in enumerate(info.cards):
        if row or info.entry is not None:
            click.echo()
        _print_card(path, card, in_registry=info.entry is not None)


def operating_points(points: Iterable[OperatingPoint]) -> list[str]:
    """A table of thresholds, and of the error rates that were measured at each."""
    columns = (
        *(Column("CHOSEN FOR"), number("SIMILARITY >="), number("DISTANCE <=")),
        *(number("FMR"), number("IMPOSTORS"), number("FNMR"), number("GENUINE")),
    )
    rows = (
        (
            point.target,
            f"{point.threshold_similarity:.4f}",
            f"{1 - point.threshold_similarity:.4f}",
            "-" if point.fmr is None else f"{point.fmr:.3g}",
            f"{point.n_impostor:,}",
            "-" if point.fnmr is None else f"{point.fnmr:.2%}",
            f"{point.n_genuine:,}",
        )
        for point in points
    )
    return table(columns, rows)


def print_checked(checked: CheckedFiles) -> None:
    shown = StreamedTable(
        Column("STATE", len("DAMAGED")), Column("MEASURED BY", len("card-maker")), Column("FILE")
    )
    for file in checked.files:
        by = "-" if file.measured_by is None else file.measured_by.value
        shown.echo("DAMAGED" if file.error else "ok", by, str(file.path))


def print_files(
    files: ModelFiles | RemovedFiles | ImportedArchive | ImportedModel, *, as_json: bool
) -> None:
    """A path a line."""
    if as_json:
        emit_json(files.to_dict())
    else:
        for path in files.paths:
            click.echo(path)


def print_card(made: CardFile, *, as_json: bool) -> None:
    """The card itself, or where it was written; what is to be filled in on stderr."""
    if as_json:
        emit_json(made.to_dict())
    elif made.output is not None:
        click.echo(made.output)
    else:
        click.echo(made.text(), nl=False)
    if made.to_fill_in:
        note(f"to be filled in: {', '.join(made.to_fill_in)}")


def _print_entry(entry: RegistryEntry, *, stored: bool) -> None:
    """What the registry says; the card's defaults only where no card is there to say it."""
    fields = [("model", entry.name), ("summary", entry.summary), *_source_fields(entry.source)]
    fields += [("download", _download_text(download)) for download in entry.downloads]
    if not stored:
        fields += [
            ("input", _input_text(entry.card.input)),
            ("crop", str(entry.card.crop or "")),
            *(
                _point_fields(entry.card.calibration.operating_points)
                if entry.card.embedding_size
                else ()
            ),
            ("stored", f"no; facekit models build {entry.name}"),
        ]
    _print_fields(fields)


def _print_card(path: Path, card: Card, *, in_registry: bool) -> None:
    """What `_print_entry` has not said."""
    from facekit.template.wording import CARD_MAKER_TEXT

    fields = [
        ("stored", str(path)),
        ("variant", card.variant),
        ("size", f"{card.file_size_bytes / 1e6:.2f} MB"),
        ("sha256", card.file_sha256),
        *(() if in_registry else _source_fields(card.source)),
        ("input", _input_text(card.input)),
        ("quantization", card.quantization.scheme),
        ("crop", str(card.crop or "")),
    ]
    if card.embedding_size:  # a detector has none
        centered = "not centered" if card.calibration.embedding_mean is None else "centered"
        fields.append(
            ("embedding", f"{card.embedding_size} numbers, {centered}{_MIRROR[card.flip]}")
        )
        fields.append(("calibrated", card.calibration.source or "no"))
        if card.calibration.all_measured_by is MeasuredBy.CARD_MAKER:
            fields.append(("measured by", CARD_MAKER_TEXT))
        fields += _point_fields(card.calibration.operating_points)
    fields.append(("made with", ", ".join(f"{name} {text}" for name, text in card.tools.items())))
    _print_fields(fields)


def _source_fields(source: Source) -> list[tuple[str, str]]:
    return [
        ("source", source.title),
        ("url", source.url),
        ("source sha256", source.sha256),
        ("license", source.license),
        ("accuracy", source.accuracy),
    ]


def _download_text(download: Download) -> str:
    what = download.requirement or download.url
    return f"{what}, {download.size_bytes / 1e6:.1f} MB, sha256 {download.sha256}"


def _input_text(spec: InputSpec) -> str:
    return (
        f"{spec.width_px} x {spec.height_px} px {spec.color_order.value}, "
        f"(pixel - {spec.mean:g}) / {spec.std:g}"
    )


def _point_fields(points: Sequence[OperatingPoint]) -> list[tuple[str, str]]:
    return [(f"at {point.target}", _point_text(point)) for point in points] or [
        ("thresholds", "none: verify needs --threshold or --min-similarity")
    ]


def _point_text(point: OperatingPoint) -> str:
    from facekit.template.wording import threshold_text

    rates = [
        f"{name} {100 * rate:.3g} % of {count:,} {kind} pairs"
        for name, rate, count, kind in (
            ("FMR", point.fmr, point.n_impostor, "impostor"),
            ("FNMR", point.fnmr, point.n_genuine, "genuine"),
        )
        if rate is not None
    ]
    measured = "; ".join([*rates, point.protocol, f"data: {point.dataset}"])
    return f"{threshold_text(point.threshold_similarity)}; {measured}"


def _print_fields(fields: Sequence[tuple[str, str]]) -> None:
    """What is empty is left out."""
    click.echo("\n".join(labeled((label, text) for label, text in fields if text)))
