"""Finds the float32 LiteRT model that a conversion begins with, whatever the user names."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from facekit.conversion.import_options import ImportOptions
from facekit.enums import Architecture
from facekit.errors import UsageError
from facekit.model import registry
from facekit.model.card import bound
from facekit.model.installation import write_card
from facekit.model.store import InstalledModel, find, is_installed, load_checked
from facekit.model.variants import DEFAULT_VARIANT, LITERT_SUFFIX, ONNX_SUFFIX
from facekit.reporter import SILENT, Reporter
from facekit.tasks.build import ensure_installed

_KERAS_SUFFIXES = (".keras", ".h5")
_NOT_PLAIN = re.compile(r"[^A-Za-z0-9._-]+")


@contextmanager
def float32_source(
    name: str,
    *,
    architecture: Architecture | None = None,
    like: str | None = None,
    reporter: Reporter = SILENT,
) -> Iterator[InstalledModel]:
    """Yields the float32 model that `name` is, or was converted from.

    `name`: a registry or stored name, a card, a .tflite or .onnx file, or a Keras file.  A file
    that is not float32 is traced to the model of its name; a float32 .onnx file is converted to
    LiteRT, in a temporary folder that exists as long as the context.  Raises UsageError,
    ModelMissingError, ModelMismatchError, and for a Keras file the errors of `import_weights`.
    """
    if name.endswith(_KERAS_SUFFIXES):
        with tempfile.TemporaryDirectory(prefix="facekit-keras-") as folder:
            yield _from_keras(Path(name), Path(folder), architecture, like, reporter)
        return
    if architecture is not None or like is not None:
        raise UsageError("--architecture and --like are for Keras files; other models have a card.")
    model = ensure_installed(name, reporter=reporter)
    known = registry.entry(model.card.name) if model.card.name in registry.names() else None
    if known is not None and DEFAULT_VARIANT not in known.variants:
        raise UsageError(
            f"A model for embedding is needed, or a detector of one net. {name} is for "
            f"{model.card.task.value} by several, which are small and stay as they are."
        )
    if _is_float32_litert(model):
        yield model
        return
    origin = f"{model.card.name}:{DEFAULT_VARIANT}"
    if _is_made_of(model, origin):
        reporter.note(f"{name} is {model.card.variant}: starting from {origin}")
        yield ensure_installed(origin, reporter=reporter)
    elif model.path.suffix == ONNX_SUFFIX and model.card.quantization.scheme == "none":
        with tempfile.TemporaryDirectory(prefix="facekit-onnx-") as folder:
            yield _from_onnx(model, Path(folder), reporter)
    else:
        raise UsageError(
            f"{name} is {model.card.variant}, and the float32 model that it was made from, "
            f"{origin}, is neither here nor in the registry. Pass its float32 file, or bring that "
            "into the store: facekit models import FILE --as NAME."
        )


def _is_float32_litert(model: InstalledModel) -> bool:
    """True if this is a float32 LiteRT model."""
    return model.path.suffix == LITERT_SUFFIX and model.card.quantization.scheme == "none"


def _is_made_of(model: InstalledModel, origin: str) -> bool:
    """Compares the sha256 of the weights that both models were built from."""
    name, sha256 = model.card.name, model.card.source.sha256
    if name in registry.names():
        return sha256 == registry.entry(name).source.sha256
    return is_installed(origin) and find(origin).card.source.sha256 == sha256


def _from_onnx(model: InstalledModel, folder: Path, reporter: Reporter) -> InstalledModel:
    """Converts an ONNX model to LiteRT in `folder`, with its card and its calibration."""
    from facekit.conversion.import_weights import import_weights

    card = model.card
    options = ImportOptions(input=card.input, crop=card.crop, flip=card.flip, accept_untrained=True)
    made = import_weights(model.path, card.name, options, folder, reporter=reporter).model
    whole = replace(
        made.card,
        architecture=card.architecture,
        source=card.source,
        calibration=card.calibration,
        detector=card.detector,
    )
    write_card(made.path, bound(whole))
    return load_checked(made.path)


def _from_keras(
    path: Path,
    folder: Path,
    architecture: Architecture | None,
    like: str | None,
    reporter: Reporter,
) -> InstalledModel:
    if architecture is None:
        raise UsageError("A Keras file needs --architecture: which graph its weights are for.")
    if not path.is_file():
        raise UsageError(f"There is no Keras file {path}.")
    defaults = None if like is None else registry.entry(like).card
    from facekit.conversion.import_weights import import_weights  # HDF5

    options = ImportOptions(
        architecture=architecture,
        input=None if defaults is None else defaults.input,
        crop=None if defaults is None else defaults.crop,
        flip=None if defaults is None else defaults.flip,
        license="not stated: the weights are the user's own",
        accept_untrained=True,
    )
    name = _NOT_PLAIN.sub("-", path.name.partition(".")[0]).strip("-._") or "model"
    return import_weights(path, name, options, folder, reporter=reporter).model
