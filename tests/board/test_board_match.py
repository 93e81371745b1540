"""Which image a bundle is made for, and on which boards its NPU is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from facekit.board.bsp import BSPS, bsp_of_kernel
from facekit.board.command_stream import CommandStream
from facekit.board.manifest import Board, Bundle, Compiled
from facekit.board.match import ThisBoard, mismatch, require_match, this_board
from facekit.board.targets import TARGETS, board_for
from facekit.enums import Device, LiteRtPackage
from facekit.errors import AcceleratorError, ModelMismatchError, UsageError

COP1 = Compiled("ethos-u-vela", "5.2.0", CommandStream("COP1", "ethos-u65-256"))
COP2 = Compiled("ethos-u-vela", "5.2.0", CommandStream("COP2", None))


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
