"""Examines what facekit needs on this machine: packages, runtimes, delegates, models.

Nothing is downloaded, built or changed.  What may crash is tried in another process, see
doctor_trials.py; a report is possible without NumPy and without OpenCV.
"""

from __future__ import annotations

import platform
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from facekit.enums import LiteRtPackage
from facekit.errors import AcceleratorError, FacekitError, PackageError, UsageError, error_named
from facekit.reporter import SILENT, Reporter
from facekit.runtime.devices import LIBRARY_FOLDERS, delegates_found
from facekit.runtime.packages import MODULES, forced_package
from facekit.system.extras import EXTRAS, is_installed
from facekit.system.requirements import (
    TFLITE_RUNTIME,
    Package,
    is_older,
    least_python,
    needed_packages,
    version_of,
)
from facekit.system.trial import Died, try_each
from facekit.tasks.doctor_results import DelegateLibrary, Models, Part, Report, System
from facekit.version import __version__

_TRIALS = "facekit.tasks.doctor_trials"
_IMPORTED = {
    "facekit": "facekit.tasks.verify",
    **{package.distribution: MODULES[package] for package in LiteRtPackage},
}
"""Modules that are imported on trial in place of the package itself.  That of facekit needs most of
facekit, and parts of Python that an image may lack."""
_FOR_BUILDING = ("flatbuffers", "protobuf", "pooch")
"""Packages that only fetching, building and inspecting models need."""
_FOR_FOLDERS = ("platformdirs", "tomli")
"""Packages that only the store of models and the user's configuration need."""


def examine(
    *,
    bundle: Path | None = None,
    library_folders: Iterable[Path] = LIBRARY_FOLDERS,
    reporter: Reporter = SILENT,
) -> Report:
    """Examines packages, runtimes, delegates and models; faults are in the report.

    bundle: folder of an unpacked bundle, whose models are examined in place of the store's.
    library_folders: folders that are searched for the libraries of delegates.  Raises no error.
    """
    folders = tuple(library_folders)
    reporter.note("importing every package, and running every model once")
    parts, runtimes = _packages()
    runtime, runtime_error = _runtime_in_use(runtimes)
    delegates = _delegates(folders)
    onnx_runtime, onnx_error = "", None
    providers: tuple[str, ...] = ()
    models, system = Models(), _system()
    if parts[-1].is_usable:  # the modules of models import NumPy and OpenCV
        from facekit.board.match import this_board
        from facekit.tasks import doctor_models

        onnx_runtime, providers, onnx_error = _onnx_runtime()
        board = this_board()
        system = replace(system, soc=board.soc, bsp=board.bsp.name if board.bsp else None)
        models = doctor_models.examine(bundle, folders=folders, board=board)
    spared = (*(() if models.to_build else _FOR_BUILDING), *(_FOR_FOLDERS if bundle else ()))
    parts = tuple(replace(part, is_needed=part.name not in spared) for part in parts)
    of_packages = tuple(part.error for part in parts[:-1] if part.is_needed and part.error)
    problems = (
        *(of_packages or (parts[-1].error,)),  # facekit's own would only repeat theirs
        runtime_error,
        onnx_error,
        *_idle_accelerators(delegates),
        *models.problems,
    )
    return Report(
        system=system,
        parts=parts,
        runtimes=runtimes,
        runtime=runtime,
        onnx_runtime=onnx_runtime,
        providers=providers,
        delegates=delegates,
        models=models,
        extras={name: all(map(is_installed, packages)) for name, packages in EXTRAS.items()},
        problems=tuple({str(one): one for one in problems if one is not None}.values()),
    )


def _packages() -> tuple[tuple[Part, ...], tuple[Part, ...]]:
    """Returns Python, the packages and last facekit itself; and the runtimes."""
    litert, _, tensorflow = (Package(one.distribution) for one in LiteRtPackage)
    needed = {package.name: package for package in needed_packages()}
    litert = needed.pop(litert.name, litert)
    *parts, own, first, second = _tried(
        [*needed.values(), Package("facekit"), litert, TFLITE_RUNTIME]
    )
    third = Part(tensorflow.name, is_missing=not is_installed(tensorflow.module))
    if not third.is_missing and not (first.is_usable or second.is_usable):
        (third,) = _tried([tensorflow])
    elif not third.is_missing:  # importing it takes seconds
        third = replace(third, version=version_of(tensorflow))
    runtimes = (
        replace(one, error=None) if one.is_missing else one for one in (first, second, third)
    )
    return (_python(), *parts, replace(own, version=__version__)), tuple(runtimes)


def _tried(packages: Sequence[Package]) -> list[Part]:
    items = [
        {
            "name": package.name,
            "least": package.least,
            "module": _IMPORTED.get(package.name, package.module),
        }
        for package in packages
    ]
    parts = []
    for package, answer in zip(packages, try_each(f"{_TRIALS}:try_package", items), strict=True):
        part = Part(package.name, package.least)
        if isinstance(answer, Died):
            text = f"The package {package.name} cannot be imported: the process {answer.how}. "
            error: FacekitError | None = PackageError(f"{text}{package.how_to_get}")
            part = replace(part, version=version_of(package), is_usable=False, error=error)
        else:
            error = answer["error"] and error_named(**answer["error"])
            part = replace(part, **{**answer, "error": error})
        parts.append(part)
    return parts


def _python() -> Part:
    version, least = platform.python_version(), least_python()
    error = None
    if is_older(version, least):
        error = PackageError(f"facekit needs Python {least} or later. Received: {version}")
    return Part("python", least, version, error=error)


def _runtime_in_use(
    runtimes: Sequence[Part],
) -> tuple[LiteRtPackage | None, FacekitError | None]:
    """Returns the runtime that networks use on the CPU, and what is wrong with it or instead."""
    try:
        forced = forced_package()
    except UsageError as error:
        return None, error
    for package, part in zip(LiteRtPackage, runtimes, strict=True):
        if part.is_usable and not part.is_missing and forced in (None, package):
            return package, part.error
    (answer,) = try_each(f"{_TRIALS}:try_default_runtime", [None])
    if isinstance(answer, Died):
        return None, AcceleratorError(f"The process that looked for a LiteRT runtime {answer.how}")
    return None, answer["error"] and error_named(**answer["error"])


def _onnx_runtime() -> tuple[str, tuple[str, ...], FacekitError | None]:
    from facekit.runtime.onnx import available_providers, runtime_version

    if not is_installed("onnxruntime"):
        return "", (), None
    try:
        return runtime_version(), available_providers(), None
    except FacekitError as error:  # installed, and cannot be loaded
        return "", (), error


def _delegates(folders: Sequence[Path]) -> tuple[DelegateLibrary, ...]:
    found = delegates_found(folders)
    answers = try_each(f"{_TRIALS}:try_delegate", [str(one.path) for one in found])
    return tuple(
        DelegateLibrary(
            one.path,
            one.accelerators,
            one.package,
            AcceleratorError(f"The process that looked for its runtime {answer.how}")
            if isinstance(answer, Died)
            else answer["error"] and error_named(**answer["error"]),
        )
        for one, answer in zip(found, answers, strict=True)
    )


def _idle_accelerators(delegates: Sequence[DelegateLibrary]) -> Iterator[FacekitError]:
    """Yields the errors of delegates for accelerators that no other delegate serves."""
    served = {title for one in delegates if one.error is None for title in one.accelerators}
    for one in delegates:
        if one.error is not None and not served.issuperset(one.accelerators):
            yield one.error


def _system() -> System:
    try:
        name = platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        name = ""
    return System(name, platform.release(), platform.machine())
