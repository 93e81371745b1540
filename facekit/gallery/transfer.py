"""A gallery as one JSON Lines file, to move it to another place or engine.

The first line says what the file holds, each other line is one template.  The vectors are not
encrypted in it: whoever has the file can recognise the people in it.
"""

from __future__ import annotations

import base64
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from facekit.errors import InputError, StorageError
from facekit.gallery.gallery import Gallery, Progress, unseen
from facekit.gallery.records import GalleryModel, Template

FORMAT = "facekit-gallery"
_SCHEMA_VERSION = 1
CONTAINS = (
    "biometric templates, not encrypted: names, face vectors that recognise their owners, and "
    "names, sha256, face boxes and times of their photos; no pixels"
)


def export_gallery(gallery: Gallery, path: Path, *, progress: Progress = unseen) -> int:
    """Writes mode 0600, by temporary name and rename; returns the number of templates.

    Raises StorageError.
    """
    info = gallery.info()
    header = {
        "format": FORMAT,
        "schema_version": _SCHEMA_VERSION,
        "contains": CONTAINS,
        "people": info.people,
        "templates": info.templates,
        "model": info.model and {field: getattr(info.model, field) for field in _MODEL_FIELDS},
    }
    count = 0
    temporary = ""
    try:
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(json.dumps(header) + "\n")
            for name, template in progress(gallery.templates(), info.templates):
                file.write(json.dumps(_line(name, template)) + "\n")
                count += 1
            if count != info.templates:  # an import would take it for a truncated file
                raise StorageError(
                    f"The gallery has been changed meanwhile: {count} templates in place of "
                    f"{info.templates}. Repeat the export."
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


def import_gallery(gallery: Gallery, path: Path, *, progress: Progress = unseen) -> tuple[int, int]:
    """(templates added, templates in the file); each person is one transaction.

    What the gallery has already is passed over, so that an import can be repeated.  Raises
    InputError for a file that is no export or is damaged, ModelMismatchError, StorageError.
    """
    try:
        with path.open(encoding="utf-8") as file:
            header = json.loads(file.readline())
            model, promised = _model(header), int(header["templates"])
            added = total = 0
            lines = progress(_templates(file), promised)
            for name, group in groupby(lines, key=lambda pair: pair[0]):
                templates = [template for _, template in group]
                total += len(templates)
                if model is None:
                    raise ValueError("templates without a model")
                added += gallery.add(name, templates, model)
            if total != promised:
                raise ValueError(f"{total} of its {promised} templates are there")
            return added, total
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{path} is not an export of a gallery, or it is damaged: {error}. The people before "
            "that place have been imported."
        ) from error


_MODEL_FIELDS = ("name", "sha256", "crop", "mean_sha256", "dimension")


def _model(header: dict[str, Any]) -> GalleryModel | None:
    if header["format"] != FORMAT or header["schema_version"] != _SCHEMA_VERSION:
        raise ValueError(f"{FORMAT} of schema version {_SCHEMA_VERSION} needed")
    fields = header["model"]
    return fields and GalleryModel(**{field: fields[field] for field in _MODEL_FIELDS})


def _line(name: str, template: Template) -> dict[str, Any]:
    return {
        "name": name,
        "photo": template.photo,
        "photo_sha256": template.photo_sha256,
        "box_xyxy": template.box_xyxy,
        "score": template.score,
        "enrolled_at": template.enrolled_at,
        "vector_f32": base64.b64encode(template.vector.astype("<f4").tobytes()).decode(),
    }


def _templates(lines: Iterator[str]) -> Iterator[tuple[str, Template]]:
    for line in lines:
        fields = json.loads(line)
        box = fields["box_xyxy"]
        x1, y1, x2, y2 = box or (0.0,) * 4
        yield (
            str(fields["name"]),
            Template(
                photo=str(fields["photo"]),
                photo_sha256=str(fields["photo_sha256"]),
                box_xyxy=None if box is None else (x1, y1, x2, y2),
                score=fields["score"],
                enrolled_at=str(fields["enrolled_at"]),
                vector=np.frombuffer(
                    base64.b64decode(fields["vector_f32"], validate=True), "<f4"
                ).astype(np.float32),
            ),
        )
