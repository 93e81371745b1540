"""Reads training configurations: TOML files in configs/train, or files of the user."""

from __future__ import annotations

import types
import typing
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any, TypeVar

from facekit.errors import UsageError
from facekit.system.configs import parse_toml, read_toml
from facekit.training.config import TrainConfig

_FOLDER = "train"
T = TypeVar("T")


def read_config(name_or_path: str | None, changes: Mapping[str, Any]) -> TrainConfig:
    """Returns a training configuration.

    `name_or_path` is the name of a shipped configuration, e.g. "small-softmax", or the path of a
    .toml file; None means the default settings.  `changes` has values by dotted name, e.g.
    "optimizer.rate", which take precedence over the file's values.
    Raises UsageError if the configuration is unknown, the file is not TOML, a key is unknown, or a
    value has the wrong type or is out of its range.
    """
    if name_or_path is None:
        return config_from({}, changes, origin="these options")
    path, raw = read_toml(name_or_path, _FOLDER, title="training configuration")
    return config_from(raw, changes, origin=str(path))


def config_from(raw: Mapping[str, Any], changes: Mapping[str, Any], *, origin: str) -> TrainConfig:
    """Builds a configuration from plain values.

    `changes` is as in `read_config`.  Raises UsageError, whose message names `origin` and the key,
    if a key is unknown or a value is not valid.
    """
    merged: dict[str, Any] = {
        name: dict(value) if isinstance(value, Mapping) else value for name, value in raw.items()
    }
    try:
        for name, value in changes.items():
            table, _, key = name.rpartition(".")
            into = merged.setdefault(table, {}) if table else merged
            if not isinstance(into, dict):
                raise ValueError(f"{table} is not a table")
            into[key] = value
        return _record(TrainConfig, merged, "")
    except ValueError as error:
        raise UsageError(f"Training configuration {origin} cannot be used: {error}") from error


def parse_change(text: str) -> tuple[str, Any]:
    """Parses "optimizer.rate=0.01" to ("optimizer.rate", 0.01); the value is read as TOML.

    A value that is not TOML is a string, so that loss=softmax needs no quotes.  Raises UsageError
    if the text does not have the form NAME=VALUE.
    """
    name, equals, value = (part.strip() for part in text.partition("="))
    if not equals or not name:
        raise UsageError(f"NAME=VALUE needed, as optimizer.rate=0.01. Received: {text}")
    try:
        return name, parse_toml(f"value = {value}")["value"]
    except (ValueError, RecursionError):
        return name, value


def _record(kind: type[T], raw: Mapping[str, Any], where: str) -> T:
    assert is_dataclass(kind)
    known = {one.name: one for one in fields(kind)}
    if unknown := sorted(raw.keys() - known.keys()):
        raise ValueError(
            f"unknown keys {', '.join(where + name for name in unknown)}; "
            f"known here: {', '.join(sorted(known))}"
        )
    hints = typing.get_type_hints(kind)
    values = {name: _value(hints[name], value, where + name) for name, value in raw.items()}
    return typing.cast(T, kind(**values))


def _value(kind: Any, value: Any, where: str) -> Any:
    if is_dataclass(kind):
        if not isinstance(value, Mapping):
            raise ValueError(f"{where} must be a table. Received: {value!r}")
        return _record(typing.cast("type[Any]", kind), value, f"{where}.")
    if isinstance(kind, types.GenericAlias):
        if not isinstance(value, (list, tuple)):
            raise ValueError(f"{where} must be a list of integers. Received: {value!r}")
        return tuple(_value(int, one, where) for one in value)
    if issubclass(kind, Enum):
        known = [one.value for one in kind]
        if value not in known:
            raise ValueError(f"{where} must be one of {', '.join(known)}. Received: {value!r}")
        return kind(value)
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        with suppress(OverflowError):  # of an integer beyond 1e308, which is refused below
            value = float(value)
    if type(value) is not kind or value != value or value in (float("inf"), float("-inf")):
        named = {bool: "true or false", int: "an integer", float: "a number"}[kind]
        raise ValueError(f"{where} must be {named}. Received: {value!r}")
    return value
