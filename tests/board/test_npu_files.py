"""Files for an NPU that come into a bundle: Vela's, and those that the user has compiled."""

from __future__ import annotations

import os
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest

from facekit.board.command_stream import CommandStream, read_command_stream
from facekit.board.make import MadeBundle, make_bundle
from facekit.board.manifest import Compiled, read_bundle
from facekit.board.match import ThisBoard
from facekit.board.models import NpuFiles
from facekit.enums import Device
from facekit.errors import AcceleratorError, ModelMismatchError, UsageError
from facekit.model.card import Task
from facekit.model.store import load_checked, models_folder
from facekit.tasks import bundle as bundle_task
from facekit.tasks.open_pipeline import PipelineRequest, open_pipeline
from tests.board.compiled_files import U85_256, custom_file, vela_file
from tests.model.made_up_model import write_model
from tests.told import Told

COP1 = Compiled("ethos-u-vela", "5.2.0", CommandStream("COP1", "ethos-u65-256"))
VELA_TOOLS = {"ethos-u-vela": "5.2.0"}


class TestCommandStream:
    @pytest.mark.parametrize(
        ("content", "stated"),
        [
            (vela_file(), CommandStream("COP1", "ethos-u65-256")),
            (vela_file(0x10006009), CommandStream("COP1", "ethos-u65-512")),
            (vela_file(U85_256), CommandStream("COP1", "ethos-u85-256")),
            (vela_file(0x00001807), CommandStream("COP1", "ethos-u55-128")),
            (vela_file(0x70000008), CommandStream("COP1", "product-7-256")),
            (vela_file(letters=b"COP2"), CommandStream("COP2", None)),
            (custom_file("NeutronGraph"), None),
        ],
    )
    def test_what_the_driver_reads(
        self, tmp_path: Path, content: bytes, stated: CommandStream | None
    ) -> None:
        """The words are those that Vela 5.2 wrote for these NPUs."""
        (tmp_path / "x.tflite").write_bytes(content)
        assert read_command_stream(tmp_path / "x.tflite") == stated

    @pytest.mark.parametrize("content", [b"", b"for the NPU", custom_file("ethos-u", b"COP1")])
    def test_a_damaged_file_is_refused(self, tmp_path: Path, content: bytes) -> None:
        (tmp_path / "x.tflite").write_bytes(content)
        with pytest.raises(ModelMismatchError, match=r"x\.tflite"):
            read_command_stream(tmp_path / "x.tflite")

    def test_what_is_no_file_is_refused_at_once(self, tmp_path: Path) -> None:
        with pytest.raises(ModelMismatchError, match=r"x\.tflite cannot be read: No such file"):
            read_command_stream(tmp_path / "x.tflite")
        os.mkfifo(tmp_path / "x.tflite")
        with pytest.raises(ModelMismatchError, match=r"x\.tflite is a pipe"):
            read_command_stream(tmp_path / "x.tflite")

    def test_vela_itself_writes_it(self, data: Path, tmp_path: Path) -> None:
        pytest.importorskip("ethosu", reason="no Vela: pip install '.[convert]'")
        from facekit.conversion.vela.compile import compile_model
        from facekit.conversion.vela.target import read_target

        for target, accelerator in (("imx93", "ethos-u65-256"), ("ethos-u85-256", "ethos-u85-256")):
            read = replace(read_target(target), bandwidths=())
            made = compile_model(data / "tiny" / "int8.tflite", read, tmp_path / target)
            assert read_command_stream(made.path) == CommandStream("COP1", accelerator)


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FACEKIT_HOME", str(tmp_path / "home"))
    for net in ("pnet", "rnet", "onet"):
        write_model(models_folder() / "mtcnn", "mtcnn", net)
    folder = tmp_path / "converted"
    int8 = custom_file("a", kind="INT8")
    write_model(folder, "toy", "int8", int8)
    write_model(folder, "toy", "uint8", custom_file("a"))
    write_model(folder, "yunet", "int8", int8, task=Task.DETECTION)
    (tmp_path / "facekit_cli-9.9-py3-none-any.whl").write_bytes(b"no wheel")
    return folder


def made(models: Path, target: str, detector: str = "mtcnn", **options: object) -> MadeBundle:
    wheel = models.parent / "facekit_cli-9.9-py3-none-any.whl"
    output = models.parent / "made.tar"
    return make_bundle(
        *("toy", target, output), detector=detector, models=models, wheel=wheel,
        **options,  # type: ignore[arg-type]  # as the tests pass them
    )  # fmt: skip


def unpacked(archive: Path) -> Path:
    with tarfile.open(archive) as tar:
        tar.extractall(archive.parent / "unpacked", filter="data")
    (folder,) = (archive.parent / "unpacked").iterdir()
    return folder


class TestNpuFiles:
    def test_neutrons_file_comes_in_with_the_card_of_its_source(
        self, models: Path, tmp_path: Path
    ) -> None:
        file = tmp_path / "any name.tflite"
        file.write_bytes(custom_file("NeutronGraph", kind="INT8"))
        version = "3.0.0+0X6d41ac8b"
        bundle = made(models, "imx95", npu_files=NpuFiles(file, compiler_version=version)).bundle
        assert bundle.variants == {Device.IMX95_NPU: "int8_neutron", Device.CPU: "int8"}
        assert bundle.compiled == Compiled("neutron-converter", version)
        folder = unpacked(tmp_path / "made.tar")
        assert read_bundle(folder) == bundle
        packed = load_checked(folder / "models" / "toy" / "toy_int8_neutron.tflite", read_all=True)
        assert packed.path.read_bytes() == file.read_bytes()
        source = load_checked(models / "toy_int8.tflite").card
        assert packed.card.tools == {
            "neutron-converter": version,
            "compiled from": "toy_int8.tflite",
            "compiled from sha256": source.file_sha256,
        }
        text = (folder / "README.md").read_text()
        assert f"Neutron firmware of the version that compiled the files: {version}" in text

    def test_without_one_the_readme_says_what_to_run(self, models: Path, tmp_path: Path) -> None:
        told = Told()
        bundle = made(models, "imx95", bsp="6.12", reporter=told).bundle
        assert any("neutron-converter" in note for note in told.notes)
        assert bundle.variants[Device.IMX95_NPU] == "int8"
        text = (unpacked(tmp_path / "made.tar") / "README.md").read_text()
        assert "neutron-converter --input toy_int8.tflite --output toy_int8_neutron.tflite" in text
        assert "--target imx95" in text
        assert "click==8.1.8" in text  # of BSP 6.12

    def test_a_detectors_file_too(self, models: Path, tmp_path: Path) -> None:
        file = tmp_path / "x.tflite"
        file.write_bytes(custom_file("NeutronGraph", kind="INT8"))
        bundle = made(models, "imx943", "yunet", npu_files=NpuFiles(file, file)).bundle
        assert bundle.detector_variants[Device.IMX943_NPU] == "int8_neutron"
        assert bundle.compiled == Compiled("neutron-converter", None)
        with pytest.raises(UsageError, match="pass --npu-model and --npu-detector both"):
            made(models, "imx943", "yunet", npu_files=NpuFiles(file))
        with pytest.raises(UsageError, match="mtcnn's nets run on the CPU"):
            made(models, "imx943", npu_files=NpuFiles(file, file))

    def test_velas_file_is_of_the_source_with_the_same_input(
        self, models: Path, tmp_path: Path
    ) -> None:
        """As the image's own Vela makes it."""
        file = tmp_path / "x.tflite"
        file.write_bytes(vela_file())
        bundle = made(models, "imx93", npu_files=NpuFiles(file, compiler_version="3.12.0")).bundle
        assert bundle.variants[Device.IMX93_NPU] == "uint8_vela"
        assert bundle.compiled == replace(COP1, version="3.12.0")

    @pytest.mark.parametrize(
        ("target", "content", "error", "message"),
        [
            ("imx95", custom_file("a"), ModelMismatchError, "neutron-converter has compiled"),
            ("imx95", vela_file(), ModelMismatchError, "neutron-converter has compiled"),
            ("imx93", vela_file(U85_256), ModelMismatchError, "a file for ethos-u85-256"),
            ("imx95", custom_file("NeutronGraph", side=5), ModelMismatchError, "none of the files"),
            ("imx8mp", vela_file(), UsageError, "runs no file that a compiler has changed"),
            ("imx95", b"TFL3 no model", ModelMismatchError, "not a LiteRT model"),
        ],
    )
    def test_what_does_not_belong_there_is_refused(
        self, models: Path, target: str, content: bytes, error: type[Exception], message: str
    ) -> None:
        file = models.parent / "x.tflite"
        file.write_bytes(content)
        with pytest.raises(error, match=message):
            made(models, target, npu_files=NpuFiles(file))
        assert not (models.parent / "made.tar").exists()

    def test_a_version_without_a_file_is_refused(self, models: Path, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match="--npu-compiler goes with"):
            bundle_task.bundle("toy", target="imx95", output=tmp_path / "a.tar", npu_compiler="3")

    def test_files_of_two_compilers_are_refused(self, models: Path) -> None:
        folder = models / "model_imx93"
        write_model(folder, "toy", "uint8_vela", vela_file(), tools=VELA_TOOLS)
        write_model(
            folder, "yunet", "uint8_vela", vela_file(), task=Task.DETECTION,
            tools={"ethos-u-vela": "4.3.0"},
        )  # fmt: skip
        with pytest.raises(
            ModelMismatchError, match=r"One compiler .*toy.*5\.2\.0.*yunet.*4\.3\.0"
        ):
            made(models, "imx93", "yunet")

    def test_of_several_targets_in_one_folder_the_own_one_is_taken(self, models: Path) -> None:
        write_model(models / "model_imx93", "toy", "uint8_vela", vela_file(), tools=VELA_TOOLS)
        other = vela_file(U85_256)
        write_model(models / "model_ethos-u85-256", "toy", "uint8_vela", other, tools=VELA_TOOLS)
        streams = [made(models, name).bundle.compiled for name in ("imx93", "ethos-u85")]
        assert [
            one and one.command_stream and one.command_stream.accelerator for one in streams
        ] == [
            "ethos-u65-256",
            "ethos-u85-256",
        ]


def test_opening_a_bundle_refuses_the_npu_before_the_delegate_is_looked_for(
    models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "x.tflite"
    file.write_bytes(custom_file("NeutronGraph", kind="INT8"))
    made(models, "imx95", npu_files=NpuFiles(file, compiler_version="3.1.3+0X1e788118"))
    folder = unpacked(tmp_path / "made.tar")
    board = ThisBoard("6.18.2", "i.MX95", "3.0.0-0X6d41ac8b")
    monkeypatch.setattr("facekit.board.match.this_board", lambda: board)
    with pytest.raises(AcceleratorError, match="cannot run on imx95-npu here"):
        open_pipeline(PipelineRequest(bundle=folder))
    with pytest.raises(AcceleratorError, match="cannot run on imx95-npu here"):
        _ = PipelineRequest(bundle=folder).locate_options
