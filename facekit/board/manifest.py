"""The manifest of a bundle, which is the folder for a board that `facekit bundle` makes.

bundle.json                             the manifest: see Bundle
models/<name>/<name>_<variant>.tflite   with its card, as in the store
run.sh, wheels/, README.md, ...         see make.py
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from facekit.board.command_stream import CommandStream
from facekit.enums import Device, LiteRtPackage
from facekit.errors import ModelMismatchError, ModelMissingError, UsageError
from facekit.model.folders import BUNDLE_MANIFEST
from facekit.model.registry import DETECTOR, DETECTOR_NETS
from facekit.model.store import InstalledModel, find
from facekit.system.fields import Fields
from facekit.system.inputs import InputKind, parse_json, read_input, reading

SCHEMA_VERSION = 1
_KIND = InputKind("the manifest of a bundle", ModelMismatchError, max_bytes=1_000_000)
VELA = "ethos-u-vela"
NEUTRON_CONVERTER = "neutron-converter"


@dataclass(frozen=True, slots=True)
class Compiled:
    """How the files for the NPU were compiled."""

    compiler: str
    """VELA, or NEUTRON_CONVERTER."""
    version: str | None
    """None if it is not known."""
    command_stream: CommandStream | None = None
    """The NPU that files of Vela state; None for another compiler."""

    def to_dict(self) -> dict[str, Any]:
        stream = self.command_stream
        return {
            "compiler": self.compiler,
            "version": self.version,
            "command_stream": None if stream is None else stream.to_dict(),
        }


@dataclass(frozen=True, slots=True)
class Board:
    """The image of a board that a bundle is made for.  None stands for any, or for none."""

    bsp: str | None = None
    """A name of `facekit.board.bsp.BSPS`."""
    runtime: LiteRtPackage | None = None
    """The package that the image has for the delegate; None if any will do."""
    delegate: str | None = None
    """File name of the delegate for the NPU."""

    def to_dict(self) -> dict[str, str | None]:
        runtime = None if self.runtime is None else self.runtime.value
        return {"bsp": self.bsp, "runtime": runtime, "delegate": self.delegate}


@dataclass(frozen=True, slots=True)
class Bundle:
    """The content of a bundle, before and after it is written to a folder."""

    target: str
    model: str
    """Name of the embedding model."""
    variants: Mapping[Device, str]
    """Variant of the embedding model for each device; the bundle is made for the first device."""
    detector: str = DETECTOR
    detector_variants: Mapping[Device, str] = field(default_factory=dict)
    """Variant of a detector with a single net for each device.

    Empty for MTCNN, whose nets run on the CPU.
    """
    board: Board = Board()
    compiled: Compiled | None = None
    """How the files for the NPU were compiled; None if it runs files that no compiler changed."""

    @property
    def device(self) -> Device:
        return next(iter(self.variants))

    def to_json(self) -> str:
        whole = {
            "schema_version": SCHEMA_VERSION,
            "target": self.target,
            "model": self.model,
            "variants": _plain(self.variants),
            "detector": {"name": self.detector, "variants": _plain(self.detector_variants)},
            "board": self.board.to_dict(),
            "compiled": None if self.compiled is None else self.compiled.to_dict(),
        }
        return json.dumps(whole, indent=1) + "\n"


def _plain(variants: Mapping[Device, str]) -> dict[str, str]:
    return {device.value: variant for device, variant in variants.items()}


def model_file(name: str, variant: str) -> str:
    """Returns the path of a model file within a bundle's folder."""
    return f"models/{name}/{name}_{variant}.tflite"


def read_bundle(folder: Path) -> Bundle:
    """Reads the manifest.

    Raises ModelMissingError if the folder is not a bundle, ModelMismatchError if it is not valid.
    """
    path = folder / BUNDLE_MANIFEST
    with reading(_KIND, path):
        if not path.exists():
            raise ModelMissingError(
                f"{folder} is no unpacked bundle: it has no {BUNDLE_MANIFEST}. Make one with "
                "`facekit bundle`, and unpack it with: tar xzf FILE"
            )
        fields = Fields(parse_json(read_input(path, _KIND)), "bundle")
        if (version := fields.integer("schema_version")) != SCHEMA_VERSION:
            raise ValueError(f"schema_version {SCHEMA_VERSION} needed, received {version}")
        target, model = fields.plain_name("target"), fields.plain_name("model")
        variants = _variants(fields)
        if not variants:
            raise ValueError("bundle.variants names no device")
        detector = fields.part("detector")
        return Bundle(
            target=target,
            model=model,
            variants=variants,
            detector=detector.plain_name("name"),
            detector_variants=_variants(detector),
            board=_board(fields.part("board")),
            compiled=_compiled(fields.optional_part("compiled")),
        )


def _board(fields: Fields) -> Board:
    runtime = fields.text_or_null("runtime")
    return Board(
        bsp=fields.text_or_null("bsp") or None,
        runtime=LiteRtPackage(runtime) if runtime else None,
        delegate=fields.text_or_null("delegate") or None,
    )


def _compiled(fields: Fields | None) -> Compiled | None:
    if fields is None:
        return None
    stream = None
    if (stated := fields.optional_part("command_stream")) is not None:
        stream = CommandStream(stated.text("format"), stated.text_or_null("accelerator") or None)
    return Compiled(fields.text("compiler"), fields.text_or_null("version") or None, stream)


def _variants(fields: Fields) -> dict[Device, str]:
    listed = fields.part("variants")
    return {Device(name): listed.plain_name(name) for name in listed}


def find_embedder(
    folder: Path, bundle: Bundle, *, device: Device, variant: str | None = None
) -> InstalledModel:
    """Returns the embedding model's file of this variant; None means the variant for `device`.

    Raises UsageError for a device that the bundle does not support, and the errors of `find`.
    """
    _require_known(folder, bundle, device)
    return find(folder / model_file(bundle.model, variant or bundle.variants[device]))


def detector_files(folder: Path, bundle: Bundle, *, device: Device) -> tuple[Path, ...]:
    """Returns the detector's net for `device`, or MTCNN's nets in the order of the cascade.

    Raises UsageError for a device that the bundle does not support.
    """
    _require_known(folder, bundle, device)
    nets = (bundle.detector_variants[device],) if bundle.detector_variants else DETECTOR_NETS
    return tuple(folder / model_file(bundle.detector, net) for net in nets)


def _require_known(folder: Path, bundle: Bundle, device: Device) -> None:
    if device not in bundle.variants:
        known = ", ".join(known.value for known in bundle.variants)
        raise UsageError(
            f"The bundle {folder} is for {bundle.target}: --device {known}. "
            f"Received: {device.value}"
        )
