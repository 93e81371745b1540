"""How a float32 file is quantized: a JSON file in configs/recipes, or the user's own.

Names say what they do: static or dynamic activations, `w` weights and `a` activations as `i`
integers or `f` floats of so many bits; a last `iu8` for an unsigned input: static_wi8_ai8_iu8.
A detector's files end in `oi8`: outputs are integers too.
`operations` is the recipe of ai-edge-quantizer, as its `load_quantization_recipe` takes it: later
steps overrule earlier ones, so one with the algorithm "no_quantize" and a `regex` that matches
the names of some layers leaves those in float32.  `integer_forms` names operators that it has no
int8 form for and facekit has; see integer_forms.py.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

from facekit.conversion.quantize.integer_forms import FORMS
from facekit.enums import RangeRule
from facekit.errors import UsageError
from facekit.system.configs import config_path
from facekit.system.fields import Fields

SCHEMA_VERSION = 1
_FOLDER = "recipes"
_SUFFIX = ".json"
_INTEGER_OUTPUTS = "_oi8"


class InputType(str, Enum):
    """What the quantized file is fed."""

    INT8 = "int8"
    UINT8 = "uint8"
    FLOAT32 = "float32"


@dataclass(frozen=True, slots=True)
class Recipe:
    name: str
    title: str
    variant: str
    """what the file is called after: <model>_<variant>.tflite"""
    input: InputType
    range_rule: RangeRule | None
    """what decides the activations' ranges; None where they are not quantized ahead of time"""
    operations: tuple[dict[str, Any], ...]
    integer_forms: tuple[str, ...] = ()

    @property
    def needs_ranges(self) -> bool:
        return self.range_rule is not None

    @property
    def with_integer_outputs(self) -> Recipe:
        """Without the step that turns outputs into float32: a detector has twelve."""
        kept = tuple(step for step in self.operations if step["operation"] != "OUTPUT")
        if kept == self.operations:
            return self
        return replace(self, name=f"{self.name}{_INTEGER_OUTPUTS}", operations=kept)

    def to_json(self) -> str:
        plain = {
            "schema_version": SCHEMA_VERSION,
            "title": self.title,
            "variant": self.variant,
            "input": self.input.value,
            **({"range_rule": self.range_rule.value} if self.range_rule else {}),
            **({"integer_forms": list(self.integer_forms)} if self.integer_forms else {}),
            "operations": list(self.operations),
        }
        return json.dumps(plain, indent=1) + "\n"


def read_recipe(name_or_path: str) -> Recipe:
    """The recipe called "static_wi8_ai8", or the one in a .json file.

    Raises UsageError: no such recipe, not readable, not JSON, a member missing or wrong.
    """
    path = config_path(name_or_path, _FOLDER, suffix=_SUFFIX, title="recipe")
    try:
        raw = json.loads(path.read_bytes())
        fields = Fields(raw, "recipe")
        if (version := fields.integer("schema_version")) != SCHEMA_VERSION:
            raise ValueError(f"schema_version {SCHEMA_VERSION} needed, received {version}")
        return Recipe(
            name=path.stem,
            title=fields.text("title"),
            variant=fields.plain_name("variant"),
            input=fields.choice("input", InputType),
            range_rule=fields.choice("range_rule", RangeRule) if _calibrates(raw) else None,
            operations=tuple(_operation(step) for step in _list(raw, "operations")),
            integer_forms=_forms(fields) if "integer_forms" in raw else (),
        )
    except (OSError, ValueError, RecursionError) as error:
        raise UsageError(f"Recipe {path} cannot be used: {error}") from error


def _calibrates(raw: dict[str, Any]) -> bool:
    """Whether any operation's activations are quantized ahead of time."""
    return any("activation_tensor_config" in str(step) for step in _list(raw, "operations"))


def _forms(fields: Fields) -> tuple[str, ...]:
    named = tuple(fields.texts("integer_forms"))
    if unknown := sorted(set(named) - set(FORMS)):
        raise ValueError(
            f"integer_forms are among {', '.join(FORMS)}. Received: {', '.join(unknown)}"
        )
    return named


def _list(raw: dict[str, Any], name: str) -> list[Any]:
    steps = raw.get(name)
    if not isinstance(steps, list) or not steps:
        raise ValueError(f"recipe.{name} must be a list that is not empty")
    return steps


def _operation(step: Any) -> dict[str, Any]:
    fields = Fields(step, "recipe.operations")
    for name in ("regex", "operation", "algorithm_key"):
        fields.text(name)
    fields.mapping("op_config")
    return dict(step)
