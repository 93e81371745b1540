"""Which image a bundle is made for, and on which boards its NPU is refused."""

from __future__ import annotations

import tarfile
from dataclasses import replace
from pathlib import Path

import pytest

from facekit.board.bsp import BSPS, bsp_of_kernel
from facekit.board.command_stream import CommandStream, read_command_stream
from facekit.board.make import MadeBundle, make_bundle
from facekit.board.manifest import Board, Bundle, Compiled, read_bundle
from facekit.board.match import ThisBoard, mismatch, require_match, this_board
from facekit.board.models import NpuFiles
from facekit.board.targets import TARGETS, board_for
from facekit.enums import Device, LiteRtPackage
from facekit.errors import AcceleratorError, ModelMismatchError, UsageError
from facekit.model.card import Task
from facekit.model.store import load_checked, models_folder
from facekit.tasks import bundle as bundle_task
from facekit.tasks.open_pipeline import PipelineRequest, open_pipeline
from tests.board.compiled_files import U85_256, custom_file, vela_file
from tests.model.made_up_model import write_model
from tests.told import Told

COP1 = Compiled("ethos-u-vela", "5.2.0", CommandStream("COP1", "ethos-u65-256"))
COP2 = Compiled("ethos-u-vela", "5.2.0", CommandStream("COP2", None))
VELA_TOOLS = {"ethos-u-vela": "5.2.0"}


def bundle(target: str, compiled: Compiled | None = None) -> Bundle:
    return Bundle(target, "toy", TARGETS[target].variants, compiled=compiled)


class TestKernel:
    @pytest.mark.parametrize(
        ("release", "row"),
        [
            ("6.1.36-gc6b8b4a4b8a4", "6.1"),
            ("6.1.22", "6.1"),
            ("6.6.52-lts-next-ge0f9e2afd4cf", "6.6"),
            ("6.12.20-lts-next", "6.12"),
            ("6.12.60", "6.12"),
            ("6.18.2-1.0.0", "6.18.2"),
            ("6.18.10", "6.18.2"),
            ("6.18.20", "6.18.20"),
            ("6.18.31-foo", "6.18.20"),
            ("6.1.1-1.0.0", None),
            ("5.15.71", None),
            ("6.19.0-rc1", None),
            ("6.11.0-29-generic", None),
            ("6.1", None),
            ("unknown", None),
        ],
    )
    def test_a_kernel_belongs_to_the_row_that_began_before_it(
        self, release: str, row: str | None
    ) -> None:
        found = bsp_of_kernel(release)
        assert (found and found.name) == row


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

    def test_vela_itself_writes_it(self, data: Path, tmp_path: Path) -> None:
        pytest.importorskip("ethosu", reason="no Vela: pip install '.[convert]'")
        from facekit.conversion.vela.compile import compile_model
        from facekit.conversion.vela.target import read_target

        for target, accelerator in (("imx93", "ethos-u65-256"), ("ethos-u85-256", "ethos-u85-256")):
            read = replace(read_target(target), bandwidths=())
            made = compile_model(data / "tiny" / "int8.tflite", read, tmp_path / target)
            assert read_command_stream(made.path) == CommandStream("COP1", accelerator)


class TestBoardFor:
    def test_the_newest_row_that_takes_the_files(self) -> None:
        newest = list(BSPS)[-1]
        runtime = LiteRtPackage.TFLITE_RUNTIME
        assert board_for("imx93", COP1, None) == Board(newest, runtime, "libethosu_delegate.so")
        assert board_for("imx8mp", None, None) == Board(newest, runtime, "libvx_delegate.so")
        assert board_for("imx95", None, None) == Board(newest, runtime, "libneutron_delegate.so")
        assert board_for("imx93", COP1, "6.1").bsp == "6.1"
        assert board_for("cpu", None, None) == Board()
        assert board_for("cpu", None, "6.6") == Board("6.6")
        u85 = Compiled("ethos-u-vela", None, CommandStream("COP1", "ethos-u85-512"))
        assert board_for("ethos-u85", u85, None) == Board(None, runtime, "libethosu_delegate.so")

    def test_a_row_without_a_delegate_for_the_board_is_refused(self) -> None:
        with pytest.raises(UsageError, match=r"--bsp 6\.1 .* has a delegate in 6\.6, 6\.12"):
            board_for("imx95", None, "6.1")
        with pytest.raises(UsageError, match=r"one of 6\.1, .* Received: 7"):
            board_for("imx93", COP1, "7")

    def test_commands_that_no_driver_knows_are_refused(self) -> None:
        with pytest.raises(
            ModelMismatchError, match=r"BSP 6\.18\.20 takes .* COP1\. Received: COP2"
        ):
            board_for("imx93", COP2, None)
        with pytest.raises(UsageError, match=r"--bsp 6\.12 does not go .* Received: COP2"):
            board_for("imx93", COP2, "6.12")

    def test_a_file_for_another_npu_is_refused(self) -> None:
        other = Compiled("ethos-u-vela", "5.2.0", CommandStream("COP1", "ethos-u65-512"))
        with pytest.raises(
            ModelMismatchError, match=r"a file for ethos-u65-512\. .*--target imx93"
        ):
            board_for("imx93", other, None)


class TestOnTheBoard:
    @pytest.mark.parametrize("kernel", ["6.1.55", "6.6.52-lts", "6.12.49", "6.18.20", "6.19.3"])
    def test_what_matches_or_is_not_known_is_not_refused(self, kernel: str) -> None:
        board = ThisBoard(kernel, "i.MX93")
        assert mismatch(bundle("imx93", COP1), Device.IMX93_NPU, board) is None
        require_match(bundle("imx93", COP1), Device.IMX93_NPU, board=board)

    def test_a_machine_that_is_no_imx_tells_nothing(self) -> None:
        """A kernel of Debian may have the number of a BSP."""
        board = ThisBoard("6.12.48+deb13-amd64")
        assert mismatch(bundle("imx93", COP2), Device.IMX93_NPU, board) is None

    def test_commands_newer_than_the_driver_are_refused(self) -> None:
        board = ThisBoard("6.12.20-lts-next", "i.MX93")
        with pytest.raises(AcceleratorError) as caught:
            require_match(bundle("imx93", COP2), Device.IMX93_NPU, board=board)
        assert caught.value.exit_code == 6
        for part in ("imx93-npu", "BSP 6.12", "COP1", "Received: COP2", "--device cpu"):
            assert part in str(caught.value)
        unknown = ThisBoard("6.19.3", "i.MX93")
        assert mismatch(bundle("imx93", COP2), Device.IMX93_NPU, unknown) is None

    def test_another_soc_is_refused(self) -> None:
        board = ThisBoard("6.12.20", "i.MX8MP")
        reason = mismatch(bundle("imx93", COP1), Device.IMX93_NPU, board)
        assert reason is not None
        assert "is an i.MX8MP" in reason
        assert "--target imx8mp" in reason
        for soc in ("i.MX943", "i.MX94"):
            assert mismatch(bundle("imx943"), Device.IMX943_NPU, ThisBoard("6.12.20", soc)) is None

    def test_an_image_without_the_delegate_is_refused(self) -> None:
        reason = mismatch(bundle("imx95"), Device.IMX95_NPU, ThisBoard("6.1.55", "i.MX95"))
        assert reason is not None
        assert "BSP 6.1" in reason

    def test_the_cpu_always_works(self) -> None:
        for board in (ThisBoard("6.12.20", "i.MX8MP"), ThisBoard("6.1.22", "i.MX93")):
            require_match(bundle("imx93", COP2), Device.CPU, board=board)

    @pytest.mark.parametrize(
        ("compiler", "firmware", "matches"),
        [
            ("3.0.0+0X6d41ac8b", "3.0.0-0X6d41ac8b", True),
            ("3.0.0+0x6D41AC8B", "3.0.0-0X6d41ac8b", True),
            ("3.1.3+0X1e788118", "3.0.0-0X6d41ac8b", False),
            ("3.0.0+0X1e788118", "3.0.0-0X6d41ac8b", False),
            (None, "3.0.0-0X6d41ac8b", True),
            ("3.0.0+0X6d41ac8b", None, True),
        ],
    )
    def test_neutrons_converter_and_firmware_must_be_of_one_version(
        self, compiler: str | None, firmware: str | None, matches: bool
    ) -> None:
        made = bundle("imx95", Compiled("neutron-converter", compiler))
        board = ThisBoard("6.18.2", "i.MX95", firmware)
        reason = mismatch(made, Device.IMX95_NPU, board)
        assert (reason is None) == matches
        assert matches or "both must be the same" in str(reason)

    def test_what_this_machine_tells(self, tmp_path: Path) -> None:
        soc = tmp_path / "sys" / "devices" / "soc0" / "soc_id"
        soc.parent.mkdir(parents=True)
        soc.write_text("i.MX95\n")
        firmware = tmp_path / "lib" / "firmware" / "NeutronFirmware.elf"
        firmware.parent.mkdir(parents=True)
        firmware.write_bytes(b"\x7fELF\0\xffNeutron Firmware ver:3.0.0-0X6d41ac8b started\0")
        board = this_board(tmp_path)
        assert (board.soc, board.neutron) == ("i.MX95", "3.0.0-0X6d41ac8b")
        assert board.kernel
        assert this_board(tmp_path / "nothing") == ThisBoard(board.kernel)


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
