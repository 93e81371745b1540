"""The JSON Schemas in docs/schemas, and whether an output keeps to its own."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from referencing import Registry, Resource

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "schemas"


@cache
def schemas() -> dict[str, dict[str, Any]]:
    """Every schema by the name of its file."""
    return {path.name: json.loads(path.read_text()) for path in sorted(FOLDER.glob("*.json"))}


def reference(name: str) -> str:
    """Of a form of output: "verify" is verify.json itself, "gallery list" one of its $defs."""
    file, _, part = name.partition(" ")
    return f"{file}.json" + (f"#/$defs/{part}" if part else "")


def require_schema(name: str, payload: Mapping[str, Any]) -> None:
    """AssertionError, naming the member, for a payload that is not as docs/schemas says.

    payload: what --json prints, parsed, or what `to_dict()` returns, which has no schema_version.
    """
    whole = json.loads(json.dumps({"schema_version": 1, **payload}, allow_nan=False))
    errors = [
        f"{error.json_path}: {error.message[:2000]}"
        for error in _validator(name).iter_errors(whole)
    ]
    assert not errors, f"{name}:\n" + "\n".join(errors)


def require_failure(payload: Mapping[str, Any], *, exit_code: int) -> None:
    """As `require_schema`, for what a command prints that ends with a FacekitError."""
    require_schema("common failure", payload)
    assert payload["error"]["exit_code"] == exit_code


@cache
def registry() -> Registry[Any]:
    """The schemas, so that they can refer to each other by the names of their files."""
    resources = [(file, Resource.from_contents(schema)) for file, schema in schemas().items()]
    return Registry().with_resources(resources)


@cache
def _validator(name: str) -> Draft202012Validator:
    return Draft202012Validator({"$ref": reference(name)}, registry=registry())
