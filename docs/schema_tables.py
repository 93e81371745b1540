"""JSON Schemas as tables that people read; for cog blocks and for the pages of the commands."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from functools import cache
from pathlib import Path
from typing import Any

Schema = dict[str, Any]

REPOSITORY = Path(__file__).resolve().parents[1]
SCHEMAS = REPOSITORY / "docs" / "schemas"
CARD = REPOSITORY / "facekit" / "model" / "card.schema.json"
COMMON = "common.json"
_PLURALS = {name: f"{name}s" for name in ("number", "integer", "string", "boolean", "object")}


def common_parts() -> None:
    """Writes the parts that the outputs of several commands share; for a cog block."""
    import cog

    cog.out("\n".join(_Tables(SCHEMAS / COMMON, page="").of_definitions(level=3)))


def card_tables() -> None:
    """Writes the members of a model card; for a cog block."""
    import cog

    tables = _Tables(CARD, page="")
    cog.out("\n".join([*tables.of(tables.root), "", *tables.of_definitions(level=2)]))


def output_tables(words: tuple[str, ...]) -> list[str]:
    """Lines that say what `facekit WORDS --json` writes; [] where it writes no JSON."""
    tables = _of_command(words[0])
    if tables is None:
        return []
    if len(words) == 1 and "title" in tables.root and "required" not in tables.root:
        part = tables.root if {"anyOf", "$ref"} & set(tables.root) else None
    else:
        part = tables.root if len(words) == 1 else tables.root["$defs"].get(words[1])
    return tables.of(part) if part else []


def parts_of_outputs(command: str, subcommands: Collection[str]) -> list[str]:
    """Lines with a heading and a table of each part that the outputs of a command refer to."""
    tables = _of_command(command)
    return tables.of_definitions(level=3, without=subcommands) if tables else []


def _of_command(command: str) -> _Tables | None:
    path = SCHEMAS / f"{command}.json"
    return _Tables(path, page="../json.md") if path.exists() else None


@cache
def _read(path: Path) -> Schema:
    schema: Schema = json.loads(path.read_text())
    return schema


class _Tables:
    """The tables of one schema's file."""

    def __init__(self, path: Path, *, page: str) -> None:
        self._path = path
        self._page = page
        self.root = _read(path)

    def of_definitions(self, *, level: int, without: Collection[str] = ()) -> list[str]:
        """A heading and a table of each part that is an object and is not merged into others."""
        lines: list[str] = []
        for name, part in self.root.get("$defs", {}).items():
            if name not in without and self._has_heading(name, part):
                lines += ["", f"{'#' * level} {name}{self._anchor(name)}", "", *self.of(part)]
        return lines[1:]

    def of(self, schema: Schema) -> list[str]:
        """What the schema says of itself, and the table of its members."""
        alone = not {"properties", "anyOf"} & set(schema)
        resolved = self._resolved(schema)[0] if alone else schema
        lines = [resolved["description"], ""] if "description" in resolved else []
        if "anyOf" in resolved:
            for number, choice in enumerate(resolved["anyOf"], 1):
                lines += ["", f"Form {number}:", "", *self.of(choice)]
            return lines
        lines += ["| member | type | meaning |", "| --- | --- | --- |"]
        for member, kind, meaning in self._rows(resolved, ""):
            lines.append(f"| `{member}` | {_cell(kind)} | {_cell(meaning)} |")
        return lines

    def _rows(self, schema: Schema, prefix: str) -> Iterator[tuple[str, str, str]]:
        required = set(self._required(schema))
        for name, member in self._members(schema).items():
            kind = self._kind(member) + ("" if name in required else ", optional")
            resolved, _ = self._resolved(member)
            meaning = member.get("description") or resolved.get("description", "")
            yield f"{prefix}{name}", kind, meaning
            inner, suffix = _within(member)
            if "properties" in inner:
                own = {key: value for key, value in inner.items() if key != "$ref"}
                yield from self._rows(own, f"{prefix}{name}{suffix}.")

    def _members(self, schema: Schema) -> Schema:
        inherited = self._members(self._resolved(schema)[0]) if "$ref" in schema else {}
        return {**inherited, **schema.get("properties", {})}

    def _required(self, schema: Schema) -> list[str]:
        inherited = self._required(self._resolved(schema)[0]) if "$ref" in schema else []
        return [*inherited, *schema.get("required", [])]

    def _kind(self, schema: Schema) -> str:
        if "$ref" in schema:
            part, name = self._resolved(schema)
            has_heading = f"#/$defs/{name}" in schema["$ref"] and self._has_heading(name, part)
            return self._link(schema["$ref"], name) if has_heading else self._kind(part)
        if "anyOf" in schema:
            return " or ".join(self._kind(choice) for choice in schema["anyOf"])
        if "const" in schema:
            return f"`{json.dumps(schema['const'])}`"
        if "enum" in schema:
            words = [f"`{json.dumps(word)}`" for word in schema["enum"]]
            return " or ".join(filter(None, (", ".join(words[:-1]), words[-1])))
        kinds = schema.get("type", "anything")
        names = [kinds] if isinstance(kinds, str) else kinds
        return " or ".join(self._named(name, schema) for name in names)

    def _named(self, kind: str, schema: Schema) -> str:
        if kind == "array" and "items" in schema:
            items = self._kind(schema["items"])
            count = schema.get("minItems") if "maxItems" in schema else None
            return " ".join(filter(None, ("list of", str(count or ""), _PLURALS.get(items, items))))
        if kind == "object" and isinstance(schema.get("additionalProperties"), dict):
            return f"object: {self._kind(schema['additionalProperties'])} each"
        return kind

    def _resolved(self, schema: Schema) -> tuple[Schema, str]:
        """What a schema's reference leads to, and its name; without one the schema itself."""
        if "$ref" not in schema:
            return schema, ""
        file, _, pointer = schema["$ref"].partition("#")
        part = _read(self._path.parent / file) if file else self.root
        for key in pointer.split("/")[1:]:
            part = part[key]
        name = pointer.rpartition("/")[2]
        return (_qualified(part, file) if file else part), name

    def _has_heading(self, name: str, part: Schema) -> bool:
        is_object = "properties" in part or "anyOf" in part or "$ref" in part
        return is_object and not name.endswith("_members")

    def _anchor(self, name: str) -> str:
        return f" {{ #json-{name} }}" if self._page else ""

    def _link(self, reference: str, name: str) -> str:
        file = reference.partition("#")[0]
        if file == COMMON:
            return f"[{name}]({self._page}#{name})"
        prefix = "json-" if self._page else ""
        return f"[{name}]({file.replace('.json', '.md')}#{prefix}{name})"


def _within(schema: Schema) -> tuple[Schema, str]:
    """The object that a member holds, and [] for each list around it."""
    suffix = ""
    while True:
        if "items" in schema and isinstance(schema["items"], dict):
            schema, suffix = schema["items"], suffix + "[]"
        elif "anyOf" in schema:
            objects = [choice for choice in schema["anyOf"] if "properties" in choice]
            if len(objects) != 1:
                return schema, suffix
            schema = objects[0]
        else:
            return schema, suffix


def _qualified(part: Any, file: str) -> Any:
    """The same with references that lead to the part's own file from any other."""
    if isinstance(part, dict):
        return {
            key: f"{file}{value}"
            if key == "$ref" and isinstance(value, str) and value.startswith("#")
            else _qualified(value, file)
            for key, value in part.items()
        }
    if isinstance(part, list):
        return [_qualified(one, file) for one in part]
    return part


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
