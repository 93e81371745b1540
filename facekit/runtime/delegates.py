"""Accelerators: what is asked for, where boards keep it, and whether it does the work.

A delegate is a shared library through which LiteRT hands operators to an NPU; an execution
provider is what ONNX Runtime has for the same.  One that is missing, cannot be loaded or takes
no operator is an error: the CPU is never used in silence.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from facekit.enums import Device, Runtime
from facekit.errors import AcceleratorError, UsageError
from facekit.runtime.devices import ACCELERATORS, CPU_PROVIDER, LIBRARY_FOLDERS
from facekit.runtime.interpreter import load_delegate
from facekit.runtime.litert import LiteRtNet
from facekit.runtime.net import Net


@dataclass(frozen=True, slots=True)
class AcceleratorRequest:
    """What the user asks for.  Raises UsageError for what cannot be meant together."""

    device: Device | None = None
    """None where none was named: the CPU, or the device that a bundle is for"""
    library: Path | None = None
    """a delegate of one's own, instead of a device's; a bare name is searched by the loader"""
    options: tuple[tuple[str, str], ...] = ()
    """handed to the delegate, which alone knows what they mean"""
    allow_cpu_fallback: bool = False
    providers: tuple[str, ...] = ()
    """ONNX Runtime's execution providers, the preferred one first; () for its CPU's"""

    def __post_init__(self) -> None:
        if self.library is not None and self.device not in (None, Device.CPU):
            raise UsageError("--device and --delegate both name an accelerator; pass one of them.")
        if self.providers and self.is_delegated_by_litert:
            raise UsageError(
                "--provider is ONNX Runtime's, --device and --delegate are LiteRT's; pass one of "
                "them."
            )

    def require_delegate_for_options(self) -> None:
        """Raises UsageError where a delegate's options are given and no delegate is asked for."""
        if self.options and not self.is_delegated_by_litert:
            raise UsageError("--delegate-option needs --delegate or --device.")

    @property
    def is_delegated(self) -> bool:
        """Whether anything but the CPU is asked for."""
        return self.is_delegated_by_litert or self.providers[:1] not in ((), (CPU_PROVIDER,))

    @property
    def is_delegated_by_litert(self) -> bool:
        return self.library is not None or self.device not in (None, Device.CPU)


@dataclass(frozen=True, slots=True)
class OpenedNet:
    """A network, and what it runs on."""

    net: Net
    library: Path | None
    """the delegate that has taken operators; None for the CPU, and for ONNX Runtime"""
    fallback: str
    """why the CPU is used although an accelerator was asked for; "" where that is not so"""
    providers: tuple[str, ...] = ()
    """ONNX Runtime's execution providers; () for LiteRT"""
    delegated_nodes: int = 0
    """parts of the graph that the delegate or the providers have taken from the CPU"""


@dataclass(frozen=True, slots=True)
class DeviceUse:
    """What a network runs on, as it is told to people and to programs."""

    runtime: Runtime
    device: str
    """"cpu", a device's name, "delegate" for a library of the user's, or "provider" """
    delegate: Path | None = None
    """the library that has taken operators"""
    providers: tuple[str, ...] | None = None
    """ONNX Runtime's execution providers; None for LiteRT"""
    cpu_fallback: str | None = None
    """why the CPU is used although an accelerator was asked for"""

    @property
    def is_asked_for(self) -> bool:
        """Whether anything but the CPU was asked for, taken or not."""
        return self.device != Device.CPU.value or self.cpu_fallback is not None

    def to_dict(self) -> dict[str, Any]:
        """The members of every JSON result of a command that runs a network."""
        return {
            "runtime": self.runtime.value,
            "device": self.device,
            "delegate": None if self.delegate is None else str(self.delegate),
            "providers": None if self.providers is None else list(self.providers),
            "cpu_fallback": self.cpu_fallback,
        }

    def __str__(self) -> str:
        if self.cpu_fallback is not None:
            return f"the embedding network runs on the CPU instead: {self.cpu_fallback}"
        if self.delegate is not None:
            return f"the embedding network runs on {self.device}, through {self.delegate}"
        if self.device == "provider":
            return f"the embedding network runs through {', '.join(self.providers or ())}"
        return "the embedding network runs on the CPU"


def device_use(path: Path, request: AcceleratorRequest, opened: OpenedNet | None) -> DeviceUse:
    """What the network at `path` runs on; `opened` is not looked at where the CPU was asked for."""
    runtime = next((one for one in Runtime if one.suffix == path.suffix), Runtime.LITERT)
    providers = (CPU_PROVIDER,) if runtime is Runtime.ONNX else None
    if opened is None or not request.is_delegated:
        return DeviceUse(runtime, Device.CPU.value, providers=providers)
    if opened.fallback:
        return DeviceUse(
            runtime, Device.CPU.value, providers=providers, cpu_fallback=opened.fallback
        )
    if opened.library is None:
        return DeviceUse(runtime, "provider", providers=opened.providers)
    device = "delegate" if request.library else (request.device or Device.CPU).value
    return DeviceUse(runtime, device, delegate=opened.library, providers=providers)


def parse_options(texts: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """("key=value", ...) -> (("key", "value"), ...).  Raises UsageError."""
    pairs = []
    for text in texts:
        key, equals, value = text.partition("=")
        if not (key and equals):
            raise UsageError(f"A delegate's option has the form KEY=VALUE. Received: {text!r}")
        pairs.append((key, value))
    return tuple(pairs)


def find_library(device: Device, *, folders: Iterable[Path] = LIBRARY_FOLDERS) -> Path:
    """The delegate of a device.  Raises AcceleratorError that names what was looked for, where."""
    names = ACCELERATORS[device].libraries
    looked = tuple(folders)
    for folder in looked:
        for name in names:
            if (folder / name).exists():
                return folder / name
    raise AcceleratorError(
        f"No delegate for {device.value}: {' or '.join(names)} is in none of "
        f"{', '.join(map(str, looked))}. If it is elsewhere, pass --delegate PATH; "
        "--allow-cpu-fallback permits the CPU."
    )


def open_net(
    path: Path,
    *,
    request: AcceleratorRequest,
    threads: int = 1,
    folders: Iterable[Path] = LIBRARY_FOLDERS,
) -> OpenedNet:
    """The network at `path`, by LiteRT, ONNX Runtime or Keras, on what `request` asks for.

    Raises AcceleratorError where the delegate or provider is missing, cannot be loaded, or takes
    no operator and `allow_cpu_fallback` is not set; UsageError for a delegate of the other
    runtime; and what LiteRtNet, OnnxNet and KerasNet raise.
    """
    request.require_delegate_for_options()
    if path.suffix == Runtime.ONNX.suffix:
        return _by_onnx_runtime(path, request, threads)
    if request.providers:
        raise UsageError(
            f"--provider is for {Runtime.ONNX.suffix} files, which ONNX Runtime runs: pass one, or "
            f"--runtime onnx. Received: {path}"
        )
    if path.suffix == Runtime.KERAS.suffix:
        return _by_keras(path, request, threads)
    if not request.is_delegated:
        return OpenedNet(LiteRtNet(path, threads=threads), None, "")
    try:
        return _delegated(path, request, threads, folders)
    except AcceleratorError as error:
        if not request.allow_cpu_fallback:
            raise
        return OpenedNet(LiteRtNet(path, threads=threads), None, str(error))


def _delegated(
    path: Path, request: AcceleratorRequest, threads: int, folders: Iterable[Path]
) -> OpenedNet:
    library = request.library or find_library(request.device or Device.CPU, folders=folders)
    delegate = load_delegate(library, dict(request.options))
    net = LiteRtNet(path, threads=threads, delegates=[delegate])
    if net.delegated_nodes == 0:
        raise AcceleratorError(
            f"Delegate {library} took no operator of {path}: all of it would run on the CPU. An "
            "NPU takes integer models, an Ethos-U those that Vela compiled for it (facekit "
            "compile); --allow-cpu-fallback permits the CPU."
        )
    return OpenedNet(net, library, "", delegated_nodes=net.delegated_nodes)


def _by_onnx_runtime(path: Path, request: AcceleratorRequest, threads: int) -> OpenedNet:
    from facekit.runtime.onnx import OnnxNet  # what LiteRT alone needs stays small

    if request.is_delegated_by_litert:
        raise UsageError(
            f"--device and --delegate are for LiteRT's files. For {path} pass --provider."
        )
    providers, fallback = request.providers or (CPU_PROVIDER,), ""
    try:
        net = OnnxNet(path, threads=threads, providers=providers)
    except AcceleratorError as error:
        if not (request.allow_cpu_fallback and request.is_delegated):
            raise
        providers, fallback = (CPU_PROVIDER,), str(error)
        net = OnnxNet(path, threads=threads, providers=providers)
    return OpenedNet(net, None, fallback, providers, net.delegated_nodes)


def _by_keras(path: Path, request: AcceleratorRequest, threads: int) -> OpenedNet:
    from facekit.runtime.keras import KerasNet  # what LiteRT alone needs stays small

    if request.is_delegated_by_litert:
        raise UsageError(
            f"--device and --delegate are for LiteRT's files; Keras runs {path} as TensorFlow does."
        )
    return OpenedNet(KerasNet(path, threads=threads), None, "")
