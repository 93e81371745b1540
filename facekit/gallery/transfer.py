"""Writes a gallery to one JSON Lines file and reads it back, to move it to another database.

The first line describes the file, and each further line is one template.  `vector_f32` of a
template and `mean_f32` of the first line are (D,) little-endian float32 in base64.  The vectors in
the file are not encrypted: anybody who has the file can recognize the people in it.
"""

from __future__ import annotations

import base64
import io
import json
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from facekit.errors import InputError, StorageError
from facekit.gallery.gallery import Gallery
from facekit.gallery.records import Template, require_mean
from facekit.reporter import SILENT, Reporter
from facekit.system.fields import Fields
from facekit.system.inputs import InputKind, open_input, parse_json
from facekit.template.match import recentered
from facekit.template.space import TemplateSpace, parse_space
from facekit.types import Float32Array

FORMAT = "facekit-gallery"
_SCHEMA_VERSION = 2
_EXPORT = InputKind("an export of a gallery", InputError, max_bytes=1 << 40)
_LONGEST_LINE = 1_000_000
"""characters; a template of 512 numbers has 3,000"""
CONTAINS = (
    "biometric templates, not encrypted: names, face vectors that recognize their owners, and "
    "names, sha256, face boxes and times of their photos; no pixels"
)


def export_gallery(gallery: Gallery, path: Path, *, reporter: Reporter = SILENT) -> int:
    """Writes all templates of the gallery to `path`; returns the number of templates.

    The file has mode 0600 and is written under a temporary name, then renamed.  Raises StorageError
    if the gallery cannot be read, if the file cannot be written, or if the gallery is changed
    during the export.
    """
    info, mean = gallery.info(), gallery.mean()
    header = {
        "format": FORMAT,
        "schema_version": _SCHEMA_VERSION,
        "contains": CONTAINS,
        "people_count": info.people_count,
        "template_count": info.template_count,
        "space": info.space and info.space.to_dict(),
        "mean_f32": None if mean is None else _vector_text(mean),
    }
    count = 0
    temporary = ""
    try:
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(json.dumps(header) + "\n")
            templates = gallery.templates()
            for name, template in reporter.steps(
                templates, length=info.template_count, label="exporting"
            ):
                file.write(json.dumps(_line(name, template)) + "\n")
                count += 1
            if (count, gallery.info().space) != (
                info.template_count,
                info.space,
            ):  # an import rejects a file whose number of lines is not template_count
                raise StorageError(
                    f"The gallery has been changed meanwhile: {count} templates in place of "
                    f"{info.template_count}. Repeat the export."
                )
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        raise StorageError(f"Cannot write {path}: {error.strerror or error}") from error
    finally:
        with suppress(FileNotFoundError):
            os.unlink(temporary)
    return count


def import_gallery(gallery: Gallery, path: Path, *, reporter: Reporter = SILENT) -> tuple[int, int]:
    """Enrolls the people of an exported file; returns (templates added, templates in the file).

    Each run of consecutive lines with one person's name is one transaction.  Templates that the
    gallery already has are skipped, so that an import can be repeated.  If the file's templates
    were centered by another mean than the gallery's, they are recentered by the gallery's mean.
    Raises InputError if the file cannot be read, is not an export or is damaged, UsageError if a
    name in the file is not valid, ModelMismatchError if the template spaces of file and gallery
    differ in more than the mean or if the templates cannot be recentered, and StorageError if the
    gallery cannot be read or written.
    """
    try:
        with open_input(path, _EXPORT) as opened, io.TextIOWrapper(opened, "utf-8") as file:
            space, mean, promised = _header(parse_json(_line_of(file)))
            own, own_mean = gallery.info().space, gallery.mean()
            is_moved = own is not None and space is not None and space.differs_by_mean_alone(own)
            added = total = 0
            lines = reporter.steps(_templates(file), length=promised, label="importing")
            for name, group in groupby(lines, key=lambda pair: pair[0]):
                templates = [template for _, template in group]
                total += len(templates)
                if space is None:
                    raise ValueError("templates without a space")
                if is_moved and own is not None:
                    moved = _moved(templates, mean, own_mean)
                    added += gallery.add(name, moved, own, mean=own_mean)
                else:
                    added += gallery.add(name, templates, space, mean=mean)
            if total != promised:
                raise ValueError(f"{total} of its {promised} templates are there")
            return added, total
    except InputError as error:
        raise InputError(f"{error} The people before that place have been imported.") from error


def _header(fields: dict[str, Any]) -> tuple[TemplateSpace | None, Float32Array | None, int]:
    """Returns the template space, the mean embedding and the number of templates.

    Raises ValueError if the mean is not the one that the space names.
    """
    if fields["format"] != FORMAT or fields["schema_version"] != _SCHEMA_VERSION:
        raise ValueError(f"{FORMAT} of schema version {_SCHEMA_VERSION} needed")
    space = fields["space"] and parse_space(Fields(fields["space"], "space"))
    mean = None if fields["mean_f32"] is None else _vector(fields["mean_f32"])
    if space:
        require_mean(mean, space)
    return space, mean, int(fields["template_count"])


def _moved(
    templates: Sequence[Template], old_mean: Float32Array | None, new_mean: Float32Array | None
) -> list[Template]:
    vectors = recentered(np.stack([one.vector for one in templates]), old_mean, new_mean)
    return [replace(one, vector=row) for one, row in zip(templates, vectors, strict=True)]


def _vector_text(vector: Float32Array) -> str:
    return base64.b64encode(vector.astype("<f4").tobytes()).decode()


def _vector(text: str) -> Float32Array:
    return np.frombuffer(base64.b64decode(text, validate=True), "<f4").astype(np.float32)


def _line(name: str, template: Template) -> dict[str, Any]:
    return {
        "name": name,
        "photo": template.photo,
        "photo_sha256": template.photo_sha256 or None,
        "box_xyxy": template.box_xyxy,
        "score": template.score,
        "enrolled_at": template.enrolled_at,
        "vector_f32": _vector_text(template.vector),
    }


def _line_of(file: TextIO) -> str:
    """Returns the next line.  Raises ValueError for one that no export has."""
    line = file.readline(_LONGEST_LINE)
    if len(line) == _LONGEST_LINE:
        raise ValueError(f"a line of more than {_LONGEST_LINE} characters")
    return line


def _templates(file: TextIO) -> Iterator[tuple[str, Template]]:
    while line := _line_of(file):
        fields = Fields(parse_json(line), "template")
        box = fields.optional_numbers("box_xyxy")
        if box is not None and len(box) != 4:
            raise ValueError("box_xyxy must be four numbers")
        yield (
            fields.text("name"),
            Template(
                photo=fields.text("photo"),
                photo_sha256=fields.text_or_null("photo_sha256"),
                box_xyxy=None if box is None else (box[0], box[1], box[2], box[3]),
                score=fields.optional_number("score"),
                enrolled_at=fields.text("enrolled_at"),
                vector=_vector(fields.text("vector_f32")),
            ),
        )
