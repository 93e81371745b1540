"""The JSON Schemas in docs/schemas: one for each command, valid, closed, described."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from enum import Enum
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from docs.commands import every_command
from facekit import enums
from facekit.bench.records import DelegateUse
from facekit.conversion.vela.report import Bottleneck
from facekit.evaluation.protocols.plan import ThresholdOrigin
from facekit.model.card import Task
from facekit.model.registry import DETECTOR, DownloadKind, WeightsFormat
from tests.schemas import registry, require_schema, schemas

NO_COMMAND = {"common", "models source", "models input", "models file"}
"""what only other schemas refer to"""
ELSEWHERE = (Bottleneck, DelegateUse, DownloadKind, Task, ThresholdOrigin, WeightsFormat)
WORDS: list[set[object]] = [
    {DETECTOR, "skip"},
    *(
        {member.value for member in kind}
        for kind in (*vars(enums).values(), *ELSEWHERE)
        if inspect.isclass(kind) and issubclass(kind, Enum) and kind is not Enum
    ),
]


def with_json() -> list[str]:
    return [
        " ".join(words)
        for words, command in every_command().items()
        if any("--json" in parameter.opts for parameter in command.params)
    ] + ["serve-stdin"]


def described() -> set[str]:
    """What the files in docs/schemas describe, each by the words of a command."""
    groups = {words[0] for words in every_command() if len(words) > 1}
    names: set[str] = set()
    for file, schema in schemas().items():
        name = file.removesuffix(".json")
        parts = {f"{name} {part}" for part in schema["$defs"]} if name in groups else {name}
        names |= parts
    return names


def test_every_command_with_json_has_a_schema_and_no_schema_is_left_over() -> None:
    assert described() - NO_COMMAND == set(with_json())


@pytest.mark.parametrize("file", schemas())
def test_a_schema_is_a_valid_one(file: str) -> None:
    Draft202012Validator.check_schema(schemas()[file])


@pytest.mark.parametrize("file", schemas())
def test_what_a_schema_refers_to_is_there(file: str) -> None:
    resolver = registry().resolver(file)
    for part in parts(schemas()[file]):
        if "$ref" in part:
            resolver.lookup(part["$ref"])


@pytest.mark.parametrize("file", schemas())
def test_words_to_choose_from_are_those_of_the_code(file: str) -> None:
    for part in parts(schemas()[file]):
        words = part.get("enum", [])
        if isinstance(words, list) and any(isinstance(word, str) for word in words):
            assert set(words) in WORDS, words


@pytest.mark.parametrize("file", schemas())
def test_every_member_is_described_and_no_other_is_allowed(file: str) -> None:
    """Only a part of other schemas, whose name ends in _members, lets further members through."""
    for path, schema in objects(schemas()[file]):
        for name, member in schema["properties"].items():
            assert member["description"].endswith("."), f"{path} {name}"
        closed = {schema.get("additionalProperties"), schema.get("unevaluatedProperties")}
        assert False in closed or path.endswith("_members"), path
        assert set(schema.get("required", ())) <= set(schema["properties"]), path


def parts(schema: Any) -> Iterator[dict[str, Any]]:
    """Every object in a schema's file."""
    return (part for _, part in walk(schema))


def objects(schema: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every schema with properties, and where it stands."""
    return ((path, part) for path, part in walk(schema) if {"type", "properties"} <= set(part))


def walk(schema: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    if isinstance(schema, dict):
        yield path, schema
    items = schema.items() if isinstance(schema, dict) else enumerate(schema)
    for key, value in items:
        if isinstance(value, dict | list):
            yield from walk(value, f"{path}/{key}")


def test_an_unknown_missing_or_mistyped_member_is_told() -> None:
    good = {"name": "Ada", "removed": 1}
    require_schema("gallery remove", good)
    for bad in ({"name": "Ada"}, {**good, "more": 1}, {**good, "removed": "1"}):
        with pytest.raises(AssertionError, match="gallery remove"):
            require_schema("gallery remove", bad)
