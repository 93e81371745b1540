"""Known people as text: faces with their candidates, groups, tracks, galleries, templates."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import click

from facekit.cli.render.output import note, note_error
from facekit.cli.render.table import (
    Column,
    StreamedTable,
    labeled,
    number,
    tab_separated,
    table,
    wrapped,
)

if TYPE_CHECKING:
    from facekit.gallery.identify import OpenSetThreshold
    from facekit.tasks.cluster import Clustering
    from facekit.tasks.gallery_results import (
        CheckedGallery,
        GalleryStats,
        ListedPeople,
        ShownPerson,
    )
    from facekit.tasks.identify import Identified, IdentifiedPhoto
    from facekit.tasks.quality import RatedPhoto
    from facekit.tasks.track import TrackedPerson
    from facekit.tasks.watch import WatchedPhoto
    from facekit.template.margin_rule import MarginRule


def identified_table() -> StreamedTable:
    """What `identified_rows` fills."""
    return StreamedTable(
        *(number("FACE"), Column("ANSWER", len("ambiguous"))),
        *(number("SIMILARITY"), number("DISTANCE"), number("MARGIN")),
        *(Column("CANDIDATE", 20), Column("PHOTO")),
    )


def identified_rows(photo: IdentifiedPhoto) -> Iterator[tuple[str, ...]]:
    """A row for each candidate of each face; a face's answer stands in its first row."""
    from facekit.template.metrics import distance

    for index, face in enumerate(photo.faces):
        answer = face.answer
        said = answer.answer.value
        margin = "" if answer.margin is None else f"{answer.margin:.4f}"
        for candidate in answer.candidates:
            scores = (
                f"{candidate.similarity:.4f}",
                f"{distance(candidate.similarity, face.metric):.4f}",
            )
            yield (str(index), said, *scores, margin, candidate.name, photo.name)
            said = margin = ""
        if not answer.candidates:  # nobody is enrolled
            yield (str(index), said, "", "", "", "", photo.name)


def rated_table() -> StreamedTable:
    """What `rated_rows` fills."""
    return StreamedTable(number("FACE"), number("QUALITY"), Column("LOWEST", 34), Column("PHOTO"))


def rated_rows(photo: RatedPhoto) -> Iterator[tuple[str, ...]]:
    """A row for each face: its score, and its two lowest components."""
    for index, quality in enumerate(photo.qualities):
        lowest = ", ".join(f"{name.replace('_', ' ')} {value:.0f}" for name, value in quality.worst)
        yield str(index), f"{quality.unified_score:.0f}", lowest, photo.located.picture.name


def threshold_text(identified: Identified) -> str:
    """Who counts as known, and how often somebody unknown is expected to."""
    from facekit.template.wording import percent_at_most
    from facekit.template.wording import threshold_text as in_words

    threshold = identified.threshold
    text = f"known: {in_words(threshold.similarity, identified.metric)}; "
    if threshold.predicted_fpir is None:
        text += "its error rate was not measured"
    else:
        text += (
            f"at most {percent_at_most(threshold.predicted_fpir)} of unknown faces are expected to "
            "be taken for somebody"
        )
    lines = wrapped(f"{text} ({threshold.source})", others="  ")
    return "\n".join([*lines, *wrapped(_margin_text(threshold), others="  ")])


def _margin_text(threshold: OpenSetThreshold) -> str:
    """Whom a face must stand out from, and what this costs."""
    if not threshold.min_margin:
        return "ambiguous: nobody, as there is no least margin"
    text = f"ambiguous: margin below {threshold.min_margin:.4f}"
    rule = threshold.margin_rule
    if rule is None:
        return text + " (given)"
    return f"{text}; {margin_cost(rule)} (model card)"


def margin_cost(rule: MarginRule) -> str:
    """How many right and wrong answers a least margin made ambiguous."""
    caught = (
        "" if rule.wrong_caught is None else f" and {100 * rule.wrong_caught:.0f} % of the wrong"
    )
    return (
        f"among {rule.people_count:,} people it made {100 * rule.right_lost:.1f} % of the right "
        f"answers{caught} ambiguous"
    )


def note_least_similarity(whose: str, result: Clustering | TrackedPerson) -> None:
    """From which similarity on it is one person, on stderr; nothing where there is no threshold."""
    from facekit.template.wording import threshold_text as in_words

    if result.threshold is not None:
        text = in_words(result.threshold.similarity, result.metric)
        note("\n  ".join(wrapped(f"{whose} {text} ({result.threshold.source})")))


def print_groups(clustering: Clustering, *, as_csv: bool) -> None:
    """Group by group; as CSV with the box too."""
    faces = sorted(clustering.faces, key=lambda face: face.group)
    if not as_csv:
        columns = (number("GROUP"), number("FACE"), Column("PHOTO"))
        rows = ((str(face.group), str(face.face), face.photo) for face in faces)
        click.echo("\n".join(table(columns, rows)))
        return
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(["group", "photo", "face", "x1", "y1", "x2", "y2"])
    for face in faces:
        writer.writerow([face.group, face.photo, face.face, *(face.box_xyxy or [""] * 4)])


def track_table(*, named: bool) -> StreamedTable:
    """What `track_row` fills."""
    whom = (number("SIMILARITY"), Column("NAME")) if named else ()
    return StreamedTable(
        *(number("TRACK"), number("FROM_S", 8), number("TO_S", 8), number("FRAMES")), *whom
    )


def track_row(person: TrackedPerson) -> tuple[str, ...]:
    """Track, times, frames, and with a gallery similarity and name."""
    track = person.track
    row = (str(track.number), f"{track.start_s:.2f}", f"{track.end_s:.2f}", str(track.frame_count))
    if not person.named:
        return row
    similarity = track.identity.similarity
    score = "" if similarity is None else f"{similarity:.4f}"
    return (*row, score, track.identity.name or "unknown")


def watched_line(photo: WatchedPhoto) -> str:
    """The answer, with the names of who is known or the error's exit code; the file's name."""
    answer = photo.answer.value
    if photo.error is not None:
        answer += f" {photo.error.exit_code}"
    elif photo and photo.names:
        answer += f" {', '.join(photo.names)}"
    return tab_separated(answer, photo.path.name)


def print_stats(stats: GalleryStats) -> None:
    info, space = stats.info, stats.info.space
    encrypted = ", encrypted" if info.encrypted else ""
    _print_lines(
        labeled(
            [
                ("gallery", f"{info.url} ({info.size_bytes / 1e6:.1f} MB)"),
                ("people", str(info.people_count)),
                ("templates", f"{info.template_count} ({info.vector_type.value}{encrypted})"),
                ("model", f"{space.model}, {space.crop_text}" if space else "none yet"),
            ]
        )
    )


def print_people(listed: ListedPeople) -> None:
    columns = (number("TEMPLATES"), Column("ENROLLED"), Column("NAME"))
    rows = (
        (str(person.template_count), person.enrolled_at, person.name) for person in listed.people
    )
    _print_lines(table(columns, rows))


def print_person(shown: ShownPerson) -> None:
    """Who it is, a row for each template, and one for each who was merged."""
    assert shown.person is not None  # nobody is not shown
    assert shown.space is not None
    click.echo(
        f"{shown.name}: {shown.person.template_count} templates of {shown.space.model}, "
        f"{shown.space.crop_text}"
    )
    columns = [number("SCORE"), Column("ENROLLED"), Column("SHA256"), Column("PHOTO")]
    rows = [
        (
            "" if template.score is None else f"{template.score:.4f}",
            template.enrolled_at,
            template.photo_sha256[:12],
            *((shown.origin(template) or "",) if shown.merges else ()),
            template.photo,
        )
        for template in shown.templates
    ]
    if shown.merges:
        columns.insert(-1, Column("MERGED FROM"))
    _print_lines(table(columns, rows))
    if shown.merges:
        columns = [number("TEMPLATES"), number("IN BOTH"), Column("MERGED"), Column("NAME")]
        merges = [
            (str(len(merge.moved)), str(len(merge.shared)), merge.merged_at, merge.name)
            for merge in shown.merges
        ]
        _print_lines(["", *table(columns, merges)])


def print_check(checked: CheckedGallery) -> None:
    """A line a fault, the index's recall, and the sum."""
    _print_lines(checked.faults)
    if checked.recall_at_1 is not None:
        click.echo(f"the index finds {checked.recall_at_1:.1%} of the nearest templates")
    for pair in checked.lookalikes or ():
        click.echo(f"one person? {pair.similarity:.4f}  {pair.name}, {pair.other}")
    state = "faulty" if checked.faults else "sound"
    click.echo(
        f"{checked.info.people_count} people, {checked.info.template_count} templates: {state}"
    )


def note_nobody(*names: str) -> None:
    """That these people, who were asked for, are not enrolled."""
    for name in names:
        note_error(f"nobody called {name} is enrolled")


def _print_lines(lines: Iterable[str]) -> None:
    for line in lines:
        click.echo(line)
