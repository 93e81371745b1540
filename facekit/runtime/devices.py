"""The accelerators that a user can choose by name, and the folders of their delegate libraries.

This module must import quickly, because the command line's help and `facekit doctor` list the
accelerators.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from facekit.enums import Device

CPU_PROVIDER = "CPUExecutionProvider"
"""The name of ONNX Runtime's execution provider for the CPU."""


@dataclass(frozen=True, slots=True)
class Accelerator:
    """An accelerator that LiteRT uses through a delegate library."""

    title: str
    libraries: tuple[str, ...]
    """Possible file names of the accelerator's delegate library for LiteRT, most common first."""


ACCELERATORS = {
    Device.IMX93_NPU: Accelerator("Ethos-U NPU (i.MX 93)", ("libethosu_delegate.so",)),
    Device.IMX8MP_NPU: Accelerator("VeriSilicon NPU (i.MX 8M Plus)", ("libvx_delegate.so",)),
    Device.IMX95_NPU: Accelerator(
        "eIQ Neutron NPU (i.MX 95)", ("libneutron_delegate.so", "liblitert_neutron_delegate.so")
    ),
}
LIBRARY_FOLDERS = tuple(
    map(Path, ("/usr/lib", "/usr/lib64", "/usr/lib/aarch64-linux-gnu", "/usr/local/lib"))
)
"""The folders in which board support packages install delegate libraries."""
