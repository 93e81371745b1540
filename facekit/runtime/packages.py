"""Chooses the LiteRT package: the one that belongs to a delegate, else the first installed one.

A delegate is built against the sources of one package.  Loaded by another one it may fail, crash
or hang, so such a pair is refused before the library is opened.
"""

from __future__ import annotations

import importlib
import os
import platform
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from facekit.enums import Device, LiteRtPackage, Runtime
from facekit.errors import AcceleratorError, UsageError
from facekit.runtime.devices import (
    ACCELERATORS,
    DELEGATES,
    LIBRARY_FOLDERS,
    Delegate,
    delegates_found,
    known_delegate,
)
from facekit.system.requirements import Package, version_of

RUNTIME_VARIABLE = "FACEKIT_RUNTIME"

MODULES = {
    LiteRtPackage.AI_EDGE_LITERT: "ai_edge_litert.interpreter",
    LiteRtPackage.TFLITE_RUNTIME: "tflite_runtime.interpreter",
    LiteRtPackage.TENSORFLOW: "tensorflow.lite.python.interpreter",
}


def module_of(package: LiteRtPackage) -> Any:
    """Imports a package's interpreter module.  Raises ImportError."""
    return importlib.import_module(MODULES[package])


def forced_package() -> LiteRtPackage | None:
    """Returns the package that FACEKIT_RUNTIME names; None if it is not set.

    Raises UsageError if its value is no package's name.
    """
    name = os.environ.get(RUNTIME_VARIABLE)
    try:
        return LiteRtPackage(name) if name else None
    except ValueError as error:
        known = ", ".join(package.value for package in LiteRtPackage)
        raise UsageError(
            f"{RUNTIME_VARIABLE} must be one of {known}. Received: {name!r}"
        ) from error


def default_package() -> LiteRtPackage:
    """Returns the package that FACEKIT_RUNTIME names, or else the first that can be imported.

    TensorFlow comes last, because its import takes seconds.  Raises UsageError if FACEKIT_RUNTIME
    has an unknown value, AcceleratorError if the package cannot be imported.
    """
    forced = forced_package()
    failures = []
    for package in (forced,) if forced else LiteRtPackage:
        try:
            module_of(package)
        except ImportError as error:
            failures.append(f"{package.value}: {error}")
        else:
            return package
    wanted = forced or LiteRtPackage.AI_EDGE_LITERT
    raise AcceleratorError(
        f"No LiteRT runtime can be imported ({'; '.join(failures)}). "
        f"Install one with: python -m pip install {wanted.distribution}"
    )


def package_for(library: Path) -> LiteRtPackage:
    """Returns the package that loads a delegate library: its own, else the default package.

    The library is not opened.  Raises AcceleratorError if the library is built for another package
    than FACEKIT_RUNTIME names or for one that cannot be imported, and the errors of
    `default_package`.
    """
    known = known_delegate(library)
    if known is None or known.package is None:
        return default_package()
    forced = forced_package()
    if forced not in (None, known.package):
        raise AcceleratorError(
            f"{_mixed(library, known.package)}, and {RUNTIME_VARIABLE} asks for {forced.value}. "
            f"Unset {RUNTIME_VARIABLE}{_other(known)}."
        )
    try:
        module_of(known.package)
    except ImportError as error:
        raise AcceleratorError(
            f"{_mixed(library, known.package)}, which cannot be imported ({error}). "
            f"Use the image's own Python, which has {known.package.value}{_other(known)}."
        ) from error
    return known.package


def choose_delegate(
    device: Device, *, folders: Iterable[Path] = LIBRARY_FOLDERS
) -> tuple[Path, LiteRtPackage]:
    """Returns the delegate library of a device in `folders`, and the package that loads it.

    Of several libraries it is the first one in the order of DELEGATES whose package can be
    imported and is not excluded by FACEKIT_RUNTIME.  Raises AcceleratorError, which names the files
    and the folders, if there is none, and the errors of `package_for`.
    """
    searched = tuple(folders)
    refused = []
    for found in delegates_found(searched, device=device):
        try:
            return found.path, package_for(found.path)
        except AcceleratorError as error:
            refused.append(str(error))
    if refused:
        raise AcceleratorError(" ".join(refused))
    raise AcceleratorError(
        f"No delegate for {device.value}: {' or '.join(ACCELERATORS[device].libraries)} is in none "
        f"of {', '.join(map(str, searched))}. If it is elsewhere, pass --delegate PATH; "
        "--allow-cpu-fallback permits the CPU."
    )


def versions_with(runtimes: Iterable[Runtime]) -> tuple[tuple[str, str], ...]:
    """Returns name and version of Python and of the packages that compute embeddings.

    `runtimes`: those of the embedding networks.  LiteRT also runs detectors.  The packages are not
    imported; one that is not installed is left out.
    """
    packages = [one.distribution for one in LiteRtPackage]
    found = {name: version_of(Package(name)) for name in packages}
    forced = forced_package()
    litert = forced.distribution if forced else next(filter(found.get, packages), packages[0])
    others = {Runtime.ONNX: "onnxruntime", Runtime.KERAS: "tensorflow"}
    names = ["numpy", "opencv-python-headless", litert]
    names += [others[one] for one in runtimes if one in others]
    versions = {name: version_of(Package(name)) for name in names}
    return (("python", platform.python_version()), *filter(all, versions.items()))


def _mixed(library: Path, needed: LiteRtPackage) -> str:
    return f"Delegate {library} has not been loaded: it is built for {needed.value}"


def _other(known: Delegate) -> str:
    """Names the delegate for the same devices that is built for the other package."""
    return "".join(
        f", or pass {row.file_name}, which is built for {row.package.value}"
        for row in DELEGATES
        if row.devices == known.devices and row.package and row.package is not known.package
    )
