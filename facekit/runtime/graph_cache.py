"""Keeps the graphs that the driver of the i.MX 8M Plus compiles.

The OpenVX driver below the VX delegate compiles a network when it first runs it.  That takes 40
seconds to 2 minutes for a face network (NXP's nxp-nnstreamer-examples, issue 1; VeriSilicon's
TIM-VX, issue 287), in each process, unless two environment variables let the driver keep the result
in a folder: VIV_VX_ENABLE_CACHE_GRAPH_BINARY, off where it is not set, and
VIV_VX_CACHE_BINARY_GRAPH_DIR, the working folder where it is not set (NXP's i.MX Machine Learning
User's Guide; Au-Zone, "NPU Model Cache").
"""

from __future__ import annotations

import os
from pathlib import Path

from facekit.reporter import Reporter
from facekit.system.home import home

SWITCH = "VIV_VX_ENABLE_CACHE_GRAPH_BINARY"
FOLDER = "VIV_VX_CACHE_BINARY_GRAPH_DIR"
FOLDER_NAME = "vx-graphs"
"""Name of the folder in facekit's home."""

_COMPILES = "the NPU's driver compiles each network at its first run, 40 s to 2 minutes,"

_told: set[tuple[str, Path]] = set()


def keep_graphs(reporter: Reporter) -> None:
    """Lets the driver keep compiled graphs; must be called before the delegate is loaded.

    Variables that the user has set are not changed.  The reporter receives a note if the first run
    will take long, because nothing is kept yet or nothing can be kept, once in a process.
    """
    switch = os.environ.get(SWITCH, "1")
    folder = Path(os.environ.get(FOLDER) or home() / FOLDER_NAME).absolute()
    if (switch, folder) in _told:
        return
    _told.add((switch, folder))
    if switch != "1":
        reporter.note(f"{_COMPILES} in each process: {SWITCH} is {switch!r}")
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
        is_empty = not any(folder.iterdir())
    except OSError as error:
        reporter.note(
            f"{_COMPILES} in each process: {folder} cannot be used ({error.strerror}); let "
            f"{FOLDER} name a folder that can"
        )
        return
    os.environ[SWITCH], os.environ[FOLDER] = switch, str(folder)
    if is_empty:
        reporter.note(f"{_COMPILES} this time; later runs read the result from {folder}")
    else:
        reporter.detail(f"the NPU's driver keeps compiled networks in {folder}")
