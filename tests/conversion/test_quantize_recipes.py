"""Recipes as data, and stored activation ranges."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from facekit.conversion.crops import list_sha256
from facekit.conversion.quantize.ranges import find_stored_ranges, read_ranges
from facekit.conversion.quantize.recipe import InputType, read_recipe
from facekit.enums import RangeRule
from facekit.errors import InputError, UsageError
from facekit.model import registry
from facekit.system.configs import config_names


def test_every_recipe_that_ships_is_valid() -> None:
    recipes = [read_recipe(name) for name in config_names("recipes", suffix=".json")]
    assert len({recipe.variant for recipe in recipes}) == len(recipes) == 6
    for recipe in recipes:
        assert recipe.needs_ranges == recipe.name.startswith("static_")


def test_a_recipe_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "mine.json"
    path.write_text(read_recipe("static_wi8_ai8_iu8").to_json())
    mine = read_recipe(str(path))
    assert (mine.name, mine.variant, mine.input) == ("mine", "uint8", InputType.UINT8)
    assert mine.to_json() == path.read_text()


@pytest.mark.parametrize(
    ("member", "value", "complaint"),
    [
        ("operations", [], "not empty"),
        ("operations", [{"regex": ".*"}], "operation"),
        ("input", "int4", "input"),
        ("range_rule", "luck", "range_rule"),
        ("variant", "../x", "variant"),
        ("schema_version", 2, "schema_version 1 needed"),
    ],
)
def test_a_wrong_member_is_named(
    tmp_path: Path, member: str, value: object, complaint: str
) -> None:
    path = tmp_path / "mine.json"
    raw = json.loads(read_recipe("static_wi8_ai8").to_json())
    path.write_text(json.dumps({**raw, member: value}))
    with pytest.raises(UsageError, match=complaint):
        read_recipe(str(path))


def test_an_unknown_recipe_lists_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="static_wi8_ai8"):
        read_recipe("int3")
    with pytest.raises(UsageError, match="cannot be read: No such file"):
        read_recipe(str(tmp_path / "none.json"))


def test_the_default_model_has_stored_ranges_by_every_rule_of_convert() -> None:
    entry = registry.entry(registry.DEFAULT_MODEL)
    stored = find_stored_ranges(entry.source.sha256)
    assert stored is not None
    # Entropy is there for comparison with other tools' ONNX files, and measured when asked for.
    assert set(stored.by_rule) == set(RangeRule) - {RangeRule.ENTROPY}
    assert stored.origin.crops == 1000
    assert stored.origin.photos == ()  # no picture, and no name of anyone
    minmax, percentile = stored.by_rule[RangeRule.MINMAX], stored.by_rule[RangeRule.PERCENTILE]
    assert len(minmax) == 181
    for key, (low, high) in minmax.items():
        assert low <= percentile[key][0] <= 0 <= percentile[key][1] <= high
    assert find_stored_ranges("0" * 64) is None


def test_ranges_survive_their_file(tmp_path: Path) -> None:
    stored = find_stored_ranges(registry.entry(registry.DEFAULT_MODEL).source.sha256)
    assert stored is not None
    path = tmp_path / "ranges.json"
    path.write_text(stored.to_json())
    assert read_ranges(path).by_rule == stored.by_rule
    raw = json.loads(stored.to_json())
    raw["ranges"]["minmax"]["AvgPool/Mean"] = [1.0, 2.0]
    path.write_text(json.dumps(raw))
    with pytest.raises(InputError, match="must hold 0"):
        read_ranges(path)


def test_the_hash_of_a_list_is_what_sha256sum_says() -> None:
    # printf 'a\nb\n' | sha256sum
    assert list_sha256(["a", "b"]) == (
        "911169ddaaf146aff539f58c26c489af3b892dff0fe283c1c264c65ae5aa59a2"
    )
