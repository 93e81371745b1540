"""Drift between a float32 file and one that was made from it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from facekit.cli.render.conversion import print_quantized
from facekit.conversion.conversion import ConvertedFile
from facekit.conversion.drift import (
    Drift,
    FileFacts,
    drift_png,
    measure_drift,
    require_sound,
    unsoundness_message,
)
from facekit.conversion.layer_drift import LayerDrift, rank_layers
from facekit.conversion.quantize.quantized_model import choose_ranges, quantize
from facekit.conversion.quantize.recipe import read_recipe
from facekit.conversion.shipped_faces import shipped_crops
from facekit.enums import RangeRule
from facekit.errors import ModelBuildError
from facekit.evaluation.view1 import Accuracy
from facekit.model.store import InstalledModel
from facekit.tasks.quantize import QuantizedFile
from tests.networks.tiny_embedder import tiny_embedder
from tests.text_tables import require_readable, rows

pytest.importorskip("ai_edge_quantizer", reason="no ai-edge-quantizer: pip install '.[convert]'")

FACTS = FileFacts("tiny:float32", "0" * 64, 1, 1.0)


def drift(cosines: list[float], least_alike: tuple[float, float] = (0.1, 0.1)) -> Drift:
    return Drift(FACTS, FACTS, 1, "made up", "0" * 64, np.array(cosines), least_alike)


@pytest.fixture
def pair(data: Path, tmp_path: Path) -> tuple[InstalledModel, InstalledModel]:
    model = tiny_embedder(data, tmp_path)
    chosen = choose_ranges(model, None, RangeRule.MINMAX)
    made = quantize(model, read_recipe("static_wi8_ai8"), chosen)
    path = tmp_path / made.card.file_name
    path.write_bytes(made.content)
    return model, InstalledModel(made.card, path)


def test_figures_by_hand() -> None:
    known = drift([1.0] * 99 + [0.9])
    assert known.mean == pytest.approx(0.999)
    assert known.minimum == 0.9
    assert known.first_percentile == pytest.approx(0.999)  # 1 % of the way from 0.9 to 1
    assert not known.has_enough_crops
    assert drift([1.0] * 200).has_enough_crops


def test_a_file_is_no_distance_from_itself(data: Path, tmp_path: Path) -> None:
    model = tiny_embedder(data, tmp_path)
    found = measure_drift(model, model, shipped_crops(model.card, count=6))
    np.testing.assert_allclose(found.cosines, 1.0, atol=1e-6)
    assert found.least_alike[0] == pytest.approx(found.least_alike[1], abs=1e-6)
    assert all(layer.relative_error == 0 for layer in rank_layers(model, model, noise()))


def test_a_quantized_net_drifts_a_little(pair: tuple[InstalledModel, InstalledModel]) -> None:
    model, quantized = pair
    crops = shipped_crops(model.card, count=24)
    found = measure_drift(model, quantized, crops)
    assert 0.99 < found.minimum <= found.first_percentile <= found.mean < 1.0
    assert found.quantized.size_bytes == quantized.path.stat().st_size
    payload = json.loads(json.dumps(found.to_dict()))
    assert payload["crops"] == {
        "crop_count": 24,
        "enough": False,
        "title": crops.origin.title,
        "list_sha256": crops.origin.list_sha256,
    }


def test_layers_are_ranked_and_a_broken_one_stands_out(
    pair: tuple[InstalledModel, InstalledModel],
) -> None:
    model, quantized = pair
    crops = noise()
    ranked = rank_layers(model, quantized, crops)
    errors = [layer.relative_error for layer in ranked]
    assert errors == sorted(errors, reverse=True)
    assert 0 < errors[0] < 0.1
    chosen = choose_ranges(model, None, RangeRule.MINMAX)
    key = next(key for key in chosen.by_key if key.startswith("sum"))
    narrow = {**chosen.by_key, key: (0.0, chosen.by_key[key][1] / 20)}
    made = quantize(model, read_recipe("static_wi8_ai8"), replace(chosen, by_key=narrow))
    path = quantized.path.with_name("broken.tflite")
    path.write_bytes(made.content)
    broken = {
        layer.key: layer for layer in rank_layers(model, InstalledModel(made.card, path), crops)
    }
    assert broken[key].relative_error > 0.5
    assert max(broken.values(), key=lambda layer: layer.added_error).key == key


def test_a_file_that_cannot_be_run_is_named(pair: tuple[InstalledModel, InstalledModel]) -> None:
    """The first of the two, whose card states another size than the file."""
    model, quantized = pair
    card = replace(model.card, input=replace(model.card.input, height_px=8))
    with pytest.raises(ModelBuildError) as raised:
        rank_layers(InstalledModel(card, model.path), quantized, noise()[:, :8])
    assert str(raised.value).startswith(f"{model.path} cannot be read as a LiteRT model: ")


def noise() -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    return np.random.default_rng(0).integers(0, 256, (8, 16, 16, 3), dtype=np.uint8)


def test_a_file_that_finds_all_faces_alike_is_refused() -> None:
    require_sound(drift([1.0], (0.05, 0.12)))
    with pytest.raises(ModelBuildError, match=r"does not tell faces apart.* 0.050 have 0.990"):
        require_sound(drift([0.4], (0.05, 0.99)))


def test_what_is_wrong_names_the_layers_that_add_most_error() -> None:
    layers = [LayerDrift(f"layer{number}", 0.5, number / 100) for number in range(5)]
    text = unsoundness_message(drift([0.4], (0.05, 0.99)), layers)
    assert text.endswith("comes from layer4 (+4%), layer3 (+3%), layer2 (+2%).")


def test_the_picture_has_a_bar_for_each_cosine_and_for_each_layer() -> None:
    """Blue bars: two heights of cosines on the left, and layers by falling error on the right."""
    pytest.importorskip("matplotlib")
    known = drift([0.9, 0.9, 1.0])
    layers = [LayerDrift(f"layer{number}", 0.5 / (1 + number), 0.0) for number in range(4)]
    alone, with_layers = (blue(drift_png(known, ranked)) for ranked in ((), layers))
    left, right = np.split(with_layers, [with_layers.shape[1] // 2], axis=1)
    for cosines in (alone, left):
        heights = cosines.sum(0)
        tall, short = (heights[half].max() for half in np.array_split(np.arange(len(heights)), 2))
        assert tall == pytest.approx(2 * short, rel=0.05)
    heights = right.sum(0)
    heights = heights[heights > 0]
    assert (np.diff(heights) <= 0).all()
    assert heights[0] == pytest.approx(4 * heights[-1], rel=0.05)


def blue(png: bytes) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    """(H, W): which pixels are of a bar's color."""
    bgr = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR)
    assert bgr is not None
    red, _, blue_ = (bgr[..., channel].astype(int) for channel in (2, 1, 0))
    return np.asarray(blue_ - red > 100)


def test_the_text_has_layers_and_accuracies_as_tables(
    pair: tuple[InstalledModel, InstalledModel], capsys: pytest.CaptureFixture[str]
) -> None:
    made = pair[1]
    layers = tuple(LayerDrift(f"layer{number}", 0.5, number / 100) for number in range(3))
    rates = {"0.01": 0.98, "0.001": 0.95}
    accuracies = (
        Accuracy("float32", 0.4, 0.99, 0.99, 0.01, rates, 1_000, 0),
        Accuracy("int8", 0.41, 0.985, 0.984, 0.012, rates, 1_000, 0),
    )
    file = ConvertedFile(made.path, made.card, drift=drift([0.99, 1.0]))
    print_quantized(
        QuantizedFile("tiny:float32", "0" * 64, made.path.parent, file, layers, accuracies)
    )
    text = capsys.readouterr().out
    require_readable(text)
    assert "only 2 crops: use at least 200" in text
    assert ["ERROR", "NEW", "LAYER"] in rows(text)
    assert ["50.00%", "2.00%", "layer2"] in rows(text)
    assert ["int8", "98.50%", "98.40%", "1.20%", "98.0%", "95.0%"] in rows(text)
