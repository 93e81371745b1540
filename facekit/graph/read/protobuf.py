"""Files that are protobuf messages, of whose definitions only the fields in use are named.

protobuf skips the others.  Packed numbers may be declared as bytes, which are the same on the
wire, so that a hundred million of them never become Python objects.
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

from facekit.errors import ModelBuildError
from facekit.graph.weights import MAX_BYTES

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
    """Definitions, and the one that a file holds."""

    root: str
    fields: Mapping[str, Mapping[str, tuple[int, str, bool]]]
    """number, kind or message, and whether it repeats, by message and field"""


def parsed(path: Path, messages: Messages, *, title: str) -> Any:
    """The file's message.

    Raises ModelBuildError, "is not a TITLE", for one that is truncated or of another kind, that is
    huge, or that cannot be read.
    """
    found = _message_class(messages)()
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise ValueError(f"{size} bytes; {MAX_BYTES} are allowed")
        found.ParseFromString(path.read_bytes())
    except (OSError, ValueError, message.DecodeError) as error:
        raise ModelBuildError(f"{path} is not a {title}: {error}") from error
    return found


def parsed_bytes(content: bytes, messages: Messages) -> Any:
    """The message.  Raises ValueError for one that is truncated or of another kind."""
    found = _message_class(messages)()
    try:
        found.ParseFromString(content)
    except message.DecodeError as error:
        raise ValueError(str(error)) from error
    return found


@cache
def _message_class(messages: Messages) -> Any:
    """In a pool of its own, so that it meets no other package's definitions."""
    package = f"facekit_{messages.root}"
    file = descriptor_pb2.FileDescriptorProto(name=f"{package}.proto", package=package)
    for name, fields in messages.fields.items():
        described = file.message_type.add(name=name)
        for field, (number, kind, repeats) in fields.items():
            described.field.add(
                name=field,
                number=number,
                type=_KINDS.get(kind, _Kind.TYPE_MESSAGE),
                type_name=None if kind in _KINDS else f".{package}.{kind}",
                label=_Kind.LABEL_REPEATED if repeats else _Kind.LABEL_OPTIONAL,
            )
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{package}.{messages.root}"))
