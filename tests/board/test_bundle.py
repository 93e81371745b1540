"""Bundles of model files that are none: what is packed, under which names, and what is refused."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import stat
import tarfile
import zipfile
from importlib.metadata import PathDistribution
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from facekit.board import wheel as wheels
from facekit.board.bsp import BSPS
from facekit.board.command_stream import CommandStream
from facekit.board.make import make_bundle
from facekit.board.manifest import (
    Board,
    Bundle,
    Compiled,
    detector_files,
    find_embedder,
    read_bundle,
)
from facekit.board.targets import TARGETS
from facekit.cli import cli
from facekit.cli.commands.bundle import bundle as bundle_command
from facekit.cli.commands.compile import compile_command
from facekit.conversion.vela.target import MEMORY_MODES
from facekit.enums import Device, LiteRtPackage
from facekit.errors import (
    ModelBuildError,
    ModelMismatchError,
    ModelMissingError,
    StorageError,
    UsageError,
)
from facekit.model.card import VELA_ESTIMATE, Task
from facekit.model.store import models_folder
from facekit.tasks.open_pipeline import PipelineRequest
from facekit.template.calibration import Calibration, OperatingPoint
from tests.board.compiled_files import vela_file
from tests.model.made_up_model import write_model
from tests.schemas import require_schema
from tests.text_tables import require_readable

WHEEL = "facekit_cli-9.9-py3-none-any.whl"
SCRIPTS = Path(__file__).resolve().parents[2] / "scripts" / "imx"
FOR_NPU = vela_file()
VELA_TOOLS = {"ethos-u-vela": "5.2.0"}


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What convert would have written, and a store with the detector and float32."""
    monkeypatch.setenv("FACEKIT_HOME", str(tmp_path / "home"))
    for net in ("pnet", "rnet", "onet"):
        write_model(models_folder() / "mtcnn", "mtcnn", net)
    write_model(models_folder() / "toy", "toy", "float32")
    folder = tmp_path / "converted"
    write_model(folder, "toy", "int8", b"integers")
    write_model(folder, "toy", "uint8", b"integers alone")
    write_model(folder / "model_imx93", "toy", "uint8_vela", FOR_NPU, tools=VELA_TOOLS)
    (tmp_path / WHEEL).write_bytes(b"no wheel")
    return folder


def made(models: Path, target: str, name: str = "bundle.tar.gz") -> Path:
    output = models.parent / name
    wheel = models.parent / WHEEL
    return make_bundle("toy", target, output, models=models, wheel=wheel).path


def unpacked(archive: Path) -> Path:
    folder = archive.parent / "unpacked"
    with tarfile.open(archive) as tar:
        tar.extractall(folder, filter="data")
    (bundle,) = folder.iterdir()
    return bundle


@pytest.mark.parametrize(
    ("target", "variants"),
    [("imx93", {"uint8_vela", "int8"}), ("imx8mp", {"uint8", "int8"}), ("cpu", {"float32"})],
)
def test_the_target_decides_which_models_are_in_it(
    models: Path, target: str, variants: set[str]
) -> None:
    folder = unpacked(made(models, target))
    assert folder.name == f"facekit-{target}"
    names = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    scripts = {path.name for path in SCRIPTS.iterdir()}
    files = {f"models/toy/toy_{variant}" for variant in variants}
    files |= {f"models/mtcnn/mtcnn_{net}" for net in ("pnet", "rnet", "onet")}
    units = {"facekit-watch.service", "facekit-serve.service", "facekit-serve.socket"}
    others = {"README.md", "SHA256SUMS", "bundle.json", *units, f"wheels/{WHEEL}"}
    assert names == scripts | others | {
        f"{name}{suffix}" for name in files for suffix in (".tflite", ".json")
    }
    for script in SCRIPTS.glob("*.sh"):
        assert (folder / script.name).stat().st_mode & stat.S_IXUSR


def test_the_readme_says_who_measured_a_threshold(models: Path) -> None:
    point = OperatingPoint(
        "fmr=1e-3", 0.5, 1e-3, 0.1, 9, 9000, None, None, "own list", "own photos"
    )
    measured = Calibration(operating_points=(point,))
    write_model(models_folder() / "toy", "toy", "float32", calibration=measured)
    readme = (unpacked(made(models, "cpu")) / "README.md").read_text()
    mark = "own photos, own list; figures measured by whoever made this card"
    assert f"| fmr=1e-3 | 0.5000 | 0.001 | {mark} |" in readme


def test_the_sums_are_those_of_the_files(models: Path) -> None:
    folder = unpacked(made(models, "imx93"))
    lines = [line.split() for line in (folder / "SHA256SUMS").read_text().splitlines()]
    assert len(lines) == sum(path.is_file() for path in folder.rglob("*")) - 1
    for sha256, name in lines:
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == sha256


def test_the_same_bytes_every_time_and_nothing_of_this_machine(models: Path) -> None:
    first, second = made(models, "imx93", "a.tgz"), made(models, "imx93", "b.tgz")
    assert first.read_bytes() == second.read_bytes()
    with tarfile.open(first) as tar:
        members = tar.getmembers()
    assert [member.name for member in members] == sorted(member.name for member in members)
    for member in members:
        assert member.isreg()
        assert (member.uid, member.gid, member.uname, member.mtime) == (0, 0, "", 0)


def test_each_device_finds_its_file(models: Path) -> None:
    folder = unpacked(made(models, "imx93"))
    bundle = read_bundle(folder)
    assert (bundle.target, bundle.model) == ("imx93", "toy")
    assert bundle.variants == TARGETS["imx93"].variants
    assert bundle.device is Device.IMX93_NPU
    npu = find_embedder(folder, bundle, device=Device.IMX93_NPU)
    assert npu.path.read_bytes() == FOR_NPU
    assert find_embedder(folder, bundle, device=Device.CPU).card.variant == "int8"
    for device in bundle.variants:
        files = detector_files(folder, bundle, device=device)
        assert [path.stem for path in files] == ["mtcnn_pnet", "mtcnn_rnet", "mtcnn_onet"]
        assert all(path.is_file() for path in files)
    with pytest.raises(UsageError, match="is for imx93: --device imx93-npu, cpu"):
        find_embedder(folder, bundle, device=Device.IMX8MP_NPU)
    with pytest.raises(ModelMissingError, match=r"toy_float16\.tflite"):
        find_embedder(folder, bundle, device=Device.CPU, variant="float16")


def test_a_detector_of_one_net_has_a_file_for_each_device(models: Path) -> None:
    write_model(models, "yunet", "int8", b"for the CPU", task=Task.DETECTION)
    compiled = models / "model_imx93"
    tools = {**VELA_TOOLS, VELA_ESTIMATE: "2.50 ms"}
    write_model(compiled, "yunet", "uint8_vela", FOR_NPU, task=Task.DETECTION, tools=tools)
    tools = {**VELA_TOOLS, VELA_ESTIMATE: "9.25 ms"}
    write_model(compiled, "toy", "uint8_vela", FOR_NPU, tools=tools)
    output = models.parent / "yunet.tar"
    wheel = models.parent / WHEEL
    make_bundle("toy", "imx93", output, detector="yunet", models=models, wheel=wheel)
    folder = unpacked(output)
    bundle = read_bundle(folder)
    assert (bundle.detector, bundle.detector_variants) == ("yunet", bundle.variants)
    for device, content in ((Device.IMX93_NPU, FOR_NPU), (Device.CPU, b"for the CPU")):
        (file,) = detector_files(folder, bundle, device=device)
        assert file.read_bytes() == content
    assert not (folder / "models" / "mtcnn").exists()
    readme = (folder / "README.md").read_text()
    assert "yunet, runs on the same device as the model" in readme
    assert "23.5 ms for one verify, two detections and two embeddings" in readme
    request = PipelineRequest(bundle=folder).locate_options
    assert (request.nets, request.accelerator.device) == (
        detector_files(folder, bundle, device=Device.IMX93_NPU),
        Device.IMX93_NPU,
    )


def test_the_commands_words_are_the_codes() -> None:
    """Help pages are made without importing what defines them."""
    words = {
        parameter.name: tuple(parameter.type.choices)
        for command in (bundle_command, compile_command)
        for parameter in command.params
        if isinstance(parameter.type, click.Choice)
    }
    assert words == {
        "target": tuple(TARGETS),
        "bsp": tuple(BSPS),
        "memory_mode": MEMORY_MODES,
    }


def test_the_cpus_variant_can_be_chosen(models: Path) -> None:
    output = models.parent / "cpu.tar"
    wheel = models.parent / WHEEL
    make_bundle("toy", "cpu", output, models=models, cpu_variant="int8", wheel=wheel)
    assert read_bundle(unpacked(output)).variants == {Device.CPU: "int8"}


def test_a_missing_model_names_the_commands_that_make_it(models: Path, tmp_path: Path) -> None:
    (models / "model_imx93" / "toy_uint8_vela.tflite").unlink()
    with pytest.raises(ModelMissingError, match=r"facekit convert toy .*--vela imx93"):
        made(models, "imx93")
    assert not (tmp_path / "bundle.tar.gz").exists()


def test_a_model_that_is_not_as_its_card_says_is_refused(models: Path) -> None:
    (models / "toy_int8.tflite").write_bytes(b"tampered")
    with pytest.raises(ModelMismatchError, match="sha256"):
        made(models, "imx8mp")


def test_two_files_of_one_name_are_refused(models: Path) -> None:
    write_model(models / "old", "toy", "int8")
    with pytest.raises(UsageError, match=r"One toy_int8\.tflite is needed"):
        made(models, "imx8mp")


def test_an_archive_is_a_tar(models: Path) -> None:
    with pytest.raises(UsageError, match=r"must end in \.tar"):
        made(models, "cpu", "bundle.zip")


def test_a_wheel_must_be_one_of_facekit(models: Path) -> None:
    other = models.parent / "other-1.0-py3-none-any.whl"
    other.touch()
    with pytest.raises(UsageError, match=r"facekit_cli-\*\.whl"):
        make_bundle("toy", "cpu", models.parent / "a.tar", models=models, wheel=other)


@pytest.mark.parametrize("failing", ["work", "output"])
def test_a_full_disk_leaves_the_earlier_archive(
    models: Path, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    def full(*_arguments: object, **_named: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    archive = made(models, "cpu")
    before = archive.read_bytes()
    if failing == "work":
        monkeypatch.setattr(Path, "write_text", full)
    else:
        monkeypatch.setattr(tarfile.TarFile, "addfile", full)
    with pytest.raises(StorageError, match="No space left on device"):
        make_bundle("toy", "cpu", archive, models=models, wheel=models.parent / WHEEL)
    monkeypatch.undo()
    assert archive.read_bytes() == before
    assert not list(archive.parent.glob(".bundle*"))


def test_the_command_says_what_runs_on_which_device(models: Path) -> None:
    output = models.parent / "b.tar.gz"
    arguments = ["bundle", "toy", "--target", "imx93", "-o", str(output)]
    arguments += ["--models", str(models), "--wheel", str(models.parent / WHEEL)]
    result = CliRunner().invoke(cli, [*arguments, "--json"])
    assert result.exit_code == 0, result.stderr
    payload = json.loads(result.stdout)
    require_schema("bundle", payload)
    assert payload["detector"] == {"name": "mtcnn", "devices": {}}
    assert payload["devices"] == {"imx93-npu": "toy:uint8_vela", "cpu": "toy:int8"}
    assert payload["board"] == {
        "bsp": list(BSPS)[-1],
        "runtime": "tflite_runtime",
        "delegate": "libethosu_delegate.so",
    }
    assert payload["compiled"]["version"] == "5.2.0"
    assert payload["size_bytes"] == output.stat().st_size
    assert CliRunner().invoke(cli, arguments).exit_code == 2
    text = CliRunner().invoke(cli, [*arguments, "--force"])
    assert f"\nwheel     {WHEEL}\n" in text.stdout
    require_readable(text.stdout)
    missing = CliRunner().invoke(cli, [*arguments, "--force", "--models", "none"])
    assert missing.exit_code == 5


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[]", "bundle must be an object"),
        ('{"schema_version": 2}', "schema_version 1 needed, received 2"),
        (
            '{"schema_version": 1, "target": "cpu", "model": "../x", "variants": {"cpu": "a"}}',
            "model must be of letters",
        ),
        (
            '{"schema_version": 1, "target": "cpu", "model": "x", "variants": {"gpu": "a"}}',
            "'gpu' is not a valid Device",
        ),
        (
            '{"schema_version": 1, "target": "cpu", "model": "x", "variants": {}}',
            "names no device",
        ),
        (
            '{"schema_version": 1, "target": "cpu", "model": "x", "variants": {"cpu": "a"}}',
            "bundle.detector is missing",
        ),
        ("{", "Expecting property name"),
    ],
)
def test_a_damaged_bundle_is_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "bundle.json").write_text(text)
    with pytest.raises(ModelMismatchError, match=message):
        read_bundle(tmp_path)


def test_a_folder_that_is_no_bundle(tmp_path: Path) -> None:
    with pytest.raises(ModelMissingError, match="is no unpacked bundle"):
        read_bundle(tmp_path)


def test_the_manifest_is_read_back(tmp_path: Path) -> None:
    stream = CommandStream("COP1", "ethos-u65-256")
    board = Board("6.12", LiteRtPackage.TFLITE_RUNTIME, "libethosu_delegate.so")
    for bundle in (
        Bundle("cpu", "toy", {Device.CPU: "int8"}),
        Bundle(
            *("imx93", "toy", {Device.IMX93_NPU: "a", Device.CPU: "b"}),
            board=board,
            compiled=Compiled("ethos-u-vela", None, stream),
        ),
    ):
        (tmp_path / "bundle.json").write_text(bundle.to_json())
        assert read_bundle(tmp_path) == bundle


def test_a_wheel_that_cannot_be_made_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the checkout, without an index to fetch setuptools from."""
    for name, value in {"PIP_NO_INDEX": "1", "PIP_CONFIG_FILE": os.devnull}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    with pytest.raises(ModelBuildError, match=r"pip wheel ended with exit code 1: .*--wheel"):
        wheels.make_wheel(tmp_path)


def test_installed_files_become_a_wheel_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = tmp_path / "site"
    info = site / "facekit_cli-1.2.dist-info"
    files = {
        "facekit/__init__.py": "x = 1\n",
        "facekit/__pycache__/__init__.cpython-311.pyc": "compiled",
        "facekit_cli-1.2.dist-info/METADATA": "Name: facekit-cli\nVersion: 1.2\n",
        "facekit_cli-1.2.dist-info/INSTALLER": "pip\n",
    }
    for name, content in files.items():
        (site / name).parent.mkdir(parents=True, exist_ok=True)
        (site / name).write_text(content)
    record = [f"{name},," for name in files] + ["../../bin/facekit,,"]
    (info / "RECORD").write_text("\n".join(record))
    monkeypatch.setattr(wheels, "_PACKAGE", site / "facekit")
    monkeypatch.setattr(wheels, "distribution", lambda name: PathDistribution(info))
    made = wheels.make_wheel(tmp_path)
    assert made.name == "facekit_cli-1.2-py3-none-any.whl"
    with zipfile.ZipFile(made) as archive:
        assert archive.namelist() == [
            "facekit/__init__.py",
            "facekit_cli-1.2.dist-info/METADATA",
            "facekit_cli-1.2.dist-info/RECORD",
        ]
        written = archive.read("facekit_cli-1.2.dist-info/RECORD").decode().splitlines()
    assert written[0].split(",")[0::2] == ["facekit/__init__.py", "6"]
    assert len(written[0].split(",")[1]) == len("sha256=") + 43

    (info / "RECORD").unlink()
    with pytest.raises(ModelBuildError, match=r"No wheel of facekit .*--wheel"):
        wheels.make_wheel(tmp_path)
