"""What `facekit doctor` tries in another process, since native libraries may crash or hang.

Each function takes and returns JSON, as `facekit.system.trial.try_each` needs.  An error in an
answer has the members "name" and "message", which `facekit.errors.error_named` reads.
"""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from facekit.enums import Device
from facekit.errors import AcceleratorError, FacekitError, ModelError
from facekit.runtime.packages import default_package, package_for
from facekit.system.requirements import Package, is_older, package_at_fault, too_old, version_of

_SIDE_PX = 64
"""Height and width of the input of a net that takes any: a multiple of all strides."""


def try_package(named: dict[str, str]) -> dict[str, Any]:
    """Imports the package of the members "name", "least" and "module".

    Members of the answer: "version", "" if it is not known; "is_missing"; "is_usable"; and
    "error", which is None if the package can be imported and is new enough.
    """
    package = Package(named["name"], named["least"])
    try:
        importlib.import_module(named["module"])
    except Exception as error:
        name = error.name or "" if isinstance(error, ModuleNotFoundError) else ""
        is_missing = bool(name) and f"{named['module']}.".startswith(f"{name}.")
        fault = package_at_fault(error) or ModelError(
            f"{named['module']} cannot be imported: {type(error).__name__}: {error}"
        )
        return {
            "version": "" if is_missing else version_of(package),
            "is_missing": is_missing,
            "is_usable": False,
            "error": _plain(fault),
        }
    version = version_of(package)
    return {
        "version": version,
        "is_missing": False,
        "is_usable": True,
        "error": _plain(too_old(package, version)) if is_older(version, package.least) else None,
    }


def try_default_runtime(_: None) -> dict[str, Any]:
    """Imports the LiteRT package that runs networks on the CPU.

    The member "error" of the answer is None if there is one.
    """
    return {"error": _error_of(default_package)}


def try_delegate(library: str) -> dict[str, Any]:
    """Imports the LiteRT package that a delegate library belongs to; the library is not loaded.

    The member "error" of the answer is None if they go together.
    """
    return {"error": _error_of(lambda: package_for(Path(library)))}


def _error_of(call: Callable[[], object]) -> dict[str, str] | None:
    try:
        call()
    except FacekitError as error:
        return _plain(error)
    return None


def try_model(named: dict[str, Any]) -> dict[str, Any]:
    """Opens the model file "path" on "device", and runs it once on zeros.

    "folders" are searched for the delegate.  Members of the answer: "time_ms", the time of both;
    "is_for_npu", whether the file was opened on the CPU and needs an NPU; and "error", which is
    None if the file runs.
    """
    import numpy as np

    from facekit.runtime.delegates import AcceleratorRequest, open_net
    from facekit.runtime.net import DYNAMIC

    device = Device(named["device"])
    began_s = time.perf_counter()
    try:
        net = open_net(
            Path(named["path"]),
            request=AcceleratorRequest(device=device),
            folders=tuple(map(Path, named["folders"])),
        ).net
        (spec,) = net.inputs
        shape = (_SIDE_PX if size == DYNAMIC else size for size in spec.shape[1:])
        net.run(np.zeros((1, *shape), np.float32))
    except FacekitError as error:
        # What the runtime refuses to run on the CPU, see `translate_errors`.
        refused = isinstance(error, AcceleratorError) and isinstance(error.__cause__, RuntimeError)
        is_for_npu = refused and device is Device.CPU
        return {"time_ms": None, "is_for_npu": is_for_npu, "error": _plain(error)}
    time_ms = (time.perf_counter() - began_s) * 1e3
    return {"time_ms": time_ms, "is_for_npu": False, "error": None}


def _plain(error: FacekitError) -> dict[str, str]:
    return {"name": type(error).__name__, "message": str(error)}
