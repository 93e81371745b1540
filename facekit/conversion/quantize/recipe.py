"""Reads quantization recipes: JSON files in configs/recipes, or files of the user.

The name of a recipe describes it.  It starts with static or dynamic activations.  Then `w` for
weights and `a` for activations are each followed by `i` for integers or `f` for floats and the
number of bits.  A final `iu8` means unsigned input, e.g. static_wi8_ai8_iu8.  The name for a
detector ends in `oi8`, because its outputs are integers too.

`operations` is a recipe of ai-edge-quantizer, in the format of its `load_quantization_recipe`.
Later steps override earlier ones, so that a step with the algorithm "no_quantize" and a `regex`
that matches the names of some layers leaves these layers in float32.  `integer_forms` lists
operators that ai-edge-quantizer cannot convert to int8 but facekit can; see integer_forms.py.
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
from facekit.system.inputs import InputKind, parse_json, read_input, reading

SCHEMA_VERSION = 1
_KIND = InputKind("a recipe", UsageError, max_bytes=10_000_000)
_FOLDER = "recipes"
_SUFFIX = ".json"
_INTEGER_OUTPUTS = "_oi8"


class InputType(str, Enum):
    """The dtype of the quantized file's input."""

    INT8 = "int8"
    UINT8 = "uint8"
    FLOAT32 = "float32"


@dataclass(frozen=True, slots=True)
class Recipe:
    name: str
    title: str
    variant: str
    """The variant in the file's name, <model>_<variant>.tflite."""
    input: InputType
    range_rule: RangeRule | None
    """The rule for the activation ranges; None if activations are not quantized statically."""
    operations: tuple[dict[str, Any], ...]
    integer_forms: tuple[str, ...] = ()

    @property
    def needs_ranges(self) -> bool:
        return self.range_rule is not None

    @property
    def with_integer_outputs(self) -> Recipe:
        """The recipe for a detector, whose twelve outputs stay integers.

        Otherwise the file converts the outputs to float32.
        """
        operations = tuple(step for step in self.operations if step["operation"] != "OUTPUT")
        if operations == self.operations:
            return self
        return replace(self, name=f"{self.name}{_INTEGER_OUTPUTS}", operations=operations)

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
    """Returns the recipe with a name such as "static_wi8_ai8", or the recipe in a .json file.

    Raises UsageError if the recipe does not exist, cannot be read, is not JSON, or has a missing or
    wrong member.
    """
    path = config_path(name_or_path, _FOLDER, suffix=_SUFFIX, title="recipe")
    with reading(_KIND, path):
        raw = parse_json(read_input(path, _KIND))
        fields = Fields(raw, "recipe")
        if (version := fields.integer("schema_version")) != SCHEMA_VERSION:
            raise ValueError(f"schema_version {SCHEMA_VERSION} needed, received {version}")
        return Recipe(
            name=path.stem,
            title=fields.text("title"),
            variant=fields.plain_name("variant"),
            input=fields.choice("input", InputType),
            range_rule=fields.choice("range_rule", RangeRule)
            if _has_static_activations(raw)
            else None,
            operations=tuple(_operation(step) for step in _list(raw, "operations")),
            integer_forms=_forms(fields) if "integer_forms" in raw else (),
        )


def _has_static_activations(raw: dict[str, Any]) -> bool:
    """Returns whether any operation has static activations."""
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
