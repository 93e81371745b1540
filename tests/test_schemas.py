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
from facekit.tasks.selftest_results import CheckKind
from tests.schemas import reference, registry, require_schema, schemas

NO_COMMAND = {"common", "models source", "models input", "models card_content"}
"""what only other schemas refer to"""
ELSEWHERE = (Bottleneck, CheckKind, DelegateUse, DownloadKind, Task, ThresholdOrigin, WeightsFormat)
FORBIDDEN = {
    "images", "image", "archive", "folder", "home", "file", "paths", "known_already", "problem",
}  # fmt: skip
"""other words for photos, photo, output, files, already_enrolled_count and error"""
DEEPFACE = {"time"}
"""a number with a unit, in seconds, whose name is deepface's"""
UNITS = {
    "microseconds": "us",
    "milliseconds": "ms",
    "in seconds": "s",
    "in bytes": "bytes",
    "pixels": "px",
    "hertz": "hz",
}
UNCOUNTED = {"n_genuine", "n_impostor", "count", "threads", "batch", "workers", "cycles"}
"""as in the card, or settings; sizes of arrays end in "size" """
OF_A_DETECTOR = {"detect", "quality", "align-dataset"}
OF_EACH_RESULT = {"benchmark", "evaluate", "eval-lfw", "serve-stdin", "watch"}
"""where the model stands with each result"""
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


def names(schema: dict[str, Any], resolver: Any) -> set[str]:
    """The members that every form of an object has, those of referred schemas included."""
    if "anyOf" in schema:
        return set.intersection(*(names(one, resolver) for one in schema["anyOf"]))
    found = set(schema.get("properties", ()))
    if "$ref" in schema:
        target = resolver.lookup(schema["$ref"])
        found |= names(target.contents, target.resolver)
    return found


def top_level(command: str) -> set[str]:
    found = registry().resolver().lookup(reference(command))
    return names(found.contents, found.resolver)


@pytest.mark.parametrize("command", with_json())
def test_the_top_level_says_version_model_and_output(command: str) -> None:
    members = top_level(command)
    assert "schema_version" in members
    options = {
        name
        for one in every_command()[tuple(command.split())].params
        for name in (*one.opts, one.name)
    }
    if options & {"-o", "--output", "output"} and command != "verify":  # whose -o goes with --pairs
        assert "output" in members
    if command in OF_A_DETECTOR:
        assert "detector" in members
    elif command not in OF_EACH_RESULT and options & {"--model", "model"}:
        assert "model" in members
        assert "model_sha256" in members or "--model" not in options


def test_the_list_of_pairs_says_where_it_was_written() -> None:
    assert {"output", "model", "model_sha256", "failed"} <= top_level("verify list")


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
            assert set(words) - {None} in WORDS, words


@pytest.mark.parametrize("file", schemas())
def test_every_member_is_described_and_no_other_is_allowed(file: str) -> None:
    """Only a part of other schemas, whose name ends in _members, lets further members through."""
    resolver = registry().resolver(file)
    for path, schema in objects(schemas()[file]):
        for name, member in schema["properties"].items():
            told = member if "description" in member else resolver.lookup(member["$ref"]).contents
            assert told["description"].endswith("."), f"{path} {name}"
            assert name not in FORBIDDEN, f"{path} {name}"
        closed = {schema.get("additionalProperties"), schema.get("unevaluatedProperties")}
        assert False in closed or path.endswith("_members"), path
        assert set(schema["required"]) == set(schema["properties"]), f"{path}: null, never absent"


@pytest.mark.parametrize("file", schemas())
def test_names_say_units_and_counts(file: str) -> None:
    for path, schema in objects(schemas()[file]):
        for name, member in schema["properties"].items():
            kinds = member.get("type", ())
            if not {"number", "integer"} & {*([kinds] if isinstance(kinds, str) else kinds)}:
                continue
            told = member["description"]
            endings = {end for unit, end in UNITS.items() if unit in told.lower()}
            has_unit = not endings or name.rpartition("_")[2] in endings
            assert has_unit or name in DEEPFACE, f"{path} {name}: {told}"
            if told.startswith("How many") and name not in UNCOUNTED:
                assert name.endswith(("_count", "size")), f"{path} {name}: {told}"


@pytest.mark.parametrize("file", schemas())
def test_words_that_mean_one_thing_have_one_form(file: str) -> None:
    resolver = registry().resolver(file)
    for path, schema in objects(schemas()[file]):
        members = schema["properties"]
        is_part = "properties" in path or (file == "common.json" and path != "/$defs/failure")
        assert "schema_version" not in members or not is_part, f"{path} is nested"
        if "failed" in members:
            assert members["failed"]["$ref"].endswith("/$defs/failed"), path
        if "model" in members:
            assert members["model"]["type"] in ("string", ["string", "null"]), path
        if "people" in members:
            assert members["people"]["type"] == "array", path
        if "threshold" in members:
            assert "threshold_similarity" in names(schema, resolver), path
        if "photos" in members:
            assert "photo" in names(members["photos"]["items"], resolver), path
        if "files" in members:
            assert "path" in names(members["files"]["items"], resolver), path


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
    good = {"name": "Ada", "found": True, "removed_count": 1}
    require_schema("gallery remove", good)
    for bad in ({"name": "Ada"}, {**good, "more": 1}, {**good, "removed_count": "1"}):
        with pytest.raises(AssertionError, match="gallery remove"):
            require_schema("gallery remove", bad)
