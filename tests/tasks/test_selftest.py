"""What selftest finds, with real networks: a delegate that computes wrongly, a damaged runtime."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

import facekit
from facekit.cli import cli
from facekit.enums import CropRule, Device, ResizeFilter, Runtime
from facekit.errors import AcceleratorError, ModelMismatchError, ModelMissingError
from facekit.face.geometry import overlaps
from facekit.face.portraits import face_boxes
from facekit.model import registry
from facekit.model.golden_faces import golden_boxes, golden_embeddings
from facekit.model.store import find, load_checked
from facekit.runtime.delegates import DeviceUse
from facekit.tasks.selftest_results import Check, CheckKind, DeviceAnswers, RunTimes, SelfTest
from facekit.tasks.selftest_run import for_cpu
from facekit.types import CropSpec
from tests.c_delegate import compile_delegate, needs_compiler
from tests.model.made_up_model import write_model
from tests.schemas import require_schema
from tests.text_tables import require_readable

DEFAULT = "facenet512-casia"
DAMAGED = '''
"""Every seventh number that a network answers has the other sign."""
from ai_edge_litert import interpreter as sound
from ai_edge_litert.interpreter import load_delegate

class Interpreter(sound.Interpreter):
    def get_tensor(self, index):
        values = super().get_tensor(index).copy()
        values.reshape(-1)[::7] *= -1
        return values
'''


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(cli, ["selftest", *map(str, arguments)])


def told(*arguments: str | Path, code: int = 0) -> dict[str, Any]:
    result = run(*arguments, "--json")
    assert result.exit_code == code, result.stderr
    payload: dict[str, Any] = json.loads(result.stdout)
    require_schema("selftest", payload)
    return payload


def passed(payload: dict[str, Any]) -> dict[tuple[str, str], bool]:
    return {(one["device"], one["check"]): one["passed"] for one in payload["checks"]}


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compile_delegate(tmp_path_factory.mktemp("delegate") / "libtest_delegate.so")


ALONE = ("repeated-embeddings", "people-apart", "known-embeddings", "known-boxes")


@pytest.mark.model
@pytest.mark.parametrize("model", [DEFAULT, "sface"])
@pytest.mark.parametrize("detector", ["mtcnn", "yunet"])
def test_the_cpu_computes_what_is_known_of_facekits_own_models(model: str, detector: str) -> None:
    payload = told("--model", model, "--detector", detector)
    assert passed(payload) == {("cpu", check): True for check in ALONE}
    assert (payload["known_embeddings"], payload["known_boxes"]) == (True, True)
    (cpu,) = payload["answers"]
    assert cpu["detector"].startswith(detector)
    assert [face["face_count"] for face in cpu["faces"]] == [1, 1, 1]
    assert min(face["float32_cosine"] for face in cpu["faces"]) > 0.9999
    assert min(cpu["times"]["embedding"].values()) > 0


@pytest.mark.model
@needs_compiler
@pytest.mark.parametrize("model", [DEFAULT, "sface"])
def test_a_delegate_that_computes_rightly_passes(model: str, library: Path) -> None:
    result = run(
        "--model", model, "--delegate", library, "--delegate-option", "compute=right", "--json"
    )
    assert result.exit_code == 0, result.stderr
    payload = json.loads(result.stdout)
    require_schema("selftest", payload)
    assert all(passed(payload).values())
    assert ("delegate", "cpu-embeddings") in passed(payload)
    cpu, device = payload["answers"]
    assert (cpu["device"], cpu["delegated_count"]) == ("cpu", 0)
    assert device["delegate"] == str(library)
    assert device["delegated_count"] > 50, "operators, each by itself"
    assert device["detector"] is None, "a float32 detector stays on the CPU, and is tested there"
    assert min(face["cpu_cosine"] for face in device["faces"]) > 0.9999


@pytest.mark.model
@needs_compiler
@pytest.mark.parametrize("model", [DEFAULT, "sface"])
def test_a_delegate_that_computes_wrongly_is_exit_code_6_with_the_numbers(
    model: str, library: Path
) -> None:
    options = ("--model", model, "--delegate", library, "--delegate-option", "compute=wrong")
    payload = told(*options, code=6)
    found = passed(payload)
    assert all(found["cpu", check] for check in ALONE)
    assert not found["delegate", "cpu-embeddings"]
    assert (payload["passed"], payload["device"]) == (False, "delegate")
    (problem,) = payload["problems"]
    assert (problem["type"], problem["exit_code"]) == ("AcceleratorError", 6)
    (least,) = (one["measured"] for one in payload["checks"] if one["check"] == "cpu-embeddings")
    assert f"embeddings as on the CPU ({least:.3f}, 0.99 needed)" in problem["message"]
    assert least == min(face["cpu_cosine"] for face in payload["answers"][1]["faces"])


@pytest.mark.model
@needs_compiler
def test_people_read_a_table_and_a_verdict(library: Path) -> None:
    wrong = run("--model", "sface", "--delegate", library, "--delegate-option", "compute=wrong")
    assert wrong.exit_code == 6
    require_readable(wrong.stdout)
    assert wrong.stdout.splitlines()[-1] == "failed: 1 of 7 checks, on delegate"
    assert f"delegate ({library}) does not compute with sface:float32 what" in wrong.stderr
    right = run("--model", "sface")
    require_readable(right.stdout)
    last = right.stdout.splitlines()[-1]
    assert last == "passed: the CPU computes what is known of sface:float32"
    assert right.stderr == ""


@pytest.mark.model
@needs_compiler
@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("compute=42", "one person nearer than two people (0.000, 0.05 needed)"),
        ("compute=zero", "The accelerator computes no embedding of a face with"),
        ("invoke=fail", "the accelerator does not answer"),
        ("take=none", "took no operator"),
        ("refuse=no NPU", "no NPU"),
    ],
)
def test_a_delegate_that_is_good_for_nothing_is_exit_code_6(
    library: Path, option: str, message: str
) -> None:
    result = run("--model", "sface", "--delegate", library, "--delegate-option", option)
    assert result.exit_code == 6
    assert message in result.stderr


@pytest.mark.model
def test_a_damaged_runtime_is_found_and_exit_code_5(tmp_path: Path) -> None:
    package = tmp_path / "tflite_runtime"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "interpreter.py").write_text(DAMAGED)
    done = subprocess.run(
        [sys.executable, "-m", "facekit", "selftest", "--model", "sface", "--json"],
        env={
            **os.environ,
            "FACEKIT_RUNTIME": "tflite_runtime",
            "PYTHONPATH": os.pathsep.join((str(tmp_path), *sys.path)),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 5, done.stderr
    payload = json.loads(done.stdout)
    require_schema("selftest", payload)
    found = passed(payload)
    assert not found["cpu", "known-embeddings"]
    assert not found["cpu", "known-boxes"]
    assert "the runtime or one of its libraries is damaged" in done.stderr


def of_unknown_weights(name: str, folder: Path) -> Path:
    """A stored model's file, as if its weights were of another source."""
    model = find(name)
    path = folder / model.path.name
    path.symlink_to(model.path)
    card = replace(model.card, source=replace(model.card.source, sha256="0" * 64))
    path.with_suffix(".json").write_text(card.to_json())
    return path


@pytest.mark.model
def test_of_an_imported_model_nothing_is_known_and_it_is_said(tmp_path: Path) -> None:
    model, detector = (of_unknown_weights(name, tmp_path) for name in ("sface", "yunet"))
    result = run("--model", model, "--detector", detector)
    assert result.exit_code == 0, result.stderr
    assert "facekit knows no answers of sface:float32" in result.stderr
    assert "facekit knows no answers of the detector yunet" in result.stderr
    assert "nothing more is known of this model" in " ".join(result.stdout.split())
    payload = told("--model", model, "--detector", detector)
    assert (payload["known_embeddings"], payload["known_boxes"]) == (False, False)
    assert {check for _, check in passed(payload)} == {*ALONE} - {"known-embeddings"}


@pytest.mark.model
def test_the_cpu_never_stands_in_for_a_device() -> None:
    result = run("--device", "imx93-npu")
    assert (result.exit_code, result.stdout) == (6, "")
    assert "No delegate for imx93-npu" in result.stderr
    assert run("--device", "imx93-npu", "--allow-cpu-fallback").exit_code == 2
    permitted = facekit.AcceleratorRequest(device=Device.IMX93_NPU, allow_cpu_fallback=True)
    with pytest.raises(AcceleratorError, match="No delegate"):
        facekit.selftest(request=facekit.PipelineRequest(accelerator=permitted))


class TestReference:
    """The file that the CPU runs in place of one that is compiled for an NPU."""

    def test_a_file_that_the_cpu_can_run_is_run_itself(self, tmp_path: Path) -> None:
        model = load_checked(write_model(tmp_path, variant="uint8"))
        write_model(tmp_path, variant="int8")
        assert for_cpu(model) is model

    @pytest.mark.parametrize("compiler", ["vela", "neutron"])
    def test_of_a_compiled_file_it_is_the_file_that_was_compiled_then_any_other(
        self, tmp_path: Path, compiler: str
    ) -> None:
        """Beside it, as in a bundle, or above it, as convert writes."""
        folder = tmp_path / "model_imx93"
        model = load_checked(write_model(folder, variant=f"uint8_{compiler}"))
        with pytest.raises(ModelMissingError, match=r"toy_int8\.tflite and its card are needed"):
            for_cpu(model)
        for place, variant in ((tmp_path, "float32"), (folder, "int8"), (tmp_path, "uint8")):
            path = write_model(place, variant=variant)
            assert for_cpu(model).path == path


class TestKnownAnswers:
    @pytest.mark.parametrize("name", ["mtcnn", "yunet"])
    def test_the_known_boxes_are_where_the_faces_are(self, name: str) -> None:
        card = replace(registry_card(name))
        boxes = golden_boxes(card)
        assert boxes is not None
        assert overlaps(boxes, face_boxes()).diagonal().min() > 0.85
        assert golden_boxes(registry_card("sface")) is None

    @pytest.mark.parametrize(("name", "size"), [(DEFAULT, 512), ("sface", 128)])
    def test_the_known_embeddings_are_of_unit_length_and_of_one_way_to_feed(
        self, name: str, size: int
    ) -> None:
        card = registry_card(name)
        known = golden_embeddings(card)
        assert known is not None
        assert known.shape == (3, size)
        np.testing.assert_allclose(np.linalg.norm(known, axis=1), 1, atol=1e-4)
        assert golden_embeddings(replace(card, input=replace(card.input, mean=128.0))) is not None
        assert golden_embeddings(replace(card, input=replace(card.input, std=1.0))) is None
        other_crop = CropSpec(CropRule.NONE, 0.0, ResizeFilter.BILINEAR)
        assert golden_embeddings(replace(card, crop=other_crop)) is None


def registry_card(name: str) -> facekit.Card:
    """The card of the float32 file that would be built."""
    entry = registry.entry(name)
    return facekit.Card(
        name=name,
        variant="float32",
        task=entry.task,
        architecture=entry.architecture,
        file_name="x.tflite",
        file_sha256="0" * 64,
        file_size_bytes=0,
        source=entry.source,
        input=entry.card.input,
        crop=entry.card.crop,
        embedding_size=entry.card.embedding_size,
    )


def answers(device: Device) -> DeviceAnswers:
    times = RunTimes(1, 1, 1)
    use = DeviceUse(Runtime.LITERT, device.value)
    return DeviceAnswers(use, "toy:int8", "0" * 64, 0, None, 0, times, None, 0.9, 0.1, ())


def test_where_the_cpu_is_wrong_its_error_comes_first() -> None:
    checks = tuple(
        Check(CheckKind.REPEATED_EMBEDDINGS, device.value, measured, 0.9)
        for device, measured in ((Device.CPU, 0.8), (Device.IMX93_NPU, math.nan))
    )
    done = SelfTest((answers(Device.CPU), answers(Device.IMX93_NPU)), True, False, checks)
    assert [type(problem) for problem in done.problems] == [ModelMismatchError, AcceleratorError]
    assert not done
    require_schema("selftest", done.to_dict())  # no NaN in JSON
    assert not Check(CheckKind.PEOPLE_APART, "cpu", math.nan, 0.0).passed
    assert Check(CheckKind.PEOPLE_APART, "cpu", 0.9, 0.9).passed
