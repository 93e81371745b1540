"""Parses files that are protobuf messages, with definitions of the needed fields only.

protobuf skips all other fields.  Packed arrays of numbers may be declared as bytes, which have the
same encoding, so that no Python object is created per number.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from google.protobuf import (  # type: ignore[import-untyped]  # it has no types
    descriptor_pb2,
    descriptor_pool,
    message,
    message_factory,
)

from facekit.system.inputs import InputKind, read_input, reading

_Kind = descriptor_pb2.FieldDescriptorProto
_KINDS = {
    "int32": _Kind.TYPE_INT32,
    "int64": _Kind.TYPE_INT64,
    "bool": _Kind.TYPE_BOOL,
    "fixed32": _Kind.TYPE_FIXED32,
    "float": _Kind.TYPE_FLOAT,
    "string": _Kind.TYPE_STRING,
    "bytes": _Kind.TYPE_BYTES,
}


@dataclass(frozen=True, eq=False)  # eq=False: known by its identity
class Messages:
    """The definitions of messages, and the name of the message of which a file consists."""

    root: str
    fields: Mapping[str, Mapping[str, tuple[int, str, bool]]]
    """By message and field: (number, scalar type or message, whether the field is repeated)."""


def parse(path: Path, messages: Messages, kind: InputKind) -> Any:
    """Returns the message of a file.

    Raises the error of the kind if the file is truncated, has another format, is too large, or
    cannot be read.
    """
    with reading(kind, path):
        return parse_bytes(read_input(path, kind), messages)


def parse_bytes(content: bytes, messages: Messages) -> Any:
    """Returns the message.  Raises ValueError if the content is truncated or of another format."""
    result = message_class(messages)()
    try:
        result.ParseFromString(content)
    except message.DecodeError as error:
        raise ValueError(str(error)) from error
    return result


@cache
def message_class(messages: Messages) -> Any:
    """Creates the class of a message in a separate pool, so that its name cannot collide with
    others."""
    package = f"facekit_{messages.root}"
    file = descriptor_pb2.FileDescriptorProto(name=f"{package}.proto", package=package)
    for name, fields in messages.fields.items():
        message_type = file.message_type.add(name=name)
        for field, (number, kind, is_repeated) in fields.items():
            message_type.field.add(
                name=field,
                number=number,
                type=_KINDS.get(kind, _Kind.TYPE_MESSAGE),
                type_name=None if kind in _KINDS else f".{package}.{kind}",
                label=_Kind.LABEL_REPEATED if is_repeated else _Kind.LABEL_OPTIONAL,
            )
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{package}.{messages.root}"))
