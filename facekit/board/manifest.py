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

from facekit.enums import Device
from facekit.errors import ModelMismatchError, ModelMissingError, UsageError
from facekit.model.registry import DETECTOR, DETECTOR_NETS
from facekit.model.store import InstalledModel, find
from facekit.system.fields import Fields

SCHEMA_VERSION = 1
MANIFEST = "bundle.json"


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
    path = folder / MANIFEST
    try:
        fields = Fields(json.loads(path.read_bytes()), "bundle")
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
        )
    except FileNotFoundError as error:
        raise ModelMissingError(
            f"{folder} is no unpacked bundle: it has no {MANIFEST}. Make one with "
            "`facekit bundle`, and unpack it with: tar xzf FILE"
        ) from error
    except (OSError, ValueError, RecursionError) as error:
        raise ModelMismatchError(f"{path} cannot be used: {error}") from error


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
