"""The accelerators that a user can choose by name, and the delegate libraries for them.

DELEGATES is the table of what goes together: a delegate's file name, the LiteRT package that it is
built for, the devices, and the images that have it.

This module must import quickly, because the command line's help and `facekit doctor` list the
accelerators.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from facekit.enums import Device, LiteRtPackage

CPU_PROVIDER = "CPUExecutionProvider"
"""The name of ONNX Runtime's execution provider for the CPU."""


@dataclass(frozen=True, slots=True)
class Delegate:
    """A shared library through which a LiteRT package passes operators to an accelerator."""

    file_name: str
    package: LiteRtPackage | None
    """The package that the library is built for; None if it goes with every package."""
    devices: tuple[Device, ...]
    bsps: tuple[str, ...]
    """NXP's board support packages whose images have the library, by the names that
    constraints/bsp-*.txt have; () if it comes from elsewhere."""
    takes: str
    """The files that it executes, to be read after "takes "."""
    source: str
    """The recipe in NXP's Yocto layer meta-imx, or the project, that builds it."""
    keeps_graphs: bool = False
    """Whether its driver compiles graphs when they first run, and can keep them: graph_cache.py."""


_ETHOS_U = (Device.IMX93_NPU, Device.ETHOS_U85)
_VX = (Device.IMX8MP_NPU,)
_NEUTRON = (Device.IMX95_NPU, Device.IMX943_NPU)
_WITH_LITERT = ("6.12", "6.18.2", "6.18.20")
_SINCE_6_6 = ("6.6", *_WITH_LITERT)
_VELA_FILES = "integer files, best those that Vela has compiled"
_VX_FILES = "integer files"
_NEUTRON_FILES = "integer files that NXP's neutron-converter has compiled for the SoC"

# meta-imx, folder meta-imx-ml/recipes-libraries.  COMPATIBLE_MACHINE of the recipes names the
# SoCs, and BUILD_FOR_LITERT=ON is what makes a delegate for LiteRT of the same sources.  No image
# of NXP is for an Ethos-U85: a vendor's build of the same sources is looked for.
DELEGATES = (
    Delegate(
        "libethosu_delegate.so",
        LiteRtPackage.TFLITE_RUNTIME,
        _ETHOS_U,
        ("6.1", *_SINCE_6_6),
        _VELA_FILES,
        "tensorflow-lite-ethosu-delegate",
    ),
    Delegate(
        "libvx_delegate.so",
        LiteRtPackage.TFLITE_RUNTIME,
        _VX,
        ("6.1", *_SINCE_6_6),
        _VX_FILES,
        "tensorflow-lite-vx-delegate",
        keeps_graphs=True,
    ),
    Delegate(
        "libneutron_delegate.so",
        LiteRtPackage.TFLITE_RUNTIME,
        _NEUTRON,
        _SINCE_6_6,
        _NEUTRON_FILES,
        "tensorflow-lite-neutron-delegate",
    ),
    Delegate(
        "liblitert_ethosu_delegate.so",
        LiteRtPackage.AI_EDGE_LITERT,
        _ETHOS_U,
        _WITH_LITERT,
        _VELA_FILES,
        "litert-ethosu-delegate",
    ),
    Delegate(
        "liblitert_vx_delegate.so",
        LiteRtPackage.AI_EDGE_LITERT,
        _VX,
        _WITH_LITERT,
        _VX_FILES,
        "litert-vx-delegate",
        keeps_graphs=True,
    ),
    Delegate(
        "liblitert_neutron_delegate.so",
        LiteRtPackage.AI_EDGE_LITERT,
        _NEUTRON,
        _WITH_LITERT,
        _NEUTRON_FILES,
        "litert-neutron-delegate",
    ),
    # Mesa's src/gallium/frontends/teflon uses only the C interface that all packages share, and
    # looks at built-in operators: Vela's own operator is left to the CPU.  docs/teflon.rst of Mesa
    # runs it with tflite_runtime 2.13, others run it with ai_edge_litert 2.1.  It drives the
    # i.MX 8M Plus since Linux 6.8, and the Ethos-U65 and U85 since Mesa 25.3 with Linux 6.19.
    Delegate(
        "libteflon.so",
        None,
        (*_VX, *_ETHOS_U),
        (),
        "integer files that no compiler has changed: int8 or uint8, not Vela's",
        "Mesa",
    ),
)
"""Every known delegate.  Where one device has several, the first whose package is installed is
taken: TensorFlow Lite's first, since every image has it, and Mesa's last."""


@dataclass(frozen=True, slots=True)
class Accelerator:
    """An accelerator that LiteRT uses through a delegate library."""

    title: str
    delegates: tuple[Delegate, ...]
    """Its rows of DELEGATES, in the order of preference."""

    @property
    def libraries(self) -> tuple[str, ...]:
        """File names of `delegates`."""
        return tuple(delegate.file_name for delegate in self.delegates)


_TITLES = {
    Device.IMX93_NPU: "Ethos-U NPU (i.MX 93)",
    Device.IMX8MP_NPU: "VeriSilicon NPU (i.MX 8M Plus)",
    Device.IMX95_NPU: "eIQ Neutron NPU (i.MX 95)",
    Device.IMX943_NPU: "eIQ Neutron NPU (i.MX 943)",
    Device.ETHOS_U85: "Ethos-U85 NPU",
}
ACCELERATORS = {
    device: Accelerator(title, tuple(row for row in DELEGATES if device in row.devices))
    for device, title in _TITLES.items()
}
LIBRARY_FOLDERS = tuple(
    map(
        Path,
        (
            "/usr/lib",
            "/usr/lib64",
            "/usr/lib/aarch64-linux-gnu",
            "/usr/local/lib",
            "/usr/lib/teflon",  # Debian's package mesa-teflon-delegate
        ),
    )
)
"""The folders in which images install delegate libraries."""


@dataclass(frozen=True, slots=True)
class FoundDelegate:
    """A delegate library on this machine."""

    path: Path
    delegate: Delegate

    @property
    def package(self) -> LiteRtPackage | None:
        """The LiteRT package that the library goes with; None if it goes with every package."""
        return self.delegate.package

    @property
    def accelerators(self) -> tuple[str, ...]:
        """Titles of the accelerators that it serves."""
        return tuple(ACCELERATORS[device].title for device in self.delegate.devices)


def delegates_found(
    folders: Iterable[Path] = LIBRARY_FOLDERS, *, device: Device | None = None
) -> tuple[FoundDelegate, ...]:
    """Returns the known delegates in `folders`, in the order of preference, without loading them.

    `device` selects the delegates of one device; None means all.
    """
    searched = tuple(folders)
    rows = DELEGATES if device is None else ACCELERATORS[device].delegates
    return tuple(
        FoundDelegate(folder / row.file_name, row)
        for row in rows
        for folder in searched
        if (folder / row.file_name).exists()
    )


def known_delegate(library: Path) -> Delegate | None:
    """Returns the row of DELEGATES for a library, by the file's name or that of its link's target.

    A version behind the suffix, as in libvx_delegate.so.1, does not count.  Returns None for any
    other library.
    """
    names = {_unversioned(library), _unversioned(library.resolve())}
    return next((row for row in DELEGATES if row.file_name in names), None)


def _unversioned(library: Path) -> str:
    stem, suffix, _ = library.name.partition(".so")
    return stem + suffix
