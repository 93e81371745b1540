"""What a machine computed of the shipped faces, as tables and a verdict."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import click

from facekit.cli.render.style import Style, styled
from facekit.cli.render.table import Column, number, table, wrapped

if TYPE_CHECKING:
    from facekit.tasks.selftest_results import RunTimes, SelfTest

_NONE = "-"


def print_selftest(done: SelfTest) -> None:
    """The networks with their times, the answers to each face, the checks, the verdict."""
    networks = (
        *(Column("ON"), Column("NETWORK"), number("LOAD MS"), number("FIRST MS")),
        *(number("LATER MS"), number("ON DELEGATE")),
    )
    faces = (
        *(Column("ON"), Column("FACE"), number("COSINE FLOAT32"), number("COSINE CPU")),
        *(number("FOUND"), number("IOU KNOWN"), number("IOU CPU")),
    )
    checks = (
        *(Column("CHECK"), Column("ON"), number("MEASURED"), number("NEEDED")),
        Column("RESULT"),
    )
    for columns, rows in (
        (networks, _network_rows(done)),
        (faces, _face_rows(done)),
        (checks, _check_rows(done)),
    ):
        click.echo("\n".join([*table(columns, rows), ""]))
    click.echo("\n".join(wrapped(_verdict(done), others="  ")))


def _network_rows(done: SelfTest) -> Iterator[Sequence[str]]:
    for one in done.answers:
        yield (
            *(one.use.device, one.model),
            *_times(one.embedding_times),
            str(one.delegated_count or _NONE),
        )
        if one.detector is not None and one.detection_times is not None:
            yield (
                *(one.use.device, one.detector),
                *_times(one.detection_times),
                str(one.detector_delegated_count or _NONE),
            )


def _times(times: RunTimes) -> tuple[str, str, str]:
    load, first, later = (f"{spent:.1f}" for spent in times.to_dict().values())
    return load, first, later


def _face_rows(done: SelfTest) -> Iterator[Sequence[str]]:
    for one in done.answers:
        for face in one.faces:
            yield (
                *(one.use.device, face.photo),
                *map(_figure, (face.float32_cosine, face.cpu_cosine)),
                _NONE if face.face_count is None else str(face.face_count),
                *map(_figure, (face.known_iou, face.cpu_iou)),
            )


def _check_rows(done: SelfTest) -> Iterator[Sequence[str]]:
    for check in done.checks:
        yield (
            *(check.kind.description, check.device),
            *(f"{check.measured:.4f}", f"{check.needed:g}"),
            "passed" if check.passed else "FAILED",
        )


def _figure(value: float | None) -> str:
    return _NONE if value is None else f"{value:.4f}"


def _verdict(done: SelfTest) -> str:
    failed = [check for check in done.checks if not check.passed]
    if failed:
        where = " and ".join(dict.fromkeys(check.device for check in failed))
        count = f"{len(failed)} of {len(done.checks)} checks, on {where}"
        return f"{styled('failed', Style.NO)}: {count}"
    cpu, *others = done.answers
    text = f"the CPU computes what is known of {cpu.model}"
    if not done.known_embeddings:
        text = (
            f"the CPU computes with {cpu.model} the same each time; nothing more is known of this "
            "model"
        )
    if others:
        text = f"{done.device} computes what the CPU computes, and {text}"
    return f"{styled('passed', Style.YES)}: {text}"
