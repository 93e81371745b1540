"""The kinds of boards that a bundle can be made for, and the image that it is made for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from facekit.board.bsp import BSPS, Bsp
from facekit.board.manifest import Board, Compiled
from facekit.enums import Device
from facekit.errors import ModelMismatchError, UsageError
from facekit.runtime.devices import ACCELERATORS, Delegate

INT8_NEUTRON = "int8_neutron"
"""Variant of an int8 file that NXP's neutron-converter has compiled."""


@dataclass(frozen=True, slots=True)
class BundleTarget:
    """A kind of board and the files that its devices run."""

    title: str
    variants: Mapping[Device, str]
    """Variant of the embedding model, and of a detector with a single net, for each device.

    The device for which the board is made comes first.
    """
    soc: str | None = None
    """Start of what NXP's kernel writes to /sys/devices/soc0/soc_id; None for no one SoC."""
    accelerator: str | None = None
    """Vela's name of the NPU, or its start; None if Vela does not compile for it."""
    vela_target: str | None = None
    """Name of the target in configs/targets that compiles for it."""
    neutron_target: str | None = None
    """The target of NXP's neutron-converter; None for a board without a Neutron NPU."""

    @property
    def device(self) -> Device:
        """The device for which the board is made."""
        return next(iter(self.variants))

    @property
    def has_compiler(self) -> bool:
        """Whether a compiler prepares files for the NPU."""
        return bool(self.accelerator or self.neutron_target)

    @property
    def is_of_nxp(self) -> bool:
        return self.soc is not None


TARGETS = {
    "imx93": BundleTarget(
        "NXP i.MX 93 (Ethos-U65)",
        {Device.IMX93_NPU: "uint8_vela", Device.CPU: "int8"},
        soc="i.MX93",
        accelerator="ethos-u65-256",
        vela_target="imx93",
    ),
    "imx8mp": BundleTarget(
        "NXP i.MX 8M Plus", {Device.IMX8MP_NPU: "uint8", Device.CPU: "int8"}, soc="i.MX8MP"
    ),
    "imx95": BundleTarget(
        "NXP i.MX 95 (eIQ Neutron)",
        {Device.IMX95_NPU: "int8", Device.CPU: "int8"},
        soc="i.MX95",
        neutron_target="imx95",
    ),
    "imx943": BundleTarget(
        "NXP i.MX 943 (eIQ Neutron)",
        {Device.IMX943_NPU: "int8", Device.CPU: "int8"},
        soc="i.MX94",
        neutron_target="imx943",
    ),
    "ethos-u85": BundleTarget(
        "a board with an Arm Ethos-U85",
        {Device.ETHOS_U85: "uint8_vela", Device.CPU: "int8"},
        accelerator="ethos-u85",
        vela_target="ethos-u85-256",
    ),
    "cpu": BundleTarget("any board, without an NPU", {Device.CPU: "float32"}),
}


def board_for(name: str, compiled: Compiled | None, bsp: str | None) -> Board:
    """Returns the image that a bundle for the target `name` is made for.

    `bsp`: a name of BSPS; None chooses the newest one of the board's that takes the compiled files,
    or none for a board that is not of NXP.  Raises UsageError for a BSP that is unknown, or whose
    images do not go with the target, and ModelMismatchError for files that the target's NPU does
    not take.
    """
    target = TARGETS[name]
    if bsp is not None and bsp not in BSPS:
        raise UsageError(f"--bsp takes one of {', '.join(BSPS)}. Received: {bsp}")
    if target.device is Device.CPU:
        return Board(bsp)
    if problem := npu_mismatch(target, compiled):
        raise ModelMismatchError(problem)
    delegates = ACCELERATORS[target.device].delegates
    fitting = [row.name for row in BSPS.values() if _delegates_of(row, target.device)]
    taking = [row for row in fitting if stream_mismatch(BSPS[row], compiled) is None]
    if bsp is None and target.is_of_nxp:
        if not taking:
            raise ModelMismatchError(str(stream_mismatch(BSPS[fitting[-1]], compiled)))
        bsp = taking[-1]
    elif bsp is not None and bsp not in taking:
        reason = f"{name} has a delegate in {', '.join(fitting)}"
        if bsp in fitting:
            reason = str(stream_mismatch(BSPS[bsp], compiled))
        raise UsageError(f"--bsp {bsp} does not go with this bundle: {reason}")
    if bsp is not None:
        delegates = _delegates_of(BSPS[bsp], target.device)
    return Board(bsp, delegates[0].package, delegates[0].file_name)


def npu_mismatch(target: BundleTarget, compiled: Compiled | None) -> str | None:
    """Says why the target's NPU does not take a file of Vela; None if nothing is known against it.

    This is the driver's own comparison: see facekit/board/command_stream.py.
    """
    stream = None if compiled is None else compiled.command_stream
    if stream is None or stream.accelerator is None or target.accelerator is None:
        return None
    if stream.accelerator.startswith(target.accelerator):
        return None
    return (
        f"An NPU runs what Vela compiled for it: {target.title} needs {target.accelerator}. "
        f"Received: a file for {stream.accelerator}. Compile the integer file for this target: "
        f"facekit compile --target {target.vela_target}"
    )


def stream_mismatch(row: Bsp, compiled: Compiled | None) -> str | None:
    """Says why the driver of a BSP does not take a file of Vela; None if nothing is known."""
    stream = None if compiled is None else compiled.command_stream
    if stream is None or stream.format in row.command_streams:
        return None
    return (
        f"the Ethos-U driver of BSP {row.name} takes command streams of the format "
        f"{' or '.join(row.command_streams)}. Received: {stream.format}. Compile the integer file "
        "without Vela's options --cop-format and --separate-io-regions"
    )


def _delegates_of(row: Bsp, device: Device) -> tuple[Delegate, ...]:
    """The delegates for the device that the images of a BSP have, in the order of preference."""
    return tuple(one for one in ACCELERATORS[device].delegates if row.name in one.bsps)


def has_delegate(row: Bsp, device: Device) -> bool:
    """Whether the images of a BSP have a delegate for the device."""
    return bool(_delegates_of(row, device))
