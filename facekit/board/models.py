"""Finds the model files that a bundle packs, and takes in those that the user has compiled."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from facekit.board.command_stream import CommandStream, read_command_stream
from facekit.board.manifest import NEUTRON_CONVERTER, VELA, Compiled
from facekit.board.targets import BundleTarget
from facekit.errors import ModelMismatchError, ModelMissingError, UsageError
from facekit.graph.inspect.network import Tensor
from facekit.model.card import bound
from facekit.model.checksum import sha256_of
from facekit.model.inspect import ModelInspection, inspect_model
from facekit.model.installation import write_card
from facekit.model.store import InstalledModel, load_checked, variant_path

_NEUTRON_OPERATOR = "NeutronGraph"
"""Custom operator of files that neutron-converter has compiled (eIQ Neutron SDK, Neutron
Converter)."""
_SUFFIXES = {VELA: "vela", NEUTRON_CONVERTER: "neutron"}
_UNKNOWN = "unknown"
_INTEGER_VARIANTS = ("int8", "uint8")


@dataclass(frozen=True, slots=True)
class NpuFiles:
    """Files that the user has compiled for the NPU, to be packed in place of facekit's own."""

    model: Path | None = None
    """The embedding net."""
    detector: Path | None = None
    """The net of a detector with a single net."""
    compiler_version: str | None = None
    """What the compiler's --version prints; None if the user does not say it."""


FACEKITS_OWN = NpuFiles()
"""No file of the user's."""


def find_model(
    name: str, variant: str, *, folder: Path | None, target: BundleTarget
) -> InstalledModel:
    """Returns the checked file of a variant; a detector's variant names one net.

    It is searched below `folder`, which convert wrote, then in the store.  Of several files that
    Vela compiled, the one for the target is taken.  Raises UsageError, ModelMissingError or
    ModelMismatchError.
    """
    stored = variant_path(name, variant)
    there = sorted(folder.rglob(stored.name)) if folder is not None else []
    own = [path for path in there if path.parent.name == f"model_{target.vela_target}"]
    if len(there) > 1:
        if len(own) != 1:
            listed = ", ".join(map(str, there))
            raise UsageError(f"One {stored.name} is needed. Received: {listed}")
        there = own
    for path in (*there, stored):
        if path.is_file():
            return load_checked(path, read_all=True)
    looked = stored.parent if folder is None else f"{folder} and {stored.parent}"
    vela = f" --vela {target.vela_target}" if target.vela_target else ""
    raise ModelMissingError(
        f"No {stored.name} in {looked}. Make it, and say where it is:\n"
        f"  facekit convert {name} --float32 --int8 --uint8{vela} -o out\n"
        "  facekit bundle --models out ..."
    )


def user_compiled(
    file: Path,
    name: str,
    target: BundleTarget,
    work: Path,
    *,
    folder: Path | None,
    version: str | None,
) -> InstalledModel:
    """Copies a file that the user has compiled into `work`, with a card.

    The card is that of the int8 or uint8 file of `name` with the same inputs and outputs, from
    which the file was compiled.  It keeps that file's thresholds, which no one has measured on the
    NPU.  Raises UsageError if the target has no NPU for compiled files, ModelMismatchError if the
    file was not compiled, or from no integer file of `name`, and the errors of `inspect_model`.
    """
    inspected = inspect_model(file)
    compiler = _compiler_of(inspected)
    wanted = NEUTRON_CONVERTER if target.neutron_target else VELA
    if not target.has_compiler:
        raise UsageError(
            f"{target.title} runs no file that a compiler has changed. Received: --npu-model or "
            f"--npu-detector {file}"
        )
    if compiler != wanted:
        raise ModelMismatchError(
            f"A file that {wanted} has compiled is needed for {target.title}. Received: {file}, "
            f"with the operators {', '.join(inspected.histogram)}"
        )
    source = _source_of(inspected, name, target, folder)
    variant = f"{source.card.variant}_{_SUFFIXES[compiler]}"
    path = work / f"{name}_{variant}{file.suffix}"
    shutil.copyfile(file, path)
    card = replace(
        source.card,
        variant=variant,
        file_name=path.name,
        file_sha256=sha256_of(path),
        file_size_bytes=path.stat().st_size,
        tools={
            **source.card.tools,
            compiler: version or _UNKNOWN,
            "compiled from": source.path.name,
            "compiled from sha256": source.card.file_sha256,
        },
    )
    write_card(path, bound(card))
    return load_checked(path, read_all=True)


def _compiler_of(inspected: ModelInspection) -> str | None:
    if inspected.is_compiled_by_vela:
        return VELA
    names = [operator.name for operator in inspected.operators]
    return NEUTRON_CONVERTER if _NEUTRON_OPERATOR in names else None


def _source_of(
    inspected: ModelInspection, name: str, target: BundleTarget, folder: Path | None
) -> InstalledModel:
    """Returns the integer file with the same inputs and outputs."""
    for variant in _INTEGER_VARIANTS:
        try:
            source = find_model(name, variant, folder=folder, target=target)
        except ModelMissingError:
            continue
        own = inspect_model(source.path)
        if all(
            _forms(mine) == _forms(theirs)
            for mine, theirs in ((own.inputs, inspected.inputs), (own.outputs, inspected.outputs))
        ):
            return source
    raise ModelMismatchError(
        f"{inspected.path} was compiled from none of the files of {name}: no int8 or uint8 file in "
        f"{folder or 'the store'} has its inputs {_forms(inspected.inputs)} and outputs "
        f"{_forms(inspected.outputs)}. Pass --models, the folder of the file that was compiled."
    )


def _forms(tensors: Sequence[Tensor]) -> list[tuple[tuple[int, ...], str]]:
    """Returns shapes and types; names differ, because compilers rename tensors."""
    return [(tensor.shape, tensor.dtype) for tensor in tensors]


def compiled_by(models: Sequence[InstalledModel]) -> Compiled | None:
    """Returns how the files for the NPU were compiled, as their cards and Vela's files state it.

    Returns None if no compiler has changed them.  Raises ModelMismatchError if they were compiled
    by different versions or for different NPUs: one driver must take all of them.
    """
    found: dict[Compiled, str] = {}
    for model in models:
        stream = read_command_stream(model.path)
        compiler = VELA if stream is not None else NEUTRON_CONVERTER
        stated = model.card.tools.get(compiler)
        if stream is not None or stated is not None:
            version = None if stated == _UNKNOWN else stated
            found.setdefault(Compiled(compiler, version, stream), model.path.name)
    if len(found) > 1:
        listed = "; ".join(f"{name}: {_text(one)}" for one, name in found.items())
        raise ModelMismatchError(
            f"One compiler must have made all files for the NPU. Received: {listed}. "
            "Compile them again with one."
        )
    return next(iter(found), None)


def _text(compiled: Compiled) -> str:
    stream: CommandStream | None = compiled.command_stream
    npu = "" if stream is None else f" for {stream.accelerator or stream.format}"
    return f"{compiled.compiler} {compiled.version or 'of an unknown version'}{npu}"
