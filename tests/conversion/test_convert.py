"""Conversion: what is written, that it repeats, and that nothing is left when it fails."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from facekit.cli import cli
from facekit.conversion import conversion as convert_module
from facekit.conversion.conversion import ConvertedFile, convert
from facekit.conversion.drift import Drift, measure_drift
from facekit.conversion.plan import ConversionPlan
from facekit.conversion.quantize.quantized_model import choose_ranges, quantize, require_quantizable
from facekit.conversion.quantize.recipe import Recipe, read_recipe
from facekit.conversion.shipped_faces import shipped_crops
from facekit.conversion.vela.target import read_target
from facekit.enums import RangeRule
from facekit.errors import AcceleratorError, ModelBuildError, StorageError, UsageError
from facekit.graph import operations
from facekit.graph.activations import has_dynamic_dimension
from facekit.graph.graph import DYNAMIC, Graph
from facekit.graph.write.litert import to_litert
from facekit.model.card import embedder_of
from facekit.model.inspect import inspect_model
from facekit.model.registry import DEFAULT_MODEL
from facekit.model.shipped_calibrations import shipped_calibration
from facekit.model.store import InstalledModel, find, load_checked
from facekit.runtime.litert import LiteRtNet
from facekit.system.configs import config_names
from facekit.tasks.convert import Conversion
from facekit.types import Float32Array
from tests.networks.tiny_embedder import tiny_embedder, write_embedder
from tests.schemas import require_schema
from tests.told import Told

pytest.importorskip("ai_edge_quantizer", reason="no ai-edge-quantizer: pip install '.[convert]'")

ALL = tuple(map(read_recipe, config_names("recipes", suffix=".json")))
INT8, UINT8 = read_recipe("static_wi8_ai8"), read_recipe("static_wi8_ai8_iu8")


@pytest.fixture
def tiny(data: Path, tmp_path: Path) -> InstalledModel:
    return tiny_embedder(data, tmp_path / "source")


def written(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_every_recipe_at_once(tiny: InstalledModel, tmp_path: Path) -> None:
    told = Told()
    out = tmp_path / "out"
    made = convert(tiny, ConversionPlan(ALL, float32=True), out, reporter=told).files
    variants = ["float32", *(recipe.variant for recipe in ALL)]
    assert [one.card.variant for one in made] == variants
    for one in made:
        card = load_checked(one.path, read_all=True).card
        assert card.to_json() == one.card.to_json()
        assert one.path == out / f"tiny_{card.variant}.tflite"
        if card.variant != "float32":
            assert isinstance(one.drift, Drift)
            assert one.drift.minimum > 0.99
            recipe = read_recipe(str(out / f"tiny_{card.variant}_recipe.json"))
            assert recipe.to_json() == read_recipe(card.quantization.scheme).to_json()
            report = json.loads((out / f"tiny_{card.variant}_drift.json").read_text())
            assert report["quantized"]["model_sha256"] == card.file_sha256
    assert len(written(out)) == 2 + 4 * len(ALL)
    assert any("public-domain faces" in line for line in told.notes)


def test_cards_say_how_they_were_calibrated(tiny: InstalledModel, tmp_path: Path) -> None:
    (made,) = convert(tiny, ConversionPlan((INT8,)), tmp_path / "out").files
    calibration = made.card.quantization.calibration
    assert calibration["range_rule"] == "percentile"
    assert (calibration["crops"], calibration["people"]) == (96, 2)
    assert len(calibration["list_sha256"]) == 64
    assert made.card.calibration.operating_points == ()  # thresholds are bound to their file
    assert "ai-edge-quantizer" in made.card.tools


def test_two_runs_give_the_same_bytes(tiny: InstalledModel, tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("a", "b")]
    for folder in folders:
        convert(tiny, ConversionPlan((INT8, UINT8)), folder)
    for name in written(folders[0]):
        if not name.endswith("_drift.json"):  # which has latencies
            assert (folders[0] / name).read_bytes() == (folders[1] / name).read_bytes()


def test_existing_files_are_kept_unless_forced(tiny: InstalledModel, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "tiny_int8.json").write_text("mine")
    with pytest.raises(UsageError, match=r"tiny_int8.json .*--force"):
        convert(tiny, ConversionPlan((INT8,)), out)
    assert written(out) == ["tiny_int8.json"]
    convert(tiny, ConversionPlan((INT8,)), out, force=True)
    assert load_checked(out / "tiny_int8.tflite").card.variant == "int8"


@pytest.mark.parametrize(
    "failure", [ModelBuildError("no"), KeyboardInterrupt(), StorageError("disk full")]
)
def test_what_fails_half_way_leaves_nothing(
    tiny: InstalledModel,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    failure: BaseException,
) -> None:
    out, temporary = tmp_path / "out", tmp_path / "tmp"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    convert(tiny, ConversionPlan((INT8,)), out)
    before = {name: (out / name).read_bytes() for name in written(out)}
    measure = measure_drift

    def fails_at_the_second(*arguments: object, **options: object) -> object:
        if arguments[1].card.variant == "uint8":  # type: ignore[attr-defined]
            raise failure
        return measure(*arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(convert_module, "measure_drift", fails_at_the_second)
    with pytest.raises(type(failure)):
        convert(tiny, ConversionPlan((INT8, UINT8)), out, force=True)
    assert {name: (out / name).read_bytes() for name in written(out)} == before
    assert list(temporary.iterdir()) == []


def test_only_float32_embedding_models_are_quantized(tiny: InstalledModel, tmp_path: Path) -> None:
    (made,) = convert(tiny, ConversionPlan((INT8,)), tmp_path / "out").files
    with pytest.raises(UsageError, match="A float32 file is needed to start from"):
        require_quantizable(InstalledModel(made.card, made.path))


def test_an_open_batch_is_closed(tmp_path: Path) -> None:
    """As PyTorch's exporter leaves it; the size is the card's."""
    model = small_embedder(tmp_path / "source", (DYNAMIC, 16, 16, 3))
    assert has_dynamic_dimension(model.path.read_bytes())
    (made,) = convert(model, ConversionPlan((INT8,)), tmp_path / "out").files
    assert LiteRtNet(made.path).inputs[0].shape == (1, 16, 16, 3)
    assert isinstance(made.drift, Drift)
    assert made.drift.mean > 0.99


def test_a_file_that_does_not_tell_faces_apart_is_kept_only_where_asked_for(
    tiny: InstalledModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    measure = measure_drift

    def all_alike(*arguments: object, **options: object) -> object:
        found = measure(*arguments, **options)  # type: ignore[arg-type]  # passed on
        return replace(found, least_alike=(0.05, 0.99))

    monkeypatch.setattr(convert_module, "measure_drift", all_alike)
    out = tmp_path / "out"
    with pytest.raises(ModelBuildError, match=r"Most of the error comes from \w+.* --accept-drift"):
        convert(tiny, ConversionPlan((INT8,)), out)
    assert not out.exists()
    told = Told()
    (made,) = convert(tiny, ConversionPlan((INT8,)), out, accept_drift=True, reporter=told).files
    warning = load_checked(made.path).card.quantization.calibration["warning"]
    assert "does not tell faces apart" in warning
    assert f"warning: {warning}" in told.notes
    report = json.loads((out / "tiny_int8_drift.json").read_text())
    assert report["warning"] == warning
    require_schema("convert", Conversion("tiny:float32", "0" * 64, out, (made,)).to_dict())


def test_what_vela_refuses_is_said_and_the_other_files_are_kept(
    tiny: InstalledModel, tmp_path: Path
) -> None:
    pytest.importorskip("ethosu", reason="no Vela: pip install '.[convert]'")
    imx93 = replace(read_target("imx93"), bandwidths=())
    small = replace(imx93, name="small", memory_mode="Shared_Sram", sram=64)
    out = tmp_path / "out"
    converted = convert(tiny, ConversionPlan((UINT8,), targets=(small, imx93)), out)
    assert [file.path.name for file in converted.files] == [
        "tiny_uint8.tflite",
        "tiny_uint8_vela.tflite",
    ]
    assert all(file.path.is_file() for file in converted.files)
    assert not (out / "model_small").exists()
    (failure,) = converted.failures
    assert failure.target == "small"
    assert isinstance(failure.error, AcceleratorError)
    assert re.search(r"needs [\d,]+ bytes of SRAM .* and 64 are there", str(failure.error))
    whole = Conversion("tiny:float32", "0" * 64, out, converted.files, converted.failures).to_dict()
    require_schema("convert", whole)
    assert whole["failed_targets"][0]["error"]["exit_code"] == 6


def test_the_command_exits_with_6_and_lists_what_it_kept(
    tiny: InstalledModel, tmp_path: Path
) -> None:
    pytest.importorskip("ethosu", reason="no Vela: pip install '.[convert]'")
    board = tmp_path / "board.toml"
    board.write_text(
        'title = "x"\naccelerator_config = "ethos-u65-256"\nmemory_mode = "Shared_Sram"\n'
        'system_config = "Ethos_U65_High_End"\nsram = 64\n'
    )
    out = tmp_path / "out"
    arguments = ["convert", str(tiny.path), "--int8", "--vela", str(board), "-o", str(out)]
    result = CliRunner().invoke(cli, [*arguments, "--accept-drift"])
    assert result.exit_code == 6, result.stderr
    assert "tiny_uint8.tflite does not fit board: it needs" in result.stderr
    for name in ("tiny_int8.tflite", "tiny_uint8.tflite"):
        assert (out / name).is_file()
        assert name in result.stdout
    assert not (out / "model_board").exists()


def test_a_small_network_that_ends_with_a_unit_length_goes_to_the_npu(tmp_path: Path) -> None:
    """The unit length and the conversion before it stay on the CPU, which is said."""
    pytest.importorskip("ethosu", reason="no Vela: pip install '.[convert]'")
    told = Told()
    plan = ConversionPlan((UINT8,), targets=(replace(read_target("imx93"), bandwidths=()),))
    model = small_embedder(tmp_path / "source", (1, 16, 16, 3))
    quantized, compiled = convert(model, plan, tmp_path / "out", reporter=told).files
    assert "uint8: left in float32: 1 x L2_NORMALIZATION" in told.notes
    assert isinstance(quantized.drift, Drift)
    assert quantized.drift.mean > 0.99
    assert compiled.compiled is not None
    assert len(compiled.compiled.report.cpu_operators) == 2
    assert compiled.card.npu_milliseconds == pytest.approx(
        compiled.compiled.report.estimate.time_ms, abs=0.005
    )


def small_embedder(folder: Path, shape: tuple[int, ...]) -> InstalledModel:
    """Two convolutions with PReLU and leaky ReLU, a dense layer, and unit length."""
    random = np.random.default_rng(7)

    def noise(*sides: int, scale: float = 1.0) -> Float32Array:
        return (scale * random.standard_normal(sides)).astype(np.float32)

    x = operations.graph_input("picture", shape)
    x = operations.convolution(x, noise(3, 3, 3, 8, scale=0.3), "first", stride=(2, 2))
    x = operations.prelu(x, random.uniform(-0.5, 0.5, 8).astype(np.float32), "prelu")
    x = operations.convolution(x, noise(3, 3, 8, 8, scale=0.2), "second", pads=(1, 1, 1, 1))
    x = operations.mean(operations.leaky_relu(x, 0.1, "leaky"), "mean")
    x = operations.unit_length(operations.dense(x, noise(8, 10), "dense"), "unit")
    return write_embedder(folder, to_litert(Graph("small", (x,))))


@pytest.mark.model
def test_a_detector_of_several_nets_is_refused() -> None:
    with pytest.raises(UsageError, match="several nets"):
        require_quantizable(find("mtcnn:pnet"))


@pytest.mark.slow
@pytest.mark.model
def test_vela_compiles_the_file_with_uint8_input(tmp_path: Path) -> None:
    pytest.importorskip("ethosu", reason="no Vela: pip install '.[convert]'")
    out = tmp_path / "out"
    plan = ConversionPlan((UINT8,), targets=(read_target("imx93"),))
    made = convert(find(DEFAULT_MODEL), plan, out).files
    compiled = out / "model_imx93" / f"{DEFAULT_MODEL}_uint8_vela.tflite"
    assert [one.path for one in made] == [out / f"{DEFAULT_MODEL}_uint8.tflite", compiled]
    card = load_checked(compiled, read_all=True).card
    assert card.tools["compiled from sha256"] == made[0].card.file_sha256
    assert card.quantization.input_formula.startswith("q = pixel (uint8)")
    assert card.file_size_bytes <= 22e6
    assert made[1].compiled is not None
    assert made[1].compiled.report.npu_share >= 0.99


@pytest.fixture(scope="session")
def real(tmp_path_factory: pytest.TempPathFactory) -> tuple[ConvertedFile, ...]:
    """The default model's int8 file, made once from the ranges that ship."""
    return convert(
        find(DEFAULT_MODEL), ConversionPlan((INT8,)), tmp_path_factory.mktemp("real")
    ).files


@pytest.mark.model
def test_the_real_int8_model(real: tuple[ConvertedFile, ...]) -> None:
    (made,) = real
    assert made.card.file_size_bytes <= 24.7e6
    assert isinstance(made.drift, Drift)
    # 48 varied crops of three faces, harsher than LFW: 0.9993 and 0.9910 when this was written.
    assert made.drift.mean >= 0.9990
    assert made.drift.minimum >= 0.988
    inspected = inspect_model(made.path)
    in_file = sum(inspected.parameters.values())
    assert in_file + inspected.folded_parameters == 23_497_424
    assert inspected.macs is not None
    assert inspected.macs.total == 1_418_730_208
    assert inspected.histogram["CONV_2D"] == 132
    assert inspected.histogram["DEQUANTIZE"] == 1
    assert "MUL" not in inspected.histogram  # residual scaling is folded
    assert made.card.quantization.input_formula.startswith("q = pixel - 128 (int8)")
    assert made.card.quantization.calibration["crops"] == 1000


@pytest.mark.model
@pytest.mark.parametrize("recipe", [INT8, UINT8])
def test_shipped_thresholds_come_with_the_very_file_they_were_measured_on(recipe: Recipe) -> None:
    model = find(DEFAULT_MODEL)
    card = quantize(model, recipe, choose_ranges(model, None, RangeRule.PERCENTILE)).card
    shipped = shipped_calibration(DEFAULT_MODEL, recipe.variant)
    assert shipped is not None
    targets = [point.target for point in card.calibration.operating_points]
    if shipped.model_sha256 == card.file_sha256:
        assert targets == ["fmr=1e-2", "fmr=1e-3", "fmr=1e-4", "best-accuracy"]
    else:  # another TensorFlow wrote the float32 file
        assert targets == []
    by_minmax = quantize(model, recipe, choose_ranges(model, None, RangeRule.MINMAX)).card
    assert by_minmax.calibration.operating_points == ()
    assert by_minmax.calibration.embedding_mean is not None


@pytest.mark.model
def test_the_real_int8_model_is_made_again_byte_by_byte(real: tuple[ConvertedFile, ...]) -> None:
    model = find(DEFAULT_MODEL)
    again = quantize(model, INT8, choose_ranges(model, None, RangeRule.PERCENTILE))
    assert again.card.to_json() == real[0].card.to_json()
    assert again.content == real[0].path.read_bytes()


@pytest.mark.model
def test_uint8_and_int8_input_answer_alike(real: tuple[ConvertedFile, ...], tmp_path: Path) -> None:
    model = find(DEFAULT_MODEL)
    made = quantize(model, UINT8, choose_ranges(model, None, RangeRule.PERCENTILE))
    path = tmp_path / made.card.file_name
    path.write_bytes(made.content)
    crops = shipped_crops(model.card, count=3).images
    a, b = (
        embedder_of(LiteRtNet(file), card).embed(crops)
        for file, card in ((real[0].path, real[0].card), (path, made.card))
    )
    np.testing.assert_array_equal(a, b)


@pytest.mark.model
def test_a_full_disk_leaves_nothing(tmp_path: Path) -> None:
    """A limit on the size of files stands for it: writing fails in the middle."""
    out = tmp_path / "out"
    program = (
        "import resource, sys; from facekit.cli import main; "
        "resource.setrlimit(resource.RLIMIT_FSIZE, (10_000_000, 10_000_000)); "
        f"sys.argv = ['facekit', 'convert', '--int8', '-o', {str(out)!r}]; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == StorageError.exit_code, done.stderr
    assert "Cannot write" in done.stderr
    assert not out.exists() or list(out.iterdir()) == []
