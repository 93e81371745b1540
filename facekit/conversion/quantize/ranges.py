"""Activation ranges that facekit ships for known weights.

`activation_ranges/` has ranges measured on many photos, so that known weights are quantized equally
well without photos.  tests/networks/make_activation_ranges.py creates such a file.
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
from facekit.system.inputs import InputKind, parse_json, read_input, reading

SCHEMA_VERSION = 1
_KIND = InputKind("activation ranges", InputError, max_bytes=100_000_000)
_FOLDER = Path(__file__).with_name("activation_ranges")


@dataclass(frozen=True, slots=True, eq=False)
class StoredRanges:
    """The activation ranges of one set of weights, by rule."""

    source_sha256: str
    """The SHA-256 of the source weights."""
    origin: Origin
    by_rule: Mapping[RangeRule, Mapping[str, Range]]
    """(min, max) in real numbers by activation key; see facekit/graph/activations.py."""

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
                rule.value: {key: _rounded(value_range) for key, value_range in by_key.items()}
                for rule, by_key in self.by_rule.items()
            },
        }
        return json.dumps(plain, indent=1) + "\n"


def _rounded(value_range: Range) -> list[float]:
    return [float(f"{bound:.7g}") for bound in value_range]


def find_stored_ranges(source_sha256: str) -> StoredRanges | None:
    """Returns the shipped ranges for these weights, or None."""
    for path in sorted(_FOLDER.glob("*.json")):
        if json.loads(path.read_bytes())["source_sha256"] == source_sha256:
            return read_ranges(path)
    return None


def read_ranges(path: Path) -> StoredRanges:
    """Reads a file of activation ranges.

    Raises InputError, which names the file and the wrong member, if the file cannot be used.
    """
    with reading(_KIND, path):
        fields = Fields(parse_json(read_input(path, _KIND)), "activation ranges")
        if (version := fields.integer("schema_version")) != SCHEMA_VERSION:
            raise ValueError(f"schema_version {SCHEMA_VERSION} needed, received {version}")
        origin = fields.part("origin")
        by_rule = fields.mapping("ranges")
        return StoredRanges(
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


def _ranges(raw: Any) -> dict[str, Range]:
    fields = Fields(raw, "ranges")
    ranges = {}
    for key in raw:
        low, high = fields.numbers(key)
        if not low <= 0 <= high:
            raise ValueError(f"the range of {key} must hold 0. Received: {low}..{high}")
        ranges[key] = (low, high)
    return ranges
