"""The packages that facekit itself needs: the least version of each, what is here, what to do.

The least versions stand in the metadata that an installation or an unpacked wheel brings, which is
made from pyproject.toml.  Optional packages are in extras.py.
"""

from __future__ import annotations

import importlib.metadata
import re
import sys
from dataclasses import dataclass
from types import ModuleType

from facekit.errors import PackageError

DISTRIBUTION = "facekit-cli"
_MODULES = {
    "opencv-python-headless": "cv2",
    "protobuf": "google.protobuf",
    "ai-edge-litert": "ai_edge_litert",
    "tflite-runtime": "tflite_runtime",
}
"""The import names that differ from the names that pip has."""
_BASE = (
    *("numpy", "opencv-python-headless", "click", "platformdirs"),
    *("ai-edge-litert", "flatbuffers", "protobuf", "pooch"),
)
"""What facekit needs, for a copy of it that has no metadata to read this from."""


@dataclass(frozen=True, slots=True)
class Package:
    """A package that facekit needs."""

    name: str
    """The name that pip has for it."""
    least: str = ""
    """The least version that facekit is tested with; "" if it is unknown."""

    @property
    def module(self) -> str:
        """The name by which Python imports it."""
        return _MODULES.get(self.name, self.name)

    @property
    def needed(self) -> str:
        """The package with its least version, for a message."""
        return f"{self.name} {self.least} or later" if self.least else self.name

    @property
    def how_to_get(self) -> str:
        """A sentence for a person who lacks it."""
        wanted = f"'{self.name}>={self.least}'" if self.least else self.name
        return (
            f"Install it with: python -m pip install {wanted}, or take it from the packages of "
            "the system or of the board's image."
        )


TFLITE_RUNTIME = Package("tflite-runtime", "2.11")
"""Boards have it in place of ai-edge-litert, and pip for few releases of Python, so that the
metadata does not name it.  NXP's BSP 6.1 has 2.10 to 2.12; the oldest wheel to test is 2.13."""


def needed_packages() -> tuple[Package, ...]:
    """Returns the packages that this release needs on this Python, without those of extras."""
    try:
        lines = importlib.metadata.requires(DISTRIBUTION) or []
    except importlib.metadata.PackageNotFoundError:
        return tuple(map(Package, _BASE))
    return tuple(filter(None, map(_needed, lines)))


def least_python() -> str:
    """Returns the least release of Python that the metadata names, or "" without metadata."""
    try:
        text = importlib.metadata.metadata(DISTRIBUTION)["Requires-Python"]
    except (importlib.metadata.PackageNotFoundError, KeyError):
        return ""
    return _least(text or "")


def _needed(line: str) -> Package | None:
    """Returns the package of a line such as "tomli>=2; python_version < '3.11'".

    Returns None for a package of an extra, or of other releases of Python.
    """
    requirement, _, marker = line.partition(";")
    below = re.search(r"python_version\s*<\s*['\"](\d+)\.(\d+)", marker)
    if re.search(r"\bextra\b", marker) or (
        below and sys.version_info >= tuple(map(int, below.groups()))
    ):
        return None
    named = re.match(r"[\w.-]+", requirement)
    return Package(named.group(), _least(requirement)) if named else None


def _least(requirement: str) -> str:
    found = re.search(r">=\s*([\w.]+)", requirement)
    return found.group(1) if found else ""


def is_older(version: str, least: str) -> bool:
    """Returns whether a version comes before the least one, by the numbers that they begin with.

    False where either is unknown, "".  "4.12" and "4.12.0" are equal, and so are a release and its
    candidates.
    """
    one, other = version_numbers(version), version_numbers(least)
    length = max(len(one), len(other))
    return bool(one and other) and one + (0,) * (length - len(one)) < other + (0,) * (
        length - len(other)
    )


def version_numbers(version: str) -> tuple[int, ...]:
    """Returns the numbers that a version begins with: (4, 12) of "4.12rc1", () of "master"."""
    found = re.match(r"\d+(\.\d+)*", version)
    return tuple(map(int, found.group().split("."))) if found else ()


def version_of(package: Package) -> str:
    """Returns the version of what is imported, or of what is installed if it is not imported.

    An image's own build may have another name than pip's, or no metadata.  Returns "" if there is
    no such package, or if nothing tells its version.
    """
    module = sys.modules.get(package.module)
    # Not getattr: click would answer with a warning that its version is to be read elsewhere.
    if isinstance(version := vars(module).get("__version__") if module else None, str):
        return version.removeprefix("v")
    top = package.module.partition(".")[0]
    for name in (package.name, *importlib.metadata.packages_distributions().get(top, ())):
        try:
            return importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            pass
    return ""


def missing(package: Package, *, needed_for: str = "facekit") -> PackageError:
    """Returns the error for a package that is not installed."""
    return PackageError(
        f"{needed_for} needs the package {package.needed}, which is not installed. "
        f"{package.how_to_get}"
    )


def too_old(package: Package, version: str, *, reason: str = "") -> PackageError:
    """Returns the error for a package below its least version; `reason` is how that was noticed."""
    noticed = f" ({reason})" if reason else ""
    return PackageError(
        f"facekit needs the package {package.needed}. Received: {version}{noticed}. "
        f"{package.how_to_get}"
    )


def broken(package: Package, version: str, *, reason: str) -> PackageError:
    """Returns the error for a package that is installed, but that cannot be imported."""
    title = f"{package.name} {version}".strip()
    return PackageError(
        f"The package {title} is installed, and cannot be imported: {reason}. Install what is "
        f"named there, or another build of it. {package.how_to_get}"
    )


def package_at_fault(error: Exception) -> PackageError | None:
    """Returns the package that an unexpected error is due to, as an error with what to do.

    An ImportError is due to the package that was imported.  Any other error is due to a package if
    the package is in use and older than facekit needs.  Returns None if no package is at fault.
    """
    fault = _fault(error)
    if fault is not None:
        fault.__cause__ = error  # which --verbose tells
    return fault


def _fault(error: Exception) -> PackageError | None:
    packages = (*needed_packages(), TFLITE_RUNTIME)
    name = _module_of(error)
    for package in packages:
        is_absent = package.module not in sys.modules
        if isinstance(error, ModuleNotFoundError) and is_absent and _is_of(name, package):
            return missing(package)
    reason = f"{type(error).__name__}: {' '.join(str(error).split())}"
    for package in packages:
        if package.module in sys.modules and is_older(
            version := version_of(package), package.least
        ):
            return too_old(package, version, reason=reason)
    if not isinstance(error, ImportError):
        return None
    for package in packages:
        if _is_of(name, package):
            return broken(package, version_of(package), reason=str(error))
    top = name.partition(".")[0]
    if top in sys.stdlib_module_names:
        return PackageError(
            f"This Python lacks {name}, which is a part of Python itself ({error}). Install the "
            f"system's package that brings it, such as python3-{top.strip('_')}."
        )
    is_absent = isinstance(error, ModuleNotFoundError) and top not in ("", "facekit")
    return missing(Package(top)) if is_absent else None


def _is_of(module: str, package: Package) -> bool:
    return module.partition(".")[0] == package.module.partition(".")[0]


def _module_of(error: Exception) -> str:
    """Returns the module that an error is about, else the last one that it came through.

    Modules of facekit do not count.
    """
    if isinstance(error, ImportError) and error.name:
        return error.name
    if isinstance(error, AttributeError) and isinstance(error.obj, ModuleType):
        return error.obj.__name__
    name, traceback = "", error.__traceback__
    while traceback is not None:
        module = str(traceback.tb_frame.f_globals.get("__name__"))
        name = module if not module.startswith(("facekit", "importlib")) else name
        traceback = traceback.tb_next
    return name
