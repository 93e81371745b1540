"""The records of `facekit doctor`: what this machine has, and what is wrong with it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from facekit.enums import Device, LiteRtPackage
from facekit.errors import FacekitError
from facekit.system.fields import blanks_to_null

if TYPE_CHECKING:
    from facekit.board.manifest import Board
    from facekit.model.defaults import DefaultModel


def _error_member(error: FacekitError | None) -> dict[str, Any]:
    return error.to_dict() if error else {"error": None}


@dataclass(frozen=True, slots=True)
class Part:
    """Something that facekit is made of or needs: itself, Python, a package, a runtime."""

    name: str
    """The name that pip has for it; "facekit" and "python" for those two."""
    least: str = ""
    """The least version that facekit is tested with; "" if it is unknown."""
    version: str = ""
    """The version that is here; "" if there is none, or if nothing tells it."""
    is_missing: bool = False
    is_usable: bool = True
    """Whether it can be imported, old or new."""
    is_needed: bool = True
    """False if verify, detect, embed and compare work without it on this machine."""
    error: FacekitError | None = None
    """Why it is not as it should be."""

    def to_dict(self) -> dict[str, Any]:
        plain = {"least": self.least, "version": self.version}
        return {
            "name": self.name,
            **blanks_to_null(plain, *plain),
            "missing": self.is_missing,
            "needed": self.is_needed,
            **_error_member(self.error),
        }


@dataclass(frozen=True, slots=True)
class DelegateLibrary:
    """A shared library through which LiteRT uses an accelerator."""

    path: Path
    accelerators: tuple[str, ...]
    """Titles of the accelerators that it serves."""
    package: LiteRtPackage | None
    """The runtime that it is built for; None if it goes with every one."""
    error: FacekitError | None
    """Why no runtime of this machine can load it."""

    def to_dict(self) -> dict[str, Any]:
        return {
            "path": str(self.path),
            "accelerators": list(self.accelerators),
            "runtime": None if self.package is None else self.package.value,
            **_error_member(self.error),
        }


@dataclass(frozen=True, slots=True)
class Store:
    """The folder of stored models."""

    path: Path
    writable: bool
    """True if the folder can be written, or made if it does not exist yet."""
    free_bytes: int

    def to_dict(self) -> dict[str, Any]:
        return {"path": str(self.path), "writable": self.writable, "free_bytes": self.free_bytes}


@dataclass(frozen=True, slots=True)
class ExaminedModel:
    """A model file of the store or of a bundle, and whether it runs."""

    model: str
    """The model as "name:variant"."""
    path: Path
    size_bytes: int | None
    """None if the file differs from its card."""
    device: Device = Device.CPU
    """The device that it was opened on."""
    time_ms: float | None = None
    """Time in which it was opened and run once on zeros; None if it was not run."""
    skipped: str = ""
    """Why it was not opened here, although nothing is wrong with it."""
    error: FacekitError | None = None
    """In what the file differs from its card, or why it does not run."""

    @property
    def is_runnable(self) -> bool:
        """Whether nothing stands against running it here, as far as is known without doing so."""
        return not self.skipped and self.error is None

    def to_dict(self) -> dict[str, Any]:
        return {
            "model": self.model,
            "path": str(self.path),
            "size_bytes": self.size_bytes,
            "device": self.device.value,
            "time_ms": None if self.time_ms is None else round(self.time_ms, 3),
            "skipped": self.skipped or None,
            **_error_member(self.error),
        }


@dataclass(frozen=True, slots=True)
class System:
    """The operating system that facekit runs on."""

    name: str
    """Its name and version, as /etc/os-release has them; "" if it has none."""
    kernel: str
    machine: str
    """The processor's architecture, such as "aarch64"."""
    soc: str | None = None
    """The SoC, such as "i.MX93"; None on a machine that is no i.MX."""
    bsp: str | None = None
    """NXP's board support package that the kernel is of; None if it is not known."""

    def to_dict(self) -> dict[str, Any]:
        return blanks_to_null(asdict(self), "name")


@dataclass(frozen=True, slots=True)
class ExaminedBundle:
    """An unpacked bundle."""

    path: Path
    target: str
    device: Device
    """The device that it is made for."""
    board: Board
    """The image that it is made for."""

    def to_dict(self) -> dict[str, Any]:
        return {
            "path": str(self.path),
            "target": self.target,
            "device": self.device.value,
            **self.board.to_dict(),
        }


@dataclass(frozen=True, slots=True)
class Models:
    """The models that commands would use.

    All members are empty if the models were not examined, because NumPy or OpenCV is missing.
    """

    store: Store | None = None
    """None with a bundle, whose models are used alone."""
    bundle: ExaminedBundle | None = None
    files: tuple[ExaminedModel, ...] = ()
    """Those of the bundle, or of the store."""
    default: DefaultModel | None = None
    """The model that is used if none is named; None with a bundle, and if the setting for it is not
    valid."""
    to_build: tuple[str, ...] = ()
    """Models that the first command which needs them will build."""
    problems: tuple[FacekitError, ...] = ()


@dataclass(frozen=True, slots=True)
class Report:
    """The findings of `facekit.tasks.doctor.examine`."""

    system: System
    parts: tuple[Part, ...]
    """Python, the packages that facekit needs, and facekit itself."""
    runtimes: tuple[Part, ...]
    """The LiteRT packages, in the order in which they are tried."""
    runtime: LiteRtPackage | None
    """The one that runs networks on the CPU, and with delegates that go with every one."""
    onnx_runtime: str
    """Version of ONNX Runtime, or "" without the extra."""
    providers: tuple[str, ...]
    """ONNX Runtime's execution providers."""
    delegates: tuple[DelegateLibrary, ...]
    models: Models
    extras: dict[str, bool]
    problems: tuple[FacekitError, ...]
    """Reasons why commands fail: all commands, or those that use one model or accelerator."""

    def to_dict(self) -> dict[str, Any]:
        models = self.models
        return {
            "system": self.system.to_dict(),
            "parts": [part.to_dict() for part in self.parts],
            "runtimes": [part.to_dict() for part in self.runtimes],
            "runtime": None if self.runtime is None else self.runtime.value,
            "onnx_runtime": self.onnx_runtime or None,
            "onnx_providers": list(self.providers),
            "delegates": [found.to_dict() for found in self.delegates],
            "store": models.store and models.store.to_dict(),
            "bundle": models.bundle and models.bundle.to_dict(),
            "models": [model.to_dict() for model in models.files],
            "default_model": models.default and models.default.to_dict(),
            "to_build": list(models.to_build),
            "extras": self.extras,
            "problems": [problem.to_dict()["error"] for problem in self.problems],
        }
