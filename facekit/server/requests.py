"""Turns what a client asks, in a line or in the body of an HTTP request, into a Request.

    {"verify": ["a.jpg", "b.jpg"], "fmr": 1e-4, "id": 7}
    {"identify": ["door.jpg"], "face": "all"}
    {"enroll": ["ada1.jpg", "ada2.jpg"], "name": "Ada Lovelace"}

A photo in a line is a path, a data: URL, or {"base64": "..."}.  `id` may be any JSON value and is
returned.  An object is nested at most 100 levels deep.
"""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, TypeVar

from facekit.enums import FacePolicy, Metric, PersonRule, QualityGate
from facekit.errors import UsageError
from facekit.photo.reading import EncodedSource, NamedBytes
from facekit.server.verbs import LINE_VERBS, MEMBERS, NAMES, PHOTO_COUNTS, Verb
from facekit.system.inputs import InputKind, parse_json, reading
from facekit.system.suggest import did_you_mean
from facekit.template.threshold import ThresholdChoice

Choice = TypeVar("Choice", bound=Enum)

_MAX_DEPTH = 100


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked; None means what the service was started with."""

    verb: Verb
    pictures: tuple[EncodedSource, ...] = ()
    face: FacePolicy | None = None
    threshold: ThresholdChoice | None = None
    """Set only if the request says where the threshold is."""
    metric: Metric | None = None
    fpir: float | None = None
    min_margin: float | None = None
    min_quality: float | None = None
    """Least unified quality score, 0..100."""
    gate: QualityGate = QualityGate.STANDARD
    """Which photos may be enrolled."""
    by: PersonRule = PersonRule.BEST
    top: int = 5
    """Number of candidates for each face."""
    most_faces: int | None = None
    """Number of faces of a photo, the largest first."""
    model: str | None = None
    """Name of the model, where the client relies on it; `detector` likewise."""
    detector: str | None = None
    name: str = ""
    """Name of the person that the request is about; when renaming, the old one."""
    other: str = ""
    """Name of the person who is merged, or the new name."""


def parse_object(content: bytes, *, kind: InputKind, name: str) -> dict[str, Any]:
    """Parses one JSON object; `name` begins the messages.  Raises UsageError."""
    if len(content) > kind.max_bytes:
        raise UsageError(f"{name} has at most {kind.max_bytes:,} bytes. Received: more")
    with reading(kind, name):
        found = parse_json(content)
    if not isinstance(found, dict):
        raise UsageError(f"{name} must be one JSON object. Received: {type(found).__name__}")
    if _is_deeper(found, _MAX_DEPTH):  # it could be parsed, but perhaps not be written as an answer
        raise UsageError(f"A request is nested at most {_MAX_DEPTH} levels deep. Received: more")
    return found


def parse_line(found: Mapping[str, Any]) -> Request:
    """Checks the request of a line.  Raises UsageError if it is not valid."""
    verbs = [verb for verb in LINE_VERBS if verb.value in found]
    if len(verbs) != 1:
        names = ", ".join(verb.value for verb in LINE_VERBS)
        raise UsageError(
            f"A request has one of the members {names}. "
            f"Received: {shortened(', '.join(found)) or 'no member'}"
        )
    (verb,) = verbs
    value = found[verb.value]
    values = () if verb is Verb.PING else value if isinstance(value, list) else (value,)
    members = {name: one for name, one in found.items() if name not in (verb.value, "id")}
    return parse_members(verb, _pictures(values), members)


def parse_members(
    verb: Verb, pictures: tuple[EncodedSource, ...], members: Mapping[str, Any]
) -> Request:
    """Checks the photos and the other members of a request, without its `id`.

    Raises UsageError if there are too many photos or too few, for a member that the verb does not
    have, and for a value that is not valid.
    """
    least, most = PHOTO_COUNTS.get(verb, (0, 0))
    if not least <= len(pictures) <= most:
        needed = str(most) if least == most else f"{least} to {most}"
        raise UsageError(f"{verb.value} needs {needed} photo(s). Received: {len(pictures)}")
    for name in members:
        if name not in MEMBERS[verb]:
            own = ", ".join((*MEMBERS[verb], "id"))
            raise UsageError(
                f"{verb.value} has no member {shortened(name)!r}."
                f"{did_you_mean(shortened(name), MEMBERS[verb])} It may have: {own}"
            )
    for name in NAMES:
        if name in MEMBERS[verb] and not isinstance(members.get(name), str):
            raise UsageError(f"{verb.value} needs a person's name, as a string, as {name}.")
    return Request(
        verb,
        pictures,
        face=_choice(FacePolicy, members, "face"),
        threshold=_threshold(members),
        metric=_choice(Metric, members, "metric"),
        fpir=_number(members, "fpir"),
        min_margin=_number(members, "min_margin"),
        min_quality=_score(members, "min_quality"),
        gate=_choice(QualityGate, members, "quality") or QualityGate.STANDARD,
        by=_choice(PersonRule, members, "by") or PersonRule.BEST,
        top=_count(members, "top") or 5,
        most_faces=_count(members, "max_faces"),
        model=_word(members, "model"),
        detector=_word(members, "detector"),
        name=members.get("name", members.get("old", "")),
        other=members.get("other", members.get("new", "")),
    )


def _threshold(members: Mapping[str, Any]) -> ThresholdChoice | None:
    """Returns what the request says of its threshold; None if it says nothing."""
    fmr = members.get("fmr")
    choice = ThresholdChoice(
        threshold=_number(members, "threshold"),
        metric=_choice(Metric, members, "metric") or Metric.COSINE,
        min_similarity=_number(members, "min_similarity"),
        fmr=fmr if isinstance(fmr, str) else _number(members, "fmr"),
    )
    return choice if choice.is_given else None


def _choice(kind: type[Choice], members: Mapping[str, Any], name: str) -> Choice | None:
    value = members.get(name)
    if value is None:
        return None
    words = [str(member.value) for member in kind]
    if not isinstance(value, str) or value not in words:
        raise UsageError(f"{name} is one of {', '.join(words)}. Received: {_shown(value)}")
    return kind(value)


def _number(members: Mapping[str, Any], name: str) -> float | None:
    value = members.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise UsageError(f"{name} is a number. Received: {_shown(value)}")
    try:
        return float(value)
    except OverflowError:
        raise UsageError(f"{name} is a number within 1e308. Received: {_shown(value)}") from None


def _score(members: Mapping[str, Any], name: str) -> float | None:
    value = _number(members, name)
    if value is not None and not 0 <= value <= 100:
        raise UsageError(f"{name} is a number of 0 to 100. Received: {_shown(members[name])}")
    return value


def _word(members: Mapping[str, Any], name: str) -> str | None:
    value = members.get(name)
    if value is not None and not isinstance(value, str):
        raise UsageError(f"{name} is a string. Received: {_shown(value)}")
    return value


def _count(members: Mapping[str, Any], name: str) -> int | None:
    value = members.get(name)
    if value is None:
        return None
    if type(value) is not int or not 1 <= value <= 1000:
        raise UsageError(f"{name} is a whole number of 1 to 1000. Received: {_shown(value)}")
    return value


def _pictures(values: list[Any] | tuple[Any, ...]) -> tuple[EncodedSource, ...]:
    """Returns the photos of a line, each named by its place unless it is a path."""
    return tuple(
        picture(value, f"photos[{index}]", text=_path_or_data_url)
        for index, value in enumerate(values)
    )


def picture(value: Any, name: str, *, text: Callable[[str, str], EncodedSource]) -> EncodedSource:
    """Returns the photo that a member of a request stands for.

    `name`: its name if it has no other.  `text`: returns the photo of a string and this name.
    Raises UsageError for what is no photo.
    """
    if isinstance(value, NamedBytes):  # of an upload
        return value
    if isinstance(value, str):
        return text(value, name)
    if isinstance(value, dict) and value.keys() == {"base64"} and isinstance(value["base64"], str):
        return NamedBytes(from_base64(value["base64"], name), name)
    raise UsageError(f'{name} is a string or {{"base64": "..."}}. Received: {_shown(value)}')


def _path_or_data_url(text: str, name: str) -> EncodedSource:
    if is_data_url(text):
        return from_data_url(text, name)
    if text == "-":
        raise UsageError('"-" cannot be a photo here, since stdin holds the requests.')
    try:
        possible = text and b"\0" not in os.fsencode(text)
    except UnicodeEncodeError:  # half of a surrogate pair
        possible = False
    if not possible:
        raise UsageError(f"A photo's path needed. Received: {_shown(text)}")
    return text


def is_data_url(text: str) -> bool:
    return text[:5].lower() == "data:"


def from_data_url(text: str, name: str) -> NamedBytes:
    """Returns the bytes of a data: URL, as RFC 2397 has it.  Raises UsageError if not in base64."""
    kind, comma, data = text.partition(",")
    if not comma or not kind.lower().endswith(";base64"):
        raise UsageError(
            f"{name}: a data: URL needs ;base64, before its data. Received: {_shown(text)}"
        )
    return NamedBytes(from_base64(data, name), name)


def from_base64(text: str, name: str) -> bytes:
    """Returns what base64 stands for; line breaks in it are passed over.  Raises UsageError."""
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except ValueError as error:
        raise UsageError(f"{name} is not base64: {error}") from error


def _is_deeper(value: dict[str, Any], levels: int) -> bool:
    """Returns whether lists and objects contain each other more than `levels` deep."""
    layer: list[Any] = [value]
    for _ in range(levels):
        layer = [
            inner
            for one in layer
            for inner in (one.values() if isinstance(one, dict) else one)
            if isinstance(inner, (dict, list))
        ]
        if not layer:
            return False
    return True


def _shown(value: Any) -> str:
    return shortened(json.dumps(value))


def shortened(text: str) -> str:
    return text if len(text) <= 80 else f"{text[:80]}..."
