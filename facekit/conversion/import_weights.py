"""Weights in any known format to a float32 LiteRT file with its card."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

from facekit.conversion.feeding import FEEDINGS
from facekit.conversion.import_network import import_network
from facekit.conversion.import_options import ImportedModel, ImportOptions
from facekit.conversion.self_test import self_test
from facekit.conversion.source_answers import graph_answers
from facekit.enums import Architecture, Preprocessing
from facekit.errors import ModelBuildError, UsageError
from facekit.graph.nets.designs import DESIGNS
from facekit.graph.read.formats import SourceFormat, find_format
from facekit.graph.read.onnx_file import external_tensor_files, is_onnx
from facekit.graph.read.tf_checkpoint import checkpoint_files, is_checkpoint
from facekit.graph.write.litert import to_litert
from facekit.model import registry
from facekit.model.card import Card, Source, Task
from facekit.model.store import CARD_SUFFIX, MODEL_SUFFIX, InstalledModel
from facekit.model.variants import DEFAULT_VARIANT
from facekit.reporter import SILENT, Reporter
from facekit.system.files import write_atomically
from facekit.types import InputSpec
from facekit.version import __version__

_CHUNK_BYTES = 1 << 20
_UNKNOWN_SHA256 = "0" * 64


def require_free_name(name: str, path: Path) -> None:
    """Raises UsageError for the name of a registry model: its card would not be the registry's."""
    if name not in registry.names():
        return
    if registry.entry(name).source.sha256 == source_sha256(path):
        raise UsageError(
            f"{path} is what the registry's {name} is built from. Build that: facekit models "
            f"build {name} --from-file {path}"
        )
    raise UsageError(
        f"{name} is a model of the registry, and {path} is not what that is built from. Import "
        "it under another name with --as."
    )


def import_weights(
    path: Path, name: str, options: ImportOptions, into: Path, *, reporter: Reporter = SILENT
) -> ImportedModel:
    """Reads, checks, converts and tests; the file and its card are in `into` afterwards.

    `path`: a file, or the folder of a TensorFlow 1 checkpoint.  `into`: an empty folder, which
    the caller puts in place, or drops on an error.  `reporter` is told what happens.

    The card has no thresholds: none was measured.
    Raises ModelBuildError for a file of no known format, whose tensors are not those of the
    graph, and names the tensor, or that holds a network which `import_network` refuses; UsageError
    for a graph that the format cannot hold weights of, or where nothing tells how a network is fed;
    MissingExtraError.
    """
    found = find_format(path)
    reporter.note(f"reading {path.name}: {found.title}")
    sha256 = source_sha256(path)
    if found.whole_network:
        return import_network(
            path, name, options, into, found=found, sha256=sha256, reporter=reporter
        )
    read = found.read(path)
    assert read.architecture is not None  # as every format of weights alone gives
    _require_asked(options, read.architecture, found, path)
    design = DESIGNS[read.architecture]
    spec = options.input or _input(design.input, options, found.preprocessing)
    flip = options.flip or design.flip
    if read.ignored:
        reporter.note(f"left out: {_listed(read.ignored)}")
    reporter.note(f"converting {path.name} to LiteRT")
    content = to_litert(read.graph)
    card = Card(
        name=name,
        variant=DEFAULT_VARIANT,
        task=Task.EMBEDDING,
        architecture=read.architecture.value,
        file_name=f"{name}_{DEFAULT_VARIANT}{MODEL_SUFFIX}",
        file_sha256=hashlib.sha256(content).hexdigest(),
        file_size_bytes=len(content),
        source=Source(
            title=f"{found.title}: {path.name}", url="", sha256=sha256, license=options.license
        ),
        input=spec,
        crop=options.crop or design.crop,
        embedding_size=read.graph.outputs[0].shape[1] * flip.vectors,
        flip=flip,
        tools={"facekit": __version__, "flatbuffers": version("flatbuffers")},
    )
    model = into / card.file_name
    write_atomically(model, content)
    answers = graph_answers(read.graph)
    self_test(read.graph.name, model, _tested_as(card), answers=answers, reporter=reporter)
    write_atomically(model.with_suffix(CARD_SUFFIX), card.to_json().encode())
    return ImportedModel(InstalledModel(card, model), found, read.ignored)


def source_sha256(path: Path) -> str:
    """Of a file's bytes; of a checkpoint's index and data, and of an ONNX file and those that hold
    its tensors, one after the other.

    Raises ModelBuildError for what cannot be read.
    """
    digest = hashlib.sha256()
    try:
        files = checkpoint_files(path) if is_checkpoint(path) else (path,)
        if is_onnx(path):
            files = (path, *external_tensor_files(path))
        for file in files:
            with file.open("rb") as opened:
                while chunk := opened.read(_CHUNK_BYTES):
                    digest.update(chunk)
    except OSError as error:
        raise ModelBuildError(f"{path} cannot be read: {error.strerror}.") from error
    return digest.hexdigest()


def _require_asked(
    options: ImportOptions, architecture: Architecture, found: SourceFormat, path: Path
) -> None:
    if options.architecture not in (None, architecture):
        raise UsageError(
            f"{path.name} is a {found.title}, which holds weights of {architecture.value}. "
            f"Received: --architecture {options.architecture.value}."
        )
    if options.size is not None:
        raise UsageError(
            f"--size is for networks that leave it open; {architecture.value} has its own."
        )


def usual_input(found: SourceFormat, architecture: Architecture) -> InputSpec:
    """How the authors of a format feed a net."""
    return _input(DESIGNS[architecture].input, ImportOptions(), found.preprocessing)


def _input(usual: InputSpec, options: ImportOptions, of_format: Preprocessing | None) -> InputSpec:
    """Of the architecture's size; fed as is asked for, else as the format's authors do."""
    preprocessing = options.preprocessing or of_format
    if preprocessing is not None:
        feeding = FEEDINGS[preprocessing]
        usual = replace(usual, color_order=feeding.color_order, mean=feeding.mean, std=feeding.std)
    mean, std = options.scaling or (usual.mean, usual.std)
    order = options.color_order or usual.color_order
    return replace(usual, color_order=order, mean=mean, std=std)


def _tested_as(card: Card) -> Card:
    """The golden values of a registry model's weights hold for that model's own input."""
    for name in registry.names():
        entry = registry.entry(name)
        if entry.source.sha256 == card.source.sha256 and entry.card.input != card.input:
            return replace(card, source=replace(card.source, sha256=_UNKNOWN_SHA256))
    return card


def _listed(names: tuple[str, ...], at_most: int = 4) -> str:
    first = ", ".join(names[:at_most])
    return f"{first} and {len(names) - at_most} more" if len(names) > at_most else first
