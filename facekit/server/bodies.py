"""Reads the bodies of HTTP requests: JSON and forms, in facekit's words or in deepface's.

    {"img1": "data:image/jpeg;base64,...", "img2": "/9j/4AAQ...", "fmr": 1e-4}
    {"photos": ["...", "..."], "name": "Ada Lovelace"}

A photo is base64, with or without "data:image/...;base64," before it, {"base64": "..."}, an
uploaded file, or, where a folder is allowed, a path below it.  Nothing is written to disk.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from facekit.errors import UsageError
from facekit.photo.reading import EncodedSource, NamedBytes, printable
from facekit.server.replies import Body
from facekit.server.requests import (
    Request,
    from_base64,
    from_data_url,
    is_data_url,
    parse_members,
    parse_object,
    picture,
    shortened,
)
from facekit.server.verbs import PHOTO_MEMBERS, Verb
from facekit.system.inputs import InputKind, parse_json, reading

_MULTIPART = InputKind("multipart/form-data", UsageError, max_bytes=0)
_MOST_PARTS = 200
_LONGEST_NAME = 1024  # characters of a file's name
_NUMBERS = (
    *("fmr", "threshold", "min_similarity", "fpir", "min_margin", "min_quality", "top"),
    *("max_faces", "expand_percentage"),
)
_METRICS = {"cosine": "cosine", "euclidean_l2": "l2", "angular": "angular"}
_AS_IT_IS: Mapping[str, tuple[object, ...]] = {
    "enforce_detection": (True, "true"),
    "align": (True, "true"),
    "anti_spoofing": (False, "false"),
    "expand_percentage": (0,),
    "normalization": ("base",),
}
"""Options of deepface that facekit lacks, with the values that change nothing."""


def members_of(body: Body) -> dict[str, Any]:
    """Returns the members of a body; a photo that was uploaded is NamedBytes.

    Raises UsageError for what is neither one JSON object nor multipart/form-data.
    """
    if body.content_type.partition(";")[0].strip().lower() == "multipart/form-data":
        return _form_members(body)
    kind = InputKind("one JSON object", UsageError, max_bytes=len(body.content))
    return parse_object(body.content, kind=kind, name="The body")


def request_of(verb: Verb, members: Mapping[str, Any], *, allowed: Path | None) -> Request:
    """Checks the members of a body.

    `allowed`: folder below which a photo's path may lie; None means that no path is allowed.
    Raises UsageError if the request is not valid.
    """
    names = PHOTO_MEMBERS.get(verb, ())
    if missing := [name for name in names if name not in members]:
        raise UsageError(f"{verb.value} needs {' and '.join(names)}. Missing: {missing[0]}")

    def text(value: str, name: str) -> EncodedSource:
        return _photo_of_text(value, name, allowed)

    pictures: list[EncodedSource] = []
    for name in names:
        value = members[name]
        if name != "photos":
            pictures.append(picture(value, name, text=text))
            continue
        listed = value if isinstance(value, list) else [value]
        pictures += [picture(one, f"photos[{n}]", text=text) for n, one in enumerate(listed)]
    others = {name: one for name, one in members.items() if name not in (*names, "id")}
    if verb in (Verb.VERIFY, Verb.REPRESENT):
        others = _without_deepface(others)
    return parse_members(verb, tuple(pictures), others)


def _without_deepface(members: dict[str, Any]) -> dict[str, Any]:
    """Returns facekit's members for those of deepface.

    Raises UsageError for an option that facekit does not have, unless its value changes nothing.
    """
    for name, values in _AS_IT_IS.items():
        value = members.pop(name, values[0])
        if value not in values or isinstance(value, bool) is not isinstance(values[0], bool):
            if isinstance(value, str) and value in values:
                continue
            raise UsageError(
                f"facekit has no {name}: it may be left out, or {values[0]!r}. "
                f"Received: {shortened(repr(value))}"
            )
    members.pop("silent", None)
    for theirs, own in (("model_name", "model"), ("detector_backend", "detector")):
        if theirs in members:
            members[own] = members.pop(theirs)
    if "distance_metric" in members:
        metric = members.pop("distance_metric")
        if not isinstance(metric, str) or metric not in _METRICS:
            raise UsageError(
                f"distance_metric is one of {', '.join(_METRICS)}: embeddings have unit length "
                f"here. Received: {shortened(repr(metric))}"
            )
        members["metric"] = _METRICS[metric]
    return members


def _photo_of_text(text: str, name: str, allowed: Path | None) -> EncodedSource:
    """Returns the photo of a string.

    No path is taken for base64, as long as a dot or another sign is in it that base64 lacks.
    """
    if is_data_url(text):
        return from_data_url(text, name)
    try:
        return NamedBytes(from_base64(text, name), name)
    except UsageError as error:
        if allowed is None:
            raise UsageError(
                f"{error}. Send the photo itself: URLs are not fetched, and paths are allowed by "
                "facekit serve --allow-paths alone."
            ) from error
    folder = os.path.realpath(allowed)
    try:
        path = os.path.realpath(os.path.join(folder, text))
        within = os.path.commonpath((folder, path)) == folder
    except (ValueError, OSError):  # a null character or half of a surrogate pair
        within = False
    if not within:
        raise UsageError(
            f"{name} is neither base64 nor a path below the folder of --allow-paths. "
            f"Received: {shortened(repr(text))}"
        )
    return path


def _form_members(body: Body) -> dict[str, Any]:
    """Returns the parts of a form: uploads as NamedBytes, numbers as numbers, the rest as text."""
    members: dict[str, Any] = {}
    for name, file_name, content in _parts(body):
        value: Any = NamedBytes(content, _shown_file_name(file_name) or name)
        if file_name is None:
            value = _form_value(name, content)
        if name == "photos":
            members.setdefault(name, []).append(value)
        elif name in members:
            raise UsageError(f"The form has {shortened(name)!r} twice.")
        else:
            members[name] = value
    return members


def _form_value(name: str, content: bytes) -> Any:
    with reading(_MULTIPART, "The form"):
        text = content.decode()
    if name in _NUMBERS:
        try:
            return parse_json(text)
        except ValueError:  # "best-accuracy", or what will be refused
            pass
    return text


def _shown_file_name(name: str | None) -> str:
    """Returns the name under which a photo is spoken of, on one line."""
    return printable((name or "")[:_LONGEST_NAME])


def _parts(body: Body) -> list[tuple[str, str | None, bytes]]:
    """Returns (name, name of the file or None, content) of each part of a form."""
    from python_multipart.multipart import MultipartParser, parse_options_header

    found: list[tuple[str, str | None, bytes]] = []
    headers: dict[bytes, bytes] = {}
    field, value, content = bytearray(), bytearray(), bytearray()

    def keep_header() -> None:
        headers[bytes(field).lower()] = bytes(value)
        field.clear()
        value.clear()

    def keep_part() -> None:
        _, options = parse_options_header(headers.get(b"content-disposition", b""))
        if b"name" not in options or len(found) == _MOST_PARTS:
            raise UsageError(f"Each part of a form needs a name, and has at most {_MOST_PARTS}.")
        file_name = options.get(b"filename")
        found.append(
            (
                options[b"name"].decode("utf-8", "surrogateescape"),
                None if file_name is None else _decoded(file_name),
                bytes(content),
            )
        )
        headers.clear()
        content.clear()

    with reading(_MULTIPART, "The body"):
        _, options = parse_options_header(body.content_type)
        if not options.get(b"boundary"):
            raise UsageError("multipart/form-data needs a boundary in the Content-Type.")
        parser = MultipartParser(
            options[b"boundary"],
            {
                "on_header_field": lambda data, start, end: field.extend(data[start:end]),
                "on_header_value": lambda data, start, end: value.extend(data[start:end]),
                "on_header_end": keep_header,
                "on_part_data": lambda data, start, end: content.extend(data[start:end]),
                "on_part_end": keep_part,
            },
        )
        parser.write(body.content)
        parser.finalize()
    return found


def _decoded(file_name: bytes) -> str:
    """Returns a file's name, in which browsers write quotes and line breaks as %22, %0D and %0A."""
    text = file_name.decode("utf-8", "surrogateescape")
    for escaped, sign in (("%22", '"'), ("%0D", "\r"), ("%0A", "\n")):
        text = text.replace(escaped, sign)
    return text
