"""The accelerators that facekit supports by name, and the folders of their delegates.

The module imports nothing heavy, because options and `facekit doctor` list the accelerators.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from facekit.enums import Device

CPU_PROVIDER = "CPUExecutionProvider"
"""ONNX Runtime's name of the CPU."""


@dataclass(frozen=True, slots=True)
class Accelerator:
    title: str
    libraries: tuple[str, ...]
    """The file names of its delegate, the most common one first."""


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
"""The folders in which board support packages install delegates."""
