"""Describes the machine: its name, the peak speed of its cores, and a process's peak memory."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

from facekit.errors import FacekitError
from facekit.system.processes import available_cores

_THREAD_VARIABLES = (
    *("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"),
    *("BLIS_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"),
)
_SIDE = 1024
_PRODUCT = f"""
import numpy as np
from time import perf_counter
a = np.random.default_rng(0).random(({_SIDE}, {_SIDE}), np.float32)
b = a.T.copy()
best, began, rounds = float("inf"), perf_counter(), 0
while rounds < 5 or perf_counter() - began < 0.5:
    start = perf_counter()
    a @ b
    best = min(best, perf_counter() - start)
    rounds += 1
print(2e-9 * {_SIDE}**3 / best)
"""


def description() -> str:
    """Returns processor, number of usable cores and system, in one line."""
    cores = available_cores()
    return f"{_processor()}, {cores} core{'s' * (cores > 1)}, {platform.system()}"


def is_busy() -> bool:
    """Returns whether other work in the last minute makes times unreliable."""
    return hasattr(os, "getloadavg") and os.getloadavg()[0] > 1.5 * available_cores()


def peak_gflops(threads: int) -> float:
    """Returns the GFLOP/s of the fastest of many float32 products of 1024 x 1024 matrices.

    The products run with `threads` threads in a new process, because NumPy's matrix library reads
    the number of threads only once.  Raises FacekitError if the process fails.
    """
    environment = {**os.environ, **dict.fromkeys(_THREAD_VARIABLES, str(threads))}
    done = subprocess.run(
        [sys.executable, "-c", _PRODUCT],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise FacekitError(f"The matrix product failed: {done.stderr.strip()[-200:]}")
    return float(done.stdout)


def peak_rss_bytes() -> int:
    """Returns the largest resident set of this process so far, in bytes."""
    status = Path("/proc/self/status")
    if status.exists():
        # NB: ru_maxrss survives fork and exec on Linux: a worker would report its parent's value.
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    for label in ("model name", "Model", "Hardware"):
        for line in lines:
            name, _, value = line.partition(":")
            if name.strip() == label and value.strip():
                return value.strip()
    return platform.processor() or platform.machine()
