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

from facekit.board.manifest import Bundle, model_file
from facekit.board.models import FACEKITS_OWN, NpuFiles, compiled_by, find_model, user_compiled
from facekit.board.readme import readme
from facekit.board.targets import TARGETS, BundleTarget, board_for
from facekit.board.wheel import make_wheel
from facekit.enums import Device
from facekit.errors import StorageError, UsageError
from facekit.model.card import Card
from facekit.model.checksum import sha256_of
from facekit.model.folders import BUNDLE_MANIFEST
from facekit.model.registry import DETECTOR, DETECTOR_NETS
from facekit.model.store import CARD_SUFFIX, InstalledModel
from facekit.model.tar import Member, write_tar
from facekit.reporter import SILENT, Reporter

_INSTALLED_BOARD = Path(__file__).with_name("scripts")
BOARD = (
    _INSTALLED_BOARD
    if _INSTALLED_BOARD.is_dir()
    else Path(__file__).resolve().parents[2] / "scripts" / "imx"
)
"""Folder of the scripts for boards, in an installation and in a checkout (see setup.py)."""
_BOARD_SUFFIXES = (".sh", ".service", ".socket")
SUFFIXES = (".tar", ".tar.gz", ".tgz")
_WHEEL = re.compile(r"facekit_cli-[0-9][0-9A-Za-z.]*-py3-none-any\.whl")


@dataclass(frozen=True, slots=True)
class MadeBundle:
    """The archive and the models in it."""

    path: Path
    bundle: Bundle
    cards: tuple[Card, ...]
    """The cards of the models in it."""
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
                    "model": card.full_name,
                    "model_sha256": card.file_sha256,
                    "size_bytes": card.file_size_bytes,
                }
                for card in self.cards
            ],
            "board": self.bundle.board.to_dict(),
            "compiled": self.bundle.compiled and self.bundle.compiled.to_dict(),
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
    bsp: str | None = None,
    npu_files: NpuFiles = FACEKITS_OWN,
    wheel: Path | None = None,
    reporter: Reporter = SILENT,
) -> MadeBundle:
    """Writes the bundle of the embedding model `name` for `target`, one of TARGETS.

    `detector` is the name of the detection model.  Models are searched in the folder `models`,
    which `facekit convert` wrote, then in the store.  `cpu_variant` replaces the
    CPU's variant; `bsp` is the BSP of the board's image, None means as `board_for` chooses.
    `npu_files` replace the files for the NPU.  `wheel` is packed as it is, instead of a wheel made
    here.
    Raises UsageError, ModelMissingError, ModelMismatchError, ModelBuildError for the wheel, and
    StorageError; an existing archive is unchanged then.
    """
    if not output.name.endswith(SUFFIXES):
        raise UsageError(f"-o must end in {', '.join(SUFFIXES)}. Received: {output}")
    if target not in TARGETS:
        raise UsageError(f"A bundle is for one of {', '.join(TARGETS)}. Received: {target}")
    one_net = detector != DETECTOR
    if npu_files.detector is not None and not one_net:
        raise UsageError(
            f"{DETECTOR}'s nets run on the CPU: --npu-detector is for another detector."
        )
    kind = TARGETS[target]
    if (
        kind.neutron_target
        and one_net
        and (npu_files.model is None) != (npu_files.detector is None)
    ):
        raise UsageError(
            f"The NPU runs the model and {detector}: pass --npu-model and --npu-detector both, or "
            f"--detector {DETECTOR}, whose nets run on the CPU."
        )
    with _workspace() as work:
        embedders = _models(
            name, kind, work, models, npu_files.model, npu_files.compiler_version, cpu_variant
        )
        detectors = (
            _models(detector, kind, work, models, npu_files.detector, npu_files.compiler_version)
            if one_net
            else {}
        )
        if kind.neutron_target and npu_files.model is None:
            reporter.note(
                "the files for the NPU are not compiled yet; the bundle's README.md says how NXP's "
                "neutron-converter does it"
            )
        npu = [one[kind.device] for one in (embedders, detectors) if one]
        compiled = compiled_by(npu) if kind.has_compiler else None
        bundle = Bundle(
            target,
            name,
            _variants(embedders),
            detector,
            _variants(detectors),
            board_for(target, compiled, bsp),
            compiled,
        )
        found = [*embedders.values(), *detectors.values()]
        if not one_net:
            found += [
                find_model(detector, net, folder=models, target=kind) for net in DETECTOR_NETS
            ]
        found = list({model.card.full_name: model for model in found}.values())
        if wheel is None:
            reporter.note(
                "building a wheel of facekit; from a checkout pip may fetch setuptools (1 MB)"
            )
            wheel = make_wheel(work)
        elif not (wheel.is_file() and _WHEEL.fullmatch(wheel.name)):
            raise UsageError(f"--wheel needs a facekit_cli-*.whl file. Received: {wheel}")
        files = {path.name: path for path in BOARD.iterdir() if path.suffix in _BOARD_SUFFIXES}
        files[BUNDLE_MANIFEST] = _written(work / BUNDLE_MANIFEST, bundle.to_json())
        files["README.md"] = _written(work / "README.md", readme(kind, bundle, found))
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
    return MadeBundle(output, bundle, tuple(model.card for model in found), wheel.name)


def _models(
    name: str,
    target: BundleTarget,
    work: Path,
    folder: Path | None,
    npu_file: Path | None,
    version: str | None,
    cpu_variant: str | None = None,
) -> dict[Device, InstalledModel]:
    """Returns the file of a model for each device of the target."""
    wanted = dict(target.variants)
    if cpu_variant is not None:
        wanted[Device.CPU] = cpu_variant
    found = {}
    for device, variant in wanted.items():
        if npu_file is not None and device is target.device:
            found[device] = user_compiled(
                npu_file, name, target, work, folder=folder, version=version
            )
        else:
            found[device] = find_model(name, variant, folder=folder, target=target)
    return found


def _variants(models: Mapping[Device, InstalledModel]) -> dict[Device, str]:
    return {device: model.card.variant for device, model in models.items()}


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
