"""Refuses a bundle on a board whose driver is known not to take the bundle's files.

What is not known is not refused: another vendor's kernel, a BSP that is newer than the table, a
machine that is no i.MX.  The CPU always works.
"""

from __future__ import annotations

import platform
import re
from dataclasses import dataclass
from pathlib import Path

from facekit.board.bsp import Bsp, bsp_of_kernel
from facekit.board.manifest import NEUTRON_CONVERTER, Bundle
from facekit.board.targets import TARGETS, has_delegate, npu_mismatch, stream_mismatch
from facekit.enums import Device
from facekit.errors import AcceleratorError

_SOC_ID = "sys/devices/soc0/soc_id"
_NEUTRON_FIRMWARE = ("usr/lib/firmware/NeutronFirmware.elf", "lib/firmware/NeutronFirmware.elf")
_NEUTRON_VERSION = re.compile(rb"Neutron Firmware ver:\s*([0-9.]+-0[xX][0-9a-fA-F]+)")
_LARGEST_FIRMWARE = 1 << 26  # bytes


@dataclass(frozen=True, slots=True)
class ThisBoard:
    """What a running board tells of itself."""

    kernel: str
    """The kernel's release, as `uname -r` prints it."""
    soc: str | None = None
    """The SoC, such as "i.MX93"; None on a machine that is no i.MX."""
    neutron: str | None = None
    """Version of the Neutron NPU's firmware, such as "3.0.0-0X6d41ac8b"; None if it has none."""

    @property
    def bsp(self) -> Bsp | None:
        """NXP's board support package that the kernel is of; None if it is not known."""
        is_imx = self.soc is not None and self.soc.startswith("i.MX")
        return bsp_of_kernel(self.kernel) if is_imx else None


def this_board(root: Path = Path("/")) -> ThisBoard:
    """Reads what the machine tells; `root` is the folder that stands for its file system."""
    return ThisBoard(platform.release(), _soc(root / _SOC_ID), _neutron(root))


def _soc(path: Path) -> str | None:
    try:
        return path.read_text(encoding="ascii").strip() or None
    except (OSError, UnicodeDecodeError):
        return None


def _neutron(root: Path) -> str | None:
    for name in _NEUTRON_FIRMWARE:
        try:
            with (root / name).open("rb") as file:
                found = _NEUTRON_VERSION.search(file.read(_LARGEST_FIRMWARE))
        except OSError:
            continue
        if found is not None:
            return found.group(1).decode("ascii")
    return None


def mismatch(bundle: Bundle, device: Device, board: ThisBoard) -> str | None:
    """Says why the board is known not to run the bundle's files for `device`, and what to do.

    Returns None for the CPU, and if nothing is known against it.
    """
    if device is Device.CPU or (target := TARGETS.get(bundle.target)) is None:
        return None
    others = [name for name, one in TARGETS.items() if one.soc and _is(board.soc, one.soc)]
    if target.soc and others and bundle.target not in others:
        return (
            f"the bundle is for {bundle.target}, and this board is an {board.soc} "
            f"(/{_SOC_ID}). Make one with: facekit bundle --target {others[0]}"
        )
    if problem := npu_mismatch(target, bundle.compiled):
        return problem
    return _neutron_mismatch(bundle, board) or _bsp_mismatch(bundle, device, board)


def _bsp_mismatch(bundle: Bundle, device: Device, board: ThisBoard) -> str | None:
    row = board.bsp
    if row is None:
        return None
    if not has_delegate(row, device):
        return (
            f"the kernel {board.kernel} is that of BSP {row.name}, whose images have no delegate "
            f"for {device.value}. Use an image of a newer BSP"
        )
    return stream_mismatch(row, bundle.compiled)


def _neutron_mismatch(bundle: Bundle, board: ThisBoard) -> str | None:
    """Compares the version of neutron-converter with that of the firmware, number and hash.

    The firmware runs only what a converter of its own version made: newer firmware answers
    "Microcode version mismatch!", and older runtimes went on on the CPU without a word.
    """
    made = bundle.compiled
    if made is None or made.compiler != NEUTRON_CONVERTER or not made.version or not board.neutron:
        return None
    if _plain(made.version) == _plain(board.neutron):
        return None
    return (
        f"the files were compiled by neutron-converter {made.version}, and the NPU's firmware is "
        f"{board.neutron}; both must be the same. Compile the int8 file with the eIQ Neutron SDK "
        "of the firmware's version, and make the bundle again with --npu-model"
    )


def _plain(version: str) -> str:
    """The converter writes 3.0.0+0X6d41ac8b where the firmware writes 3.0.0-0X6d41ac8b."""
    return version.replace("+", "-").lower()


def _is(soc: str | None, start: str) -> bool:
    return soc is not None and soc.startswith(start)


def require_match(bundle: Bundle, device: Device, *, board: ThisBoard | None = None) -> None:
    """Raises AcceleratorError if the board is known not to run the bundle's files for `device`.

    `board`: None means this machine.
    """
    if device is not Device.CPU and (reason := mismatch(bundle, device, board or this_board())):
        raise AcceleratorError(
            f"This bundle cannot run on {device.value} here: {reason}. "
            "--device cpu runs it without the NPU."
        )
