"""Known people as lines: faces with their candidates, groups, tracks, a gallery and its templates.

All take what `to_dict()` gives.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Mapping
from typing import Any

import click

from facekit.cli.render.output import note


def print_photo(photo: Mapping[str, Any]) -> None:
    """A line a face, and one a candidate."""
    for face in photo["faces"]:
        margin = "" if face["margin"] is None else f"\tmargin {face['margin']:.4f}"
        click.echo(f"{photo['photo']}\t{face['name'] or 'unknown'}{margin}")
        for candidate in face["candidates"]:
            click.echo(f"  {candidate['distance']:.4f}\t{candidate['name']}")


def threshold_text(identified: Mapping[str, Any]) -> str:
    """Where "unknown" begins, and what it is expected to do."""
    text = f"distance {identified['threshold']:.4f} ({identified['threshold_source']})"
    fpir = identified["predicted_fpir_at_most"]
    if fpir is None:
        return f"{text}; no error rate was measured there"
    return (
        f"{text}; predicted: at most {fpir:.2g} of unknown faces are found among "
        f"{identified['comparison_count']} templates"
    )


def print_groups(clustering: Mapping[str, Any], *, as_csv: bool) -> None:
    """Group by group; as CSV with the face's number and box."""
    faces = sorted(clustering["faces"], key=lambda face: int(face["group"]))
    if not as_csv:
        for face in faces:
            click.echo(f"{face['group']}\t{face['photo']}")
        return
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(["group", "photo", "face", "x1", "y1", "x2", "y2"])
    for face in faces:
        box = face["box_xyxy"] or [""] * 4
        writer.writerow([face["group"], face["photo"], face["face"], *box])


def track_line(person: Mapping[str, Any], *, named: bool) -> str:
    """Track, times, frames, and with a gallery name and similarity."""
    text = (
        f"#{person['track']}\t{person['start_s']:.2f}-{person['end_s']:.2f} s\t"
        f"{person['frame_count']} frames"
    )
    if not named:
        return text
    name, similarity = person["name"] or "unknown", person["similarity"]
    return f"{text}\t{name}" + ("" if similarity is None else f"\tsimilarity {similarity:.4f}")


def print_stats(stats: Mapping[str, Any]) -> None:
    encrypted = ", encrypted" if stats["encrypted"] else ""
    model = f"{stats['model']}, {stats['crop']}" if stats["model"] else "none yet"
    click.echo(f"gallery:   {stats['gallery']} ({stats['size_bytes'] / 1e6:.1f} MB)")
    click.echo(f"people:    {stats['people_count']}")
    click.echo(f"templates: {stats['template_count']} ({stats['vector_type']}{encrypted})")
    click.echo(f"model:     {model}")


def print_person(person: Mapping[str, Any]) -> None:
    """Who it is, a line a template, and a line for each who was merged."""
    click.echo(
        f"{person['name']}: {person['template_count']} templates of {person['model']}, "
        f"{person['crop']}"
    )
    for record in person["templates"]:
        score = "" if record["score"] is None else f"\tscore {record['score']:.4f}"
        origin, sha256 = record["merged_from"], record["photo_sha256"] or ""
        click.echo(
            f"{record['photo']}\t{sha256[:12]}\t{record['enrolled_at']}{score}"
            + ("" if origin is None else f"\tmerged from {origin}")
        )
    for merge in person["merged"]:
        click.echo(
            f"merged: {merge['name']}\t{merge['merged_at']}\t{merge['template_count']} templates, "
            f"{merge['shared_photo_count']} photos that both had"
        )


def print_check(checked: Mapping[str, Any]) -> None:
    """A line a fault, the index's recall, and the sum."""
    for fault in checked["faults"]:
        click.echo(fault)
    if checked["recall_at_1"] is not None:
        click.echo(f"the index finds {checked['recall_at_1']:.1%} of the nearest templates")
    click.echo(
        f"{checked['people_count']} people, {checked['template_count']} templates: "
        f"{'sound' if checked['sound'] else 'faulty'}"
    )


def note_nobody(*names: str) -> None:
    """That these people, who were asked for, are not enrolled."""
    for name in names:
        note(f"nobody called {name} is enrolled")
