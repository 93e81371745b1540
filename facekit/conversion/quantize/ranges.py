"""Activation ranges and where they come from: measured on crops, or stored with facekit.

`activation_ranges/` holds what was measured for weights that facekit knows, so that they are
quantized as well with no photo at hand as with a thousand.  tests/networks/
tests/networks/make_activation_ranges.py makes such a file.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from facekit.conversion.crops import Origin
from facekit.conversion.quantize.range_rules import Range
from facekit.enums import RangeRule
from facekit.errors import InputError
from facekit.system.fields import Fields

SCHEMA_VERSION = 1
_FOLDER = Path(__file__).with_name("activation_ranges")


@dataclass(frozen=True, slots=True, eq=False)
class Ranges:
    """What each activation's integers shall cover, by each rule, for one set of weights."""

    source_sha256: str
    """of the weights"""
    origin: Origin
    by_rule: Mapping[RangeRule, Mapping[str, Range]]
    """by activation key; see facekit/graph/activations.py"""

    def to_json(self) -> str:
        plain = {
            "schema_version": SCHEMA_VERSION,
            "source_sha256": self.source_sha256,
            "origin": {
                "title": self.origin.title,
                "crops": self.origin.crops,
                "people": self.origin.people,
                "list_sha256": self.origin.list_sha256,
                "seed": self.origin.seed,
            },
            "ranges": {
                rule.value: {key: _short(one) for key, one in by_key.items()}
                for rule, by_key in self.by_rule.items()
            },
        }
        return json.dumps(plain, indent=1) + "\n"


def _short(one: Range) -> list[float]:
    return [float(f"{bound:.7g}") for bound in one]


def stored_ranges(source_sha256: str) -> Ranges | None:
    """What facekit ships for these weights, or None."""
    for path in sorted(_FOLDER.glob("*.json")):
        if json.loads(path.read_bytes())["source_sha256"] == source_sha256:
            return read_ranges(path)
    return None


def read_ranges(path: Path) -> Ranges:
    """Raises InputError naming the file and the member that is wrong."""
    try:
        fields = Fields(json.loads(path.read_bytes()), "activation ranges")
        if (version := fields.integer("schema_version")) != SCHEMA_VERSION:
            raise ValueError(f"schema_version {SCHEMA_VERSION} needed, received {version}")
        origin = fields.part("origin")
        by_rule = fields.mapping("ranges")
        return Ranges(
            source_sha256=fields.sha256("source_sha256"),
            origin=Origin(
                title=origin.text("title"),
                crops=origin.integer("crops"),
                people=origin.integer("people"),
                list_sha256=origin.sha256("list_sha256"),
                seed=origin.integer("seed"),
            ),
            by_rule={RangeRule(name): _ranges(by_key) for name, by_key in by_rule.items()},
        )
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"Activation ranges {path} cannot be used: {error}") from error


def _ranges(raw: Any) -> dict[str, Range]:
    fields = Fields(raw, "ranges")
    ranges = {}
    for key in raw:
        low, high = fields.numbers(key)
        if not low <= 0 <= high:
            raise ValueError(f"the range of {key} must hold 0. Received: {low}..{high}")
        ranges[key] = (low, high)
    return ranges
