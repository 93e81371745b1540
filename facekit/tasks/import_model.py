"""facekit models import: imports an archive of models, or weights of other training programs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from facekit.conversion.import_options import NOT_STATED, ImportedModel, ImportOptions
from facekit.enums import Architecture, ColorOrder, CropRule, Flip, Preprocessing, ResizeFilter
from facekit.errors import ModelMissingError, UsageError
from facekit.model import installation, store
from facekit.model.card import Card, Task, read_card
from facekit.model.checksum import file_dict
from facekit.model.store import InstalledModel
from facekit.model.variants import MODEL_SUFFIXES
from facekit.reporter import SILENT, Reporter
from facekit.system.inputs import InputKind, open_input
from facekit.tasks.build import ModelFiles, waiting
from facekit.tasks.liveness import pad_detector
from facekit.types import CropSpec, QualitySpec


@dataclass(frozen=True, slots=True)
class ImportedArchive:
    """The files of an archive's models."""

    archive: Path
    paths: tuple[Path, ...]
    signed_by: str | None
    """The SHA-256, in hexadecimal, of the trusted public key that signed it; None without one."""

    def to_dict(self) -> dict[str, Any]:
        files = [file_dict(path) for path in self.paths]
        return {"model": str(self.archive), "files": files, "signed_by": self.signed_by}


_ANY = InputKind("an archive, a network or weights", ModelMissingError, max_bytes=5_000_000_000)


def import_model(
    path: Path,
    *,
    name: str | None = None,
    options: ImportOptions | None = None,
    trusted: Path | None = None,
    force: bool = False,
    reporter: Reporter = SILENT,
) -> ImportedArchive | ImportedModel | ModelFiles:
    """Installs the models of an archive under their names, or weights as `name`.

    A presentation attack detector with its card beside it is installed as it is.

    The kind of the file is detected from its content.  `options`: properties that a file of weights
    does not state.  `trusted`: a PEM file with a public key of Ed25519, whose owner must have
    signed the archive.  `force`: replace a model of that name, with all variants; for an archive,
    replace models that are stored or in the registry.  What is replaced is told to `reporter`, with
    the thresholds before and after.
    Raises ModelMissingError for a file that cannot be read, UsageError, ModelMismatchError for an
    archive that export does not write, ModelBuildError for weights that do not fit their graph or
    whose network differs from its source or does not distinguish faces, MissingExtraError, or
    StorageError.
    """
    if not path.exists():
        raise ModelMissingError(f"There is no file {path}.")
    options = options or ImportOptions()
    if is_archive(path):
        if name is not None or options != ImportOptions():
            raise UsageError(
                f"{path} is an archive: its models have names and cards. Leave --as and the "
                "options that say how weights are used away."
            )
        return _import_archive(path, trusted, force, reporter)
    if trusted is not None:
        raise UsageError(f"--trusted is for archives, which can be signed. Received: {path}")
    if name is None:
        raise UsageError(
            f"{path} is no archive of models. Networks and weights need a name: --as NAME."
        )
    if (card := _pad_card(path)) is not None:
        return _import_pad_detector(InstalledModel(card, path), name, options, force, reporter)
    return _import_weights(path, name, options, force, reporter)


def is_archive(path: Path) -> bool:
    """True if the content is that of a .tar or .tar.gz; an empty file counts as a damaged archive.

    Raises ModelMissingError for a file that cannot be read.
    """
    if path.is_dir():
        return False
    with open_input(path, _ANY) as file:
        head = file.read(512)
    return head[:2] == b"\x1f\x8b" or head[257:262] == b"ustar" or not head


def import_options(
    *,
    architecture: Architecture | None = None,
    preprocessing: Preprocessing | None = None,
    size: tuple[int, int] | None = None,
    color_order: ColorOrder | None = None,
    mean: float | None = None,
    std: float | None = None,
    crop: CropRule | None = None,
    margin_px: float | None = None,
    flip: Flip | None = None,
    quality_range: tuple[float, float] | None = None,
    license: str | None = None,
    accept_untrained: bool = False,
) -> ImportOptions:
    """Returns the properties that no file of weights states; None means the usual value.

    `size`: (height, width) in pixels, for a network with dynamic dimensions.  `mean`, `std`: the
    network's input is (x - mean) / std, x from 0 to 255.  `quality_range`: the outputs for the
    worst and the best face of a network that rates faces.  `margin_px`: pixels of the crop outside
    the box, both sides together, of CropRule.MARGIN.  `accept_untrained`: accept a network that
    does not distinguish or rate faces.
    Raises UsageError if only one of a margin and its rule, or of mean and std, is set, if std is
    not positive, or if both ends of the range are equal.
    """
    if (mean is None) != (std is None):
        raise UsageError("--mean and --std go together: a network is fed (x - mean) / std.")
    if std is not None and std <= 0:
        raise UsageError(f"--std must be positive. Received: {std:g}")
    if quality_range is not None and quality_range[0] == quality_range[1]:
        raise UsageError(
            "--quality-range needs two different numbers: the outputs for the worst and for the "
            f"best face. Received: {quality_range[0]:g} {quality_range[1]:g}"
        )
    return ImportOptions(
        architecture=architecture,
        preprocessing=preprocessing,
        size=size,
        color_order=color_order,
        scaling=None if mean is None or std is None else (mean, std),
        crop=_crop(crop, margin_px),
        flip=flip,
        quality=None if quality_range is None else QualitySpec(*quality_range),
        license=license or NOT_STATED,
        accept_untrained=accept_untrained,
    )


def _crop(rule: CropRule | None, margin_px: float | None) -> CropSpec | None:
    if margin_px is not None and rule is not CropRule.MARGIN:
        raise UsageError("--margin is for --crop margin.")
    if rule is None:
        return None
    if rule is CropRule.MARGIN and margin_px is None:
        raise UsageError("--crop margin needs --margin PX; facenet's nets were trained with 32.")
    return CropSpec(rule, margin_px or 0.0, ResizeFilter.BILINEAR)


def _import_archive(
    path: Path, trusted: Path | None, force: bool, reporter: Reporter
) -> ImportedArchive:
    from facekit.model.archive import import_models

    signers: list[str] = []
    imported = import_models(
        path,
        trusted=trusted,
        force=force,
        on_wait=waiting("these models", reporter),
        on_replaced=lambda change: reporter.note(f"replaced: {change}"),
        on_signed=signers.append,
    )
    paths = tuple(model.path for model in imported)
    return ImportedArchive(path, paths, signers[0] if signers else None)


def _pad_card(path: Path) -> Card | None:
    """Returns the card beside the file if it is that of a presentation attack detector."""
    beside = path.with_suffix(store.CARD_SUFFIX)
    if path.suffix not in MODEL_SUFFIXES or not beside.is_file():
        return None
    card = read_card(beside)
    return card if card.task is Task.PAD else None


def _import_pad_detector(
    model: InstalledModel, name: str, options: ImportOptions, force: bool, reporter: Reporter
) -> ModelFiles:
    """Copies the file and its card, once the file has answered as its card says."""
    if options != ImportOptions():
        raise UsageError(
            f"{model.path} has the card of a presentation attack detector beside it, which says "
            "all: pass no option on how it is used."
        )
    installation.require_new(name, force=force)
    pad_detector(store.find(model.path))
    variant = store.card_for_store(model.card).variant
    paths = installation.install_files(name, [model.path], on_wait=waiting(name, reporter))
    installation.remove_others(name, variant)
    reporter.note(
        f"{name} detects presentation attacks: facekit verify --liveness report --liveness-model "
        f"{name} A B"
    )
    return ModelFiles(f"{name}:{variant}", paths)


def _import_weights(
    path: Path, name: str, options: ImportOptions, force: bool, reporter: Reporter
) -> ImportedModel:
    from facekit.conversion.import_weights import import_weights, require_free_name
    from facekit.model.replacement import removals

    require_free_name(name, path)
    replaced = tuple(map(str, removals(name)))
    if replaced and not force:
        message = (
            f"There is a model {name} already. Take another name with --as, or pass --force to "
            "replace it:"
        )
        raise UsageError("\n  ".join((message, *replaced)))
    made: list[ImportedModel] = []

    def build(folder: Path) -> None:
        made.append(import_weights(path, name, options, folder, reporter=reporter))

    installation.install(name, build, on_wait=waiting(name, reporter))
    for change in replaced:
        reporter.note(f"replaced: {change}")
    installation.remove_others(name, store.DEFAULT_VARIANT)
    reporter.note(
        f"{name} rates faces: facekit quality --quality-model {name} PHOTO"
        if options.quality is not None
        else f"{name} has no threshold yet: give verify --threshold or --min-similarity, or "
        f"measure one with facekit calibrate --model {name} --data DIR --write"
    )
    return replace(made[0], model=store.find(f"{name}:{store.DEFAULT_VARIANT}"))
