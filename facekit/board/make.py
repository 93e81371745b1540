"""Packs all that a board needs into one archive: models, cards, facekit, scripts, a README.

facekit-<target>/
    bundle.json, models/        see manifest.py
    wheels/facekit_cli-*.whl
    run.sh, verify.sh, ...      from scripts/imx, with units for systemd
    README.md, SHA256SUMS
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from facekit.board.manifest import MANIFEST, Bundle, model_file
from facekit.board.readme import readme
from facekit.board.wheel import make_wheel
from facekit.enums import Device
from facekit.errors import ModelMissingError, StorageError, UsageError
from facekit.model.checksum import sha256_of
from facekit.model.registry import DETECTOR, DETECTOR_NETS
from facekit.model.store import CARD_SUFFIX, InstalledModel, load_checked, variant_path
from facekit.model.tar import Member, write_tar
from facekit.reporter import SILENT, Reporter

_INSTALLED_BOARD = Path(__file__).with_name("scripts")
BOARD = (
    _INSTALLED_BOARD
    if _INSTALLED_BOARD.is_dir()
    else Path(__file__).resolve().parents[2] / "scripts" / "imx"
)
"""Folder of the scripts for boards, in an installation and in a checkout (see setup.py)."""
_BOARD_SUFFIXES = (".sh", ".service")
SUFFIXES = (".tar", ".tar.gz", ".tgz")
_WHEEL = re.compile(r"facekit_cli-[0-9][0-9A-Za-z.]*-py3-none-any\.whl")


@dataclass(frozen=True, slots=True)
class BundleTarget:
    """A kind of board and the files that its devices run."""

    title: str
    variants: Mapping[Device, str]
    """Variant of the embedding model, and of a detector with a single net, for each device.

    The device for which the board is made comes first.
    """


TARGETS = {
    "imx93": BundleTarget(
        "NXP i.MX 93 (Ethos-U65)", {Device.IMX93_NPU: "uint8_vela", Device.CPU: "int8"}
    ),
    "imx8mp": BundleTarget("NXP i.MX 8M Plus", {Device.IMX8MP_NPU: "uint8", Device.CPU: "int8"}),
    "cpu": BundleTarget("any board, without an NPU", {Device.CPU: "float32"}),
}


@dataclass(frozen=True, slots=True)
class MadeBundle:
    """The archive and the models in it."""

    path: Path
    bundle: Bundle
    models: tuple[InstalledModel, ...]
    wheel: str
    """Name of the wheel's file."""

    def to_dict(self) -> dict[str, Any]:
        return {
            "output": str(self.path),
            "size_bytes": self.path.stat().st_size,
            "target": self.bundle.target,
            "model": self.bundle.model,
            "devices": {
                device.value: f"{self.bundle.model}:{variant}"
                for device, variant in self.bundle.variants.items()
            },
            "detector": {
                "name": self.bundle.detector,
                "devices": {
                    device.value: f"{self.bundle.detector}:{variant}"
                    for device, variant in self.bundle.detector_variants.items()
                },
            },
            "models": [
                {
                    "model": model.card.full_name,
                    "model_sha256": model.card.file_sha256,
                    "size_bytes": model.card.file_size_bytes,
                }
                for model in self.models
            ],
            "wheel": self.wheel,
        }


def make_bundle(
    name: str,
    target: str,
    output: Path,
    *,
    detector: str = DETECTOR,
    models: Path | None = None,
    cpu_variant: str | None = None,
    wheel: Path | None = None,
    reporter: Reporter = SILENT,
) -> MadeBundle:
    """Writes the bundle of the embedding model `name` for `target`, one of TARGETS.

    `detector` is the name of the detection model.  Models are searched in the folder `models`,
    which `facekit convert` wrote, then in the store.  `cpu_variant` replaces the
    CPU's variant; `wheel` is packed as it is, instead of a wheel made here.
    Raises UsageError, ModelMissingError, ModelMismatchError, ModelBuildError for the wheel, and
    StorageError; an existing archive is unchanged then.
    """
    if not output.name.endswith(SUFFIXES):
        raise UsageError(f"-o must end in {', '.join(SUFFIXES)}. Received: {output}")
    if target not in TARGETS:
        raise UsageError(f"A bundle is for one of {', '.join(TARGETS)}. Received: {target}")
    variants = dict(TARGETS[target].variants)
    if cpu_variant is not None:
        variants[Device.CPU] = cpu_variant
    of_detector = {} if detector == DETECTOR else dict(TARGETS[target].variants)
    bundle = Bundle(target, name, variants, detector, of_detector)
    wanted = [(name, variant) for variant in dict.fromkeys(variants.values())]
    nets = dict.fromkeys(of_detector.values()) or DETECTOR_NETS
    wanted += [(detector, net) for net in nets]
    found = tuple(_model(*one, folder=models) for one in wanted)
    with _workspace() as work:
        if wheel is None:
            reporter.note(
                "building a wheel of facekit; from a checkout pip may fetch setuptools (1 MB)"
            )
            wheel = make_wheel(work)
        elif not (wheel.is_file() and _WHEEL.fullmatch(wheel.name)):
            raise UsageError(f"--wheel needs a facekit_cli-*.whl file. Received: {wheel}")
        files = {path.name: path for path in BOARD.iterdir() if path.suffix in _BOARD_SUFFIXES}
        files[MANIFEST] = _written(work / MANIFEST, bundle.to_json())
        files["README.md"] = _written(
            work / "README.md", readme(TARGETS[target].title, bundle, found)
        )
        files[f"wheels/{wheel.name}"] = wheel
        for model in found:
            path = Path(model_file(model.card.name, model.card.variant))
            files[str(path)] = model.path
            files[str(path.with_suffix(CARD_SUFFIX))] = model.path.with_suffix(CARD_SUFFIX)
        sums = "".join(f"{sha256_of(files[one])}  {one}\n" for one in sorted(files))
        files["SHA256SUMS"] = _written(work / "SHA256SUMS", sums)
        reporter.note(f"writing {output}")
        write_tar(
            (
                Member(f"facekit-{target}/{one}", files[one], executable=one.endswith(".sh"))
                for one in sorted(files)
            ),
            output,
        )
    return MadeBundle(output, bundle, found, wheel.name)


def _model(name: str, variant: str, *, folder: Path | None) -> InstalledModel:
    """Returns the checked file under the store's name; a detector's variant names one net."""
    stored = variant_path(name, variant)
    there = sorted(folder.rglob(stored.name)) if folder is not None else []
    if len(there) > 1:
        listed = ", ".join(map(str, there))
        raise UsageError(f"One {stored.name} is needed. Received: {listed}")
    for path in (*there, stored):
        if path.is_file():
            return load_checked(path, read_all=True)
    looked = stored.parent if folder is None else f"{folder} and {stored.parent}"
    raise ModelMissingError(
        f"No {stored.name} in {looked}. Make it, and say where it is:\n"
        f"  facekit convert {name} --float32 --int8 --uint8 --vela imx93 -o out\n"
        "  facekit bundle --models out ..."
    )


def _written(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


@contextmanager
def _workspace() -> Iterator[Path]:
    """Yields a temporary folder; turns the file system's errors into StorageErrors."""
    try:
        with tempfile.TemporaryDirectory(prefix="facekit-bundle-") as name:
            yield Path(name)
    except OSError as error:
        raise StorageError(
            f"Cannot write the bundle's own files: {error}. Make room, or set TMPDIR."
        ) from error
