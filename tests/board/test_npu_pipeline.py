"""SFace and YuNet in integers, from their sources to an answer of an unpacked bundle."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from facekit.board.make import make_bundle
from facekit.cli import cli
from facekit.conversion.detection_drift import measure_detection_drift
from facekit.conversion.pictures import shipped_pictures
from facekit.conversion.quantize.integer_forms import float_operators
from facekit.conversion.quantize.quantized_model import choose_ranges, quantize, require_quantizable
from facekit.conversion.quantize.recipe import read_recipe
from facekit.enums import RangeRule
from facekit.model.store import InstalledModel, load_checked
from facekit.runtime.litert import LiteRtNet
from tests.c_delegate import compile_delegate, needs_compiler
from tests.schemas import require_schema

pytestmark = pytest.mark.model
pytest.importorskip("ai_edge_quantizer", reason="no ai-edge-quantizer: pip install '.[convert]'")

WHEEL = "facekit_cli-9.9-py3-none-any.whl"
RECIPES = ("static_wi8_ai8", "static_wi8_ai8_iu8")


@pytest.fixture(scope="module")
def models(sface_file: Path, yunet_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The int8 and uint8 files of both, made of the ranges that ship."""
    folder = tmp_path_factory.mktemp("models")
    for path in (sface_file, yunet_file):
        model = load_checked(path)
        require_quantizable(model)
        chosen = choose_ranges(model, None, RangeRule.PERCENTILE)
        assert chosen.origin.crops == 1000  # shipped: no photo was needed
        for recipe in map(read_recipe, RECIPES):
            made = quantize(model, recipe, chosen)
            (folder / made.card.file_name).write_bytes(made.content)
            (folder / made.card.file_name).with_suffix(".json").write_text(made.card.to_json())
    return folder


def test_what_stays_in_float32_is_prelu_for_the_cpu_and_nothing_for_an_npu(models: Path) -> None:
    left = {
        path.stem: float_operators(path.read_bytes()) for path in sorted(models.glob("*.tflite"))
    }
    assert left == {
        "sface_int8": {"PRELU": 27},
        "sface_uint8": {},
        "yunet_int8": {},
        "yunet_uint8": {},
    }


def test_the_detectors_integers_reach_from_pixels_to_boxes(models: Path) -> None:
    net = LiteRtNet(models / "yunet_uint8.tflite")
    assert [one.shape for one in net.inputs] == [(1, 320, 320, 3)]
    assert {one.dtype for one in (*net.inputs, *net.outputs)} == {"uint8", "int8"}
    assert len(net.outputs) == 12


def test_yunet_in_integers_finds_faces_of_all_sizes(models: Path, yunet_file: Path) -> None:
    float32, int8 = load_checked(yunet_file), load_checked(models / "yunet_int8.tflite")
    drift = measure_detection_drift(float32, int8, shipped_pictures(float32.card, count=24, seed=1))
    large = drift.sizes_px >= 16
    assert large.sum() > 50
    assert (
        drift.ious[large & drift.is_found].mean() >= 0.955
    )  # 0.965 on LFW, docs/explanation/accuracy.md
    assert (~drift.is_found[large]).sum() <= 0.02 * large.sum()
    assert drift.is_sound


def test_a_damaged_detector_is_not_sound(models: Path, yunet_file: Path, tmp_path: Path) -> None:
    """Ranges of a tenth: boxes and scores are cut off."""
    float32 = load_checked(yunet_file)
    chosen = choose_ranges(float32, None, RangeRule.PERCENTILE)
    narrow = {key: (low / 10, high / 10) for key, (low, high) in chosen.by_key.items()}
    made = quantize(float32, read_recipe(RECIPES[0]), replace(chosen, by_key=narrow))
    (tmp_path / "damaged.tflite").write_bytes(made.content)
    pictures = shipped_pictures(float32.card, count=4, seed=1)
    damaged = InstalledModel(made.card, tmp_path / "damaged.tflite")
    assert not measure_detection_drift(float32, damaged, pictures).is_sound


def unpacked(models: Path, folder: Path) -> Path:
    """The folder of a bundle of both for the i.MX 8M Plus."""
    (folder / WHEEL).write_bytes(b"no wheel")
    archive = folder / "bundle.tar"
    made = make_bundle(
        "sface", "imx8mp", archive, detector="yunet", models=models, wheel=folder / WHEEL
    )
    assert {card.name for card in made.cards} == {"sface", "yunet"}
    with tarfile.open(archive) as tar:
        tar.extractall(folder, filter="data")
    return folder / "facekit-imx8mp"


def test_the_unpacked_bundle_verifies_by_integers_alone(
    models: Path, data: Path, tmp_path: Path
) -> None:
    """By the CPU's files, and by those for the NPU where the CPU may stand in for it."""
    bundle = ["--bundle", str(unpacked(models, tmp_path)), "--threshold", "0.68", "--json"]
    distances = []
    for other, code in (("obama2.jpg", 0), ("biden.jpg", 1)):
        for device, variant in (
            (("--device", "cpu"), "int8"),
            (("--allow-cpu-fallback",), "uint8"),
        ):
            photos = [str(data / "obama.jpg"), str(data / other)]
            done = CliRunner().invoke(cli, ["verify", *photos, *bundle, *device])
            assert done.exit_code == code, done.stderr
            payload = json.loads(done.stdout)
            assert payload["model"] == f"sface:{variant}"
            assert (payload["cpu_fallback"] is None) == (variant == "int8")
            distances.append(payload["distance"])
    np.testing.assert_allclose(distances[::2], distances[1::2], atol=0.05)


@needs_compiler
@pytest.mark.parametrize(("compute", "code"), [("right", 0), ("wrong", 6)])
def test_the_unpacked_bundle_tests_its_own_networks_on_an_accelerator(
    models: Path, tmp_path: Path, compute: str, code: int
) -> None:
    """Detector and embedding net in integers, by the script, through a delegate."""
    folder = unpacked(models, tmp_path)
    delegate = compile_delegate(tmp_path / "libtest_delegate.so")
    program = tmp_path / "facekit"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m facekit "$@"\n')
    program.chmod(0o755)
    options = ("--delegate", str(delegate), "--delegate-option", f"compute={compute}", "--json")
    done = subprocess.run(
        [folder / "selftest.sh", *options],
        env={**os.environ, "FACEKIT": str(program), "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code, done.stderr
    payload = json.loads(done.stdout)
    require_schema("selftest", payload)
    cpu, device = payload["answers"]
    assert [(one["model"], one["detector"]) for one in (cpu, device)] == [
        ("sface:uint8", "yunet:uint8")
    ] * 2
    assert min(device["delegated_count"], device["detector_delegated_count"]) > 20
    failed = {one["check"] for one in payload["checks"] if not one["passed"]}
    assert failed == (set() if compute == "right" else {"cpu-embeddings", "cpu-boxes"})
    assert all(0.99 < face["float32_cosine"] < 0.9999 for face in cpu["faces"])
