"""NXP's board support packages (BSPs) for i.MX, and the versions that their images contain.

Sources, read on 2026-11-24: nxp-imx/meta-imx, the recipes below meta-ml and meta-imx-ml
(ethos-u-vela_*.bb, tensorflow-lite_*.bb, litert_*.bb, whose SRCBRANCH names the BSP), and the
recipes of openembedded-core (python3, python3-numpy) and meta-openembedded (opencv, python3-click)
in the release of Yocto that each BSP is based on.  Nothing of this has been read from a board.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from facekit.system.requirements import version_numbers

Versions = tuple[str, str]
"""The lowest and the highest version over the releases of a BSP; twice the same if there is one."""


@dataclass(frozen=True, slots=True)
class Bsp:
    """One row: the releases of a BSP whose images contain about the same versions."""

    name: str
    kernels: Versions
    """Versions of the Linux kernel that NXP released, such as "6.6.23"."""
    python: str
    numpy: str
    click: str
    opencv: Versions
    tflite_runtime: Versions
    ai_edge_litert: str | None
    """Version of the Python package ai_edge_litert; None if no image of the row contains it."""
    vela: Versions
    """Versions of ethos-u-vela, with which the images compile for an Ethos-U."""
    ai_edge_litert_since: str | None = None
    """Kernel of the first release with ai_edge_litert; None if all of the row have it."""
    command_streams: tuple[str, ...] = ("COP1",)
    """Formats of a Vela file that the driver in the firmware of the row's Ethos-U takes.

    facekit/board/command_stream.py states the source.
    """


BSPS: Mapping[str, Bsp] = {
    bsp.name: bsp
    for bsp in (
        Bsp(
            name="6.1",
            kernels=("6.1.22", "6.1.55"),
            python="3.11",
            numpy="1.24",
            click="8.1.3",
            opencv=("4.7", "4.7"),
            tflite_runtime=("2.10", "2.12"),
            ai_edge_litert=None,
            vela=("3.7", "3.9"),
        ),
        Bsp(
            name="6.6",
            kernels=("6.6.23", "6.6.52"),
            python="3.12",
            numpy="1.26.4",
            click="8.1.7",
            opencv=("4.9", "4.10"),
            tflite_runtime=("2.15", "2.16"),
            ai_edge_litert=None,
            vela=("3.11", "3.12"),
        ),
        Bsp(
            name="6.12",
            kernels=("6.12.3", "6.12.49"),
            python="3.13",
            numpy="2.2.3",
            click="8.1.8",
            opencv=("4.11", "4.12"),
            tflite_runtime=("2.18", "2.19"),
            ai_edge_litert="1.2",
            vela=("4.1", "4.3"),  # 6.12.3 has 4.1, 6.12.20 has 4.2
            ai_edge_litert_since="6.12.49",
        ),
        Bsp(
            name="6.18.2",
            kernels=("6.18.2", "6.18.2"),
            python="3.13",
            numpy="2.3.4",
            click="8.2.2",
            opencv=("4.12", "4.12"),
            tflite_runtime=("2.19", "2.19"),
            ai_edge_litert="1.2",
            vela=("4.4.1", "4.4.1"),
        ),
        Bsp(
            name="6.18.20",
            kernels=("6.18.20", "6.18.20"),
            python="3.14.6",
            numpy="2.4.3",
            click="8.3.1",
            opencv=("4.13", "4.13"),
            tflite_runtime=("2.19", "2.19"),
            ai_edge_litert="1.2",
            vela=("5.0", "5.0"),
        ),
    )
}
"""The known rows by name, oldest first."""


def bsp_of_kernel(release: str) -> Bsp | None:
    """Returns the row of a kernel release such as "6.12.20-lts-next", as `uname -r` prints it.

    A release between two rows of one kernel series belongs to the older row, as does one newer
    than the last row of its series.  Returns None for another series, and for a release older than
    all rows of its series: such a kernel is not from a known BSP.
    """
    kernel = version_numbers(release)
    known = [
        bsp
        for bsp in BSPS.values()
        if (oldest := version_numbers(bsp.kernels[0])) <= kernel and oldest[:2] == kernel[:2]
    ]
    return known[-1] if known else None


def version_text(versions: Versions) -> str:
    """Returns a range for people, such as "4.1 to 4.3", or the only version."""
    lowest, highest = versions
    return lowest if lowest == highest else f"{lowest} to {highest}"
