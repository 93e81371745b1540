"""The accelerators that facekit knows by name, and where boards keep their delegates.

Imports nothing heavy, so that options and `facekit doctor` can list them.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from facekit.enums import Device

CPU_PROVIDER = "CPUExecutionProvider"
"""what ONNX Runtime calls the CPU"""


@dataclass(frozen=True, slots=True)
class Accelerator:
    title: str
    libraries: tuple[str, ...]
    """file names of its delegate, the usual one first"""


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
"""Where board support packages put delegates"""
