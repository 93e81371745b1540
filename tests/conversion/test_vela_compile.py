"""Real runs of Vela on networks of a few kilobytes."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest

from facekit.conversion.vela import run
from facekit.conversion.vela.compile import compile_model
from facekit.conversion.vela.target import read_target
from facekit.enums import ColorOrder, CropRule, ResizeFilter
from facekit.errors import (
    AcceleratorError,
    MissingExtraError,
    ModelMismatchError,
    NoOperatingPointError,
    StorageError,
    UsageError,
)
from facekit.model.card import Card, Source, Task, bound, read_card, space_of
from facekit.model.inspect import inspect_model
from facekit.model.store import load_checked
from facekit.template.calibration import Calibration, OperatingPoint
from facekit.template.threshold import card_threshold
from facekit.types import CropSpec, InputSpec
from tests.told import Told

pytest.importorskip("ethosu", reason="no Vela: pip install '.[convert]'")
IMX93 = read_target("imx93")


@pytest.fixture
def model(data: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(data / "tiny" / "int8.tflite", tmp_path))


def with_card(model: Path) -> Path:
    content = model.read_bytes()
    card = Card(
        name="tiny",
        variant="int8",
        task=Task.DETECTION,
        architecture="tiny",
        file_name=model.name,
        file_sha256=sha256(content).hexdigest(),
        file_size_bytes=len(content),
        source=Source("noise", "", "0" * 64, "MIT"),
        input=InputSpec(16, 16, ColorOrder.RGB, mean=127.5, std=127.5),
        tools={"tensorflow": "2.21.0"},
    )
    model.with_suffix(".json").write_text(card.to_json())
    return model


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def test_all_operators_on_the_npu(model: Path, tmp_path: Path) -> None:
    compiled = compile_model(with_card(model), IMX93, tmp_path / "out")
    report = compiled.report
    assert report.cpu_operators == ()
    assert report.npu_share == 1.0
    assert report.macs == 14_552  # as tests/tasks/test_inspect_model.py counts by hand
    assert report.estimate.dram_gb_per_s == pytest.approx(5.0)
    assert [one.system_config for one in compiled.comparisons] == list(IMX93.bandwidths)
    assert names(tmp_path / "out") == [
        "int8_vela.json",
        "int8_vela.tflite",
        "int8_vela_report.json",
    ]
    assert inspect_model(compiled.path).is_compiled_by_vela


def test_the_card_names_vela_and_the_source(model: Path, tmp_path: Path) -> None:
    compiled = compile_model(with_card(model), IMX93, tmp_path / "out", bandwidths=False)
    card = load_checked(compiled.path, read_all=True).card  # sha256 and size are right
    assert (card.name, card.variant) == ("tiny", "int8_vela")
    assert card.tools["tensorflow"] == "2.21.0"
    assert card.tools["ethos-u-vela"] == run.vela_version()
    assert card.tools["compiled from sha256"] == sha256(model.read_bytes()).hexdigest()
    assert "ethos-u65-256" in card.tools["vela target"]


def test_an_estimate_that_fails_is_noted_and_left_out(model: Path, tmp_path: Path) -> None:
    """What is compared with says nothing about the file that is wanted."""
    told = Told()
    target = replace(IMX93, bandwidths=("No_Such_System",))
    compiled = compile_model(model, target, tmp_path / "out", reporter=told)
    assert compiled.comparisons == ()
    (note,) = told.notes
    assert note.startswith("no estimate for No_Such_System: Vela")
    assert compiled.path.is_file()


def test_thresholds_hold_for_the_compiled_file(model: Path, tmp_path: Path) -> None:
    """It has the integers that they were measured with, and another sha256."""
    point = OperatingPoint("fmr=1e-3", 0.4, 1e-3, 0.1, 9, 9, None, None, "made up", "nobody")
    card = replace(
        read_card(with_card(model).with_suffix(".json")),
        task=Task.EMBEDDING,
        crop=CropSpec(CropRule.MARGIN, 0.0, ResizeFilter.AREA),
        embedding_size=4,
        calibration=Calibration(operating_points=(point,)),
    )
    model.with_suffix(".json").write_text(bound(card).to_json())
    compiled = compile_model(model, IMX93, tmp_path / "out", bandwidths=False)
    made = load_checked(compiled.path, read_all=True).card
    assert (
        card_threshold(made.calibration, space_of(made, detector=None), fmr=1e-3).similarity == 0.4
    )
    with pytest.raises(NoOperatingPointError, match="model file"):
        card_threshold(made.calibration, space_of(bound(card), detector=None), fmr=1e-3)


def test_narrowed_weights_are_other_weights_without_thresholds(model: Path, tmp_path: Path) -> None:
    source = with_card(model)
    plain = compile_model(source, IMX93, tmp_path / "plain", bandwidths=False)
    narrow = compile_model(source, IMX93, tmp_path / "narrow", bandwidths=False, weight_bits=4)
    assert narrow.path.read_bytes() != plain.path.read_bytes()
    assert narrow.path.name == plain.path.name
    assert narrow.card_path is not None
    card = read_card(narrow.card_path)
    assert card.tools["weight bits"] == "4"
    assert card.calibration.operating_points == ()
    assert card.file_sha256 == sha256(narrow.path.read_bytes()).hexdigest()


def test_the_report_is_complete_json(model: Path, tmp_path: Path) -> None:
    compiled = compile_model(model, IMX93, tmp_path / "out", bandwidths=False)
    assert compiled.card_path is None
    payload = json.loads(compiled.report_path.read_bytes())
    assert payload["npu_operator_count"] == compiled.report.npu_operator_count
    assert len(payload["layers"]) == len(compiled.report.layers)
    assert sum(payload["share_of_time"].values()) == pytest.approx(1.0)


def test_two_runs_are_byte_identical(model: Path, tmp_path: Path) -> None:
    first, second = (
        compile_model(model, IMX93, tmp_path / name, bandwidths=False).path.read_bytes()
        for name in ("a", "b")
    )
    assert first == second


def test_a_network_left_on_the_cpu_is_refused_with_the_reasons(data: Path, tmp_path: Path) -> None:
    source = data / "tiny" / "cosines_int8.tflite"
    with pytest.raises(AcceleratorError, match=r"8 of 14 operators") as caught:
        compile_model(source, IMX93, tmp_path / "out")
    assert "4 x COS: Unsupported opType" in str(caught.value)
    assert names(tmp_path / "out") == []
    allowed = compile_model(
        source, IMX93, tmp_path / "out", bandwidths=False, allow_cpu_fallback=True
    )
    assert allowed.report.npu_share == pytest.approx(8 / 14)


def test_a_float_input_is_refused(data: Path, tmp_path: Path) -> None:
    with pytest.raises(AcceleratorError, match="convert --int8"):
        compile_model(data / "tiny" / "float32.tflite", IMX93, tmp_path)


def test_a_compiled_file_is_refused(model: Path, tmp_path: Path) -> None:
    compiled = compile_model(model, IMX93, tmp_path, bandwidths=False)
    with pytest.raises(ModelMismatchError, match="compiled by Vela already"):
        compile_model(compiled.path, IMX93, tmp_path)


def test_a_wrong_card_is_refused(model: Path, tmp_path: Path) -> None:
    with_card(model)
    with model.open("ab") as file:
        file.write(b"\0")
    with pytest.raises(ModelMismatchError, match="not the one that its card describes"):
        compile_model(model, IMX93, tmp_path)


def test_files_are_replaced_only_by_force(model: Path, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "int8_vela.tflite").write_bytes(b"earlier")
    with pytest.raises(UsageError, match="--force"):
        compile_model(model, IMX93, folder, bandwidths=False)
    assert (folder / "int8_vela.tflite").read_bytes() == b"earlier"
    compile_model(model, IMX93, folder, bandwidths=False, force=True)
    assert (folder / "int8_vela.tflite").read_bytes() != b"earlier"


def test_a_full_disk_leaves_earlier_files_alone(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "int8_vela_report.json").write_text("earlier")

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageError, match="No space left on device"):
        compile_model(model, IMX93, folder, bandwidths=False, force=True)
    assert names(folder) == ["int8_vela_report.json"]
    assert (folder / "int8_vela_report.json").read_text() == "earlier"


def test_a_network_that_needs_more_sram_than_there_is_gets_one_sentence(
    model: Path, tmp_path: Path
) -> None:
    """Vela takes the size for a target only, in this mode, and ends with 0."""
    shared = IMX93.with_memory(mode="Shared_Sram", sram=1000)
    with pytest.raises(AcceleratorError) as caught:
        compile_model(model, shared, tmp_path / "out", bandwidths=False)
    sentence = re.fullmatch(
        r"int8\.tflite does not fit imx93: it needs ([\d,]+) bytes of SRAM in the memory mode "
        r"Shared_Sram, and 1,000 are there\. If the part has more, say so by --sram; else keep the "
        r"feature maps in DRAM by the memory mode Dedicated_Sram, or take a smaller input or "
        r"narrower layers\.",
        str(caught.value),
    )
    assert sentence is not None
    needed = int(sentence[1].replace(",", ""))
    assert needed > 1000
    assert names(tmp_path / "out") == []
    more = IMX93.with_memory(mode="Shared_Sram", sram=needed)
    compile_model(model, more, tmp_path / "more", bandwidths=False)
    dedicated = IMX93.with_memory(mode="Dedicated_Sram", sram=1000)
    assert (
        compile_model(
            model, dedicated, tmp_path / "dedicated", bandwidths=False
        ).report.sram_used_bytes
        <= 1000
    )


def test_in_sram_only_the_weights_need_room_too(model: Path, tmp_path: Path) -> None:
    """Vela counts them as flash; feature maps alone would fit."""
    only = IMX93.with_memory(mode="Sram_Only")
    report = compile_model(model, only, tmp_path / "fits", bandwidths=False).report
    assert report.flash_used_bytes > 0
    less = only.with_memory(sram=report.sram_used_bytes + report.flash_used_bytes - 1)
    with pytest.raises(AcceleratorError, match=r"needs [\d,]+ bytes of SRAM .*Sram_Only"):
        compile_model(model, less, tmp_path / "out", bandwidths=False)


def vela_without_room(path: Path, *, below: int) -> None:
    """A stand-in that says what Vela 5.2 says, and is Vela where it may use less SRAM."""
    path.write_text(
        "#!/bin/sh\n"
        f'[ "$2" = ethosu.vela ] || exec {sys.executable} "$@"\n'
        "sram=393216\n"
        'while read -r one; do [ "$before" != --arena-cache-size ] || sram=$one; before=$one; done '
        '<<END\n$(printf "%s\\n" "$@")\nEND\n'
        f'[ $sram -ge {below} ] || exec {sys.executable} "$@"\n'
        'echo "RuntimeError: Compilation failed: Failed to allocate tensors. Memory used '
        '$((sram + 26000)), limit $sram)"\n'
        "exit 1\n"
    )
    path.chmod(0o755)


def test_where_tensors_find_no_place_vela_plans_again_for_less(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    vela_without_room(tmp_path / "vela", below=350_000)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "vela"))
    told = Told()
    out = tmp_path / "out"
    compiled = compile_model(with_card(model), IMX93, out, bandwidths=False, reporter=told)
    assert compiled.path.is_file()
    assert compiled.card_path is not None
    assert read_card(compiled.card_path).tools["planned for SRAM"] == "341216 bytes"
    assert any("planned again for 341,216 bytes" in note for note in told.notes)


def test_where_no_plan_fits_what_was_missing_at_first_is_said_in_one_sentence(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    vela_without_room(tmp_path / "vela", below=1)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "vela"))
    with pytest.raises(AcceleratorError) as caught:
        compile_model(model, IMX93, tmp_path / "out")
    text = str(caught.value)
    assert text.startswith("int8.tflite does not fit imx93: it needs 419,216 bytes of SRAM")
    assert "393,216 are there" in text
    assert "|" not in text
    assert names(tmp_path / "out") == []


def test_vela_failing_is_said_in_its_words(model: Path, tmp_path: Path) -> None:
    board = tmp_path / "board.toml"
    board.write_text(
        'title = "x"\naccelerator_config = "ethos-u65-256"\nmemory_mode = "No_Such_Mode"\n'
        'system_config = "Ethos_U65_High_End"\n'
    )
    with pytest.raises(AcceleratorError, match=r"exit status 1\): .*No_Such_Mode not found"):
        compile_model(model, read_target(str(board)), tmp_path / "out")
    assert names(tmp_path / "out") == []


def test_without_vela_the_error_names_the_extra(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    with pytest.raises(MissingExtraError, match=r"facekit-cli\[convert\]"):
        compile_model(model, IMX93, tmp_path / "out")


def test_an_interrupt_ends_vela_and_leaves_nothing(model: Path, tmp_path: Path) -> None:
    """`sleep` stands for a Vela that takes long: it must be gone after Ctrl-C."""
    marker, out = tmp_path / "vela_is_running", tmp_path / "out"
    code = (
        "import sys; from pathlib import Path; from facekit.conversion.vela import run;"
        "from facekit.conversion.vela.compile import compile_model;"
        "from facekit.conversion.vela.target import read_target;"
        f"run.sys.executable, model, out = {[str(tmp_path / 'slow'), str(model), str(out)]};"
        "compile_model(Path(model), read_target('imx93'), Path(out))"
    )
    slow = tmp_path / "slow"
    slow.write_text(
        f'#!/bin/sh\n[ "$2" = ethosu.vela ] || exec {sys.executable} "$@"\n'
        f"echo $$ > {marker}\nexec sleep 60\n"
    )
    slow.chmod(0o755)
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        env={**os.environ, "TMPDIR": str(temporary)},
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    deadline = time.monotonic() + 60
    while not (marker.exists() and marker.read_text().strip()):
        assert time.monotonic() < deadline, "Vela was not started"
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=30) != 0
    with pytest.raises(ProcessLookupError):
        os.kill(int(marker.read_text()), 0)
    assert names(out) == []
    assert names(temporary) == []
