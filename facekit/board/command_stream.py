"""Reads what a file compiled by Vela states about the NPU it is for, as the NPU's driver does.

Vela stores the commands for an Ethos-U as a constant, the first input of its custom operator.  The
constant starts with a name of four letters, the format, and goes on with actions.  In the format
COP1 one of the first is "optimizer configuration": the two words that the NPU has in its registers
CONFIG and ID.  Before a driver runs the commands, it compares the format and these words, and
refuses what does not match:

  Arm ethos-u-core-driver, src/ethosu_driver.c       ETHOSU_FOURCC, OPTIMIZER_CONFIG
                           src/ethosu_device_*.c     ethosu_dev_verify_optimizer_config

NXP's firmware for the Cortex-M33 of the i.MX 93 contains that driver.  Its releases are 22.08,
23.08 and 24.05 (meta-imx, ethos-u-firmware_*.bb); all of them know COP1 only, which Vela writes
unless it is told --cop-format COP2 or --separate-io-regions.  No driver compares Vela's release.
"""

from __future__ import annotations

import struct
from dataclasses import asdict, dataclass
from pathlib import Path

from facekit.graph.inspect.litert import LITERT_MODEL, file_reader
from facekit.graph.inspect.network import VELA_OPERATOR
from facekit.system.inputs import read_input, reading

COP1 = "COP1"
_OPTIMIZER_CONFIG = 1
_PRODUCTS = {0: "ethos-u55", 1: "ethos-u65", 2: "ethos-u85"}
_HEADER = struct.Struct("<4sIII")


@dataclass(frozen=True, slots=True)
class CommandStream:
    """The NPU that a compiled file is for, as the file states it."""

    format: str
    """The four letters at the start, such as "COP1"."""
    accelerator: str | None
    """Vela's name of the NPU, such as "ethos-u65-256"; None for another format than COP1."""

    def to_dict(self) -> dict[str, str | None]:
        return asdict(self)


def read_command_stream(path: Path) -> CommandStream | None:
    """Returns what the first command stream in a .tflite file states; None if Vela made none.

    Raises ModelMismatchError if the file cannot be read or the stream is damaged, and
    AcceleratorError if ai-edge-litert, which knows the format, is not installed.
    """
    reader = file_reader()
    with reading(LITERT_MODEL, path):
        tables = reader.read_tables(read_input(path, LITERT_MODEL))
        for operator in tables.operators:
            if operator.kind == VELA_OPERATOR:
                content = tables.tensors[operator.inputs[0]].content
                return _parsed(b"" if content is None else bytes(content[: _HEADER.size]))
    return None


def _parsed(header: bytes) -> CommandStream:
    letters, action, config, _identity = _HEADER.unpack(header)
    name = letters.decode("ascii")
    if name != COP1 or action & 0xFF != _OPTIMIZER_CONFIG:
        return CommandStream(name, None)
    product = _PRODUCTS.get(config >> 28, f"product-{config >> 28}")
    return CommandStream(name, f"{product}-{1 << (config & 0xF)}")
