"""Opens networks on accelerators, and checks that the accelerator is used.

LiteRT passes operators to an NPU through a shared library, the delegate.  ONNX Runtime uses an
execution provider for the same purpose.  A delegate or provider that is missing, cannot be loaded
or accepts no operator is an error: the CPU never replaces it silently.  The LiteRT package is the
one that the delegate is built for, for nets that stay on the CPU beside it too, so that a process
has one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from facekit.enums import Device, LiteRtPackage, Runtime
from facekit.errors import AcceleratorError, UsageError
from facekit.reporter import SILENT, Reporter
from facekit.runtime.devices import CPU_PROVIDER, LIBRARY_FOLDERS, known_delegate
from facekit.runtime.graph_cache import keep_graphs
from facekit.runtime.interpreter import load_delegate
from facekit.runtime.litert import LiteRtNet
from facekit.runtime.net import Net
from facekit.runtime.packages import choose_delegate, package_for


@dataclass(frozen=True, slots=True)
class AcceleratorRequest:
    """The user's request for an accelerator.

    The constructor raises UsageError if options contradict each other.
    """

    device: Device | None = None
    """None means that the user named no device: the CPU is used, or a bundle's target device."""
    delegate: Path | None = None
    """The path of a delegate library to use instead of the library of a named device.  The system's
    loader searches for a file name without a folder."""
    options: tuple[tuple[str, str], ...] = ()
    """(key, value) pairs that are passed to the delegate."""
    allow_cpu_fallback: bool = False
    providers: tuple[str, ...] = ()
    """ONNX Runtime's execution providers in order of preference; () means its CPU provider."""

    def __post_init__(self) -> None:
        if self.delegate is not None and self.device not in (None, Device.CPU):
            raise UsageError("--device and --delegate both name an accelerator; pass one of them.")
        if self.providers and self.requests_litert_delegate:
            raise UsageError(
                "--provider is ONNX Runtime's, --device and --delegate are LiteRT's; pass one of "
                "them."
            )

    def require_delegate_for_options(self) -> None:
        """Raises UsageError if there are options for a delegate, but no delegate is requested."""
        if self.options and not self.requests_litert_delegate:
            raise UsageError("--delegate-option needs --delegate or --device.")

    @property
    def requests_accelerator(self) -> bool:
        """Whether an accelerator is requested, i.e. anything except the CPU."""
        return self.requests_litert_delegate or self.providers[:1] not in ((), (CPU_PROVIDER,))

    @property
    def requests_litert_delegate(self) -> bool:
        return self.delegate is not None or self.device not in (None, Device.CPU)


@dataclass(frozen=True, slots=True)
class OpenedNet:
    """A loaded network and the device that it runs on."""

    net: Net
    delegate: Path | None
    """The delegate that executes operators; None for the CPU and for ONNX Runtime."""
    fallback_reason: str
    """Why the CPU is used although an accelerator was requested; "" if this is not the case."""
    providers: tuple[str, ...] = ()
    """ONNX Runtime's execution providers; () for LiteRT."""
    delegated_nodes: int = 0
    """The number of subgraphs (LiteRT) or operators (ONNX Runtime) that the accelerator
    executes."""
    package: LiteRtPackage | None = None
    """The LiteRT package that has loaded the delegate; None without one."""
    idle_providers: tuple[str, ...] = ()
    """Those of `providers` that execute no operator."""


@dataclass(frozen=True, slots=True)
class DeviceUse:
    """The device that a network runs on, as reported in text and in JSON."""

    runtime: Runtime
    device: str
    """"cpu", a device's name, "delegate" for a library of the user's, or "provider"."""
    delegate: Path | None = None
    """The delegate that executes operators."""
    providers: tuple[str, ...] | None = None
    """ONNX Runtime's execution providers; None for LiteRT."""
    cpu_fallback: str | None = None
    """Why the CPU is used although an accelerator was requested; None if this is not the case."""
    package: LiteRtPackage | None = None
    """The LiteRT package that has loaded the delegate; None without one."""
    idle_providers: tuple[str, ...] = ()
    """Those of `providers` that execute no operator."""

    @property
    def is_accelerator_requested(self) -> bool:
        """Whether an accelerator was requested, even if the CPU is used instead."""
        return self.device != Device.CPU.value or self.cpu_fallback is not None

    def to_dict(self) -> dict[str, Any]:
        """Returns the members that every JSON result of a command with a network has."""
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
            known = known_delegate(self.delegate)
            which = "" if known else ", the default one: facekit does not know this delegate"
            package = self.package.value if self.package else ""
            return (
                f"the embedding network runs on {self.device}, through {self.delegate} "
                f"(runtime: {package}{which})"
            )
        if self.device == "provider":
            idle = "".join(f"; {name} took no operator" for name in self.idle_providers)
            return f"the embedding network runs through {', '.join(self.providers or ())}{idle}"
        return "the embedding network runs on the CPU"


def device_use(path: Path, request: AcceleratorRequest, opened: OpenedNet | None) -> DeviceUse:
    """Returns the device that the network at `path` runs on.

    `opened` may be None if no accelerator is requested.
    """
    runtime = next(
        (candidate for candidate in Runtime if candidate.suffix == path.suffix), Runtime.LITERT
    )
    providers = (CPU_PROVIDER,) if runtime is Runtime.ONNX else None
    if opened is None or not request.requests_accelerator:
        return DeviceUse(runtime, Device.CPU.value, providers=providers)
    if opened.fallback_reason:
        return DeviceUse(
            runtime, Device.CPU.value, providers=providers, cpu_fallback=opened.fallback_reason
        )
    if opened.delegate is None:
        return DeviceUse(
            runtime,
            "provider",
            providers=opened.providers,
            idle_providers=opened.idle_providers,
        )
    device = "delegate" if request.delegate else (request.device or Device.CPU).value
    return DeviceUse(
        runtime, device, delegate=opened.delegate, providers=providers, package=opened.package
    )


def parse_options(texts: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """Parses ("key=value", ...) into (("key", "value"), ...).

    Raises UsageError if a text does not have the form KEY=VALUE.
    """
    pairs = []
    for text in texts:
        key, equals, value = text.partition("=")
        if not (key and equals):
            raise UsageError(f"A delegate's option has the form KEY=VALUE. Received: {text!r}")
        pairs.append((key, value))
    return tuple(pairs)


def open_net(
    path: Path,
    *,
    request: AcceleratorRequest,
    threads: int = 1,
    on_cpu: bool = False,
    folders: Iterable[Path] = LIBRARY_FOLDERS,
    reporter: Reporter = SILENT,
) -> OpenedNet:
    """Opens the network at `path` with LiteRT, ONNX Runtime or Keras, on the requested device.

    `on_cpu` opens a network that stays on the CPU beside one that the request is for.  `reporter`
    is told if the network will first be compiled for minutes.

    Raises AcceleratorError if the delegate or provider is missing, belongs to another LiteRT
    package than the one that is installed or forced, cannot be loaded, or accepts no operator,
    unless `allow_cpu_fallback` is set.  Raises UsageError if an option is for another
    runtime than the file's, or if there are delegate options but no delegate is requested.  Also
    raises the errors of the constructors of LiteRtNet, OnnxNet and KerasNet.
    """
    beside = request
    if on_cpu:
        request = AcceleratorRequest()
    request.require_delegate_for_options()
    if path.suffix == Runtime.ONNX.suffix:
        return _open_with_onnx_runtime(path, request, threads)
    if request.providers:
        raise UsageError(
            f"--provider is for {Runtime.ONNX.suffix} files, which ONNX Runtime runs: pass one, or "
            f"--runtime onnx. Received: {path}"
        )
    if path.suffix == Runtime.KERAS.suffix:
        return _open_with_keras(path, request, threads)
    fallback = ""
    if request.requests_accelerator:
        try:
            return _open_with_delegate(path, request, threads, folders, reporter)
        except AcceleratorError as error:
            if not request.allow_cpu_fallback:
                raise
            fallback = str(error)
    package = _package_beside(beside, folders)
    return OpenedNet(LiteRtNet(path, threads=threads, package=package), None, fallback)


def _package_beside(request: AcceleratorRequest, folders: Iterable[Path]) -> LiteRtPackage | None:
    """Returns the package for networks on the CPU: the requested delegate's, or None for any."""
    if request.requests_litert_delegate:
        with suppress(AcceleratorError):  # raised where the delegate itself is needed
            return _choose(request, folders)[1]
    return None


def _choose(request: AcceleratorRequest, folders: Iterable[Path]) -> tuple[Path, LiteRtPackage]:
    if request.delegate is not None:
        return request.delegate, package_for(request.delegate)
    return choose_delegate(request.device or Device.CPU, folders=folders)


def _open_with_delegate(
    path: Path,
    request: AcceleratorRequest,
    threads: int,
    folders: Iterable[Path],
    reporter: Reporter,
) -> OpenedNet:
    library, package = _choose(request, folders)
    known = known_delegate(library)
    if known is not None and known.keeps_graphs:
        keep_graphs(reporter)
    loaded = load_delegate(library, dict(request.options), package=package)
    net = LiteRtNet(path, threads=threads, delegates=[loaded], package=package)
    if net.delegated_nodes == 0:
        takes = known.takes if known else "integer files, an Ethos-U's those that Vela has compiled"
        raise AcceleratorError(
            f"Delegate {library} took no operator of {path}: all of it would run on the CPU. It "
            f"takes {takes}; --allow-cpu-fallback permits the CPU."
        )
    return OpenedNet(net, library, "", delegated_nodes=net.delegated_nodes, package=package)


def _open_with_onnx_runtime(path: Path, request: AcceleratorRequest, threads: int) -> OpenedNet:
    from facekit.runtime.onnx import OnnxNet  # not loaded for LiteRT files

    if request.requests_litert_delegate:
        raise UsageError(
            f"--device and --delegate are for LiteRT's files. For {path} pass --provider."
        )
    providers, fallback = request.providers or (CPU_PROVIDER,), ""
    try:
        net = OnnxNet(path, threads=threads, providers=providers)
    except AcceleratorError as error:
        if not (request.allow_cpu_fallback and request.requests_accelerator):
            raise
        providers, fallback = (CPU_PROVIDER,), str(error)
        net = OnnxNet(path, threads=threads, providers=providers)
    return OpenedNet(
        net,
        None,
        fallback,
        providers,
        net.delegated_nodes,
        idle_providers=net.idle_providers,
    )


def _open_with_keras(path: Path, request: AcceleratorRequest, threads: int) -> OpenedNet:
    from facekit.runtime.keras import KerasNet  # not loaded for LiteRT files

    if request.requests_litert_delegate:
        raise UsageError(
            f"--device and --delegate are for LiteRT's files; Keras runs {path} as TensorFlow does."
        )
    return OpenedNet(KerasNet(path, threads=threads), None, "")
