"""Imports weights in any known format: converts them to a float32 LiteRT file with its card."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

from facekit.conversion.import_network import import_network
from facekit.conversion.import_options import ImportedModel, ImportOptions
from facekit.conversion.preprocessing import SYSTEM_PREPROCESSING
from facekit.conversion.self_test import self_test
from facekit.conversion.source_inference import graph_inference
from facekit.enums import Architecture, Preprocessing
from facekit.errors import UsageError
from facekit.graph.nets.designs import DESIGNS
from facekit.graph.read.formats import SourceFormat, find_format
from facekit.graph.read.onnx_file import external_tensor_files, is_onnx
from facekit.graph.read.tf_checkpoint import checkpoint_files, is_checkpoint
from facekit.graph.weights import WEIGHTS
from facekit.graph.write.litert import to_litert
from facekit.model import registry
from facekit.model.card import Card, Source, Task
from facekit.model.store import CARD_SUFFIX, MODEL_SUFFIX, InstalledModel
from facekit.model.variants import DEFAULT_VARIANT
from facekit.reporter import SILENT, Reporter
from facekit.system.files import write_atomically
from facekit.system.inputs import open_input
from facekit.types import InputSpec
from facekit.version import __version__

_CHUNK_BYTES = 1 << 20
_UNKNOWN_SHA256 = "0" * 64


def require_free_name(name: str, path: Path) -> None:
    """Raises UsageError if the registry has a model `name`, because its card would differ."""
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
    """Reads, checks, converts and tests the weights, and writes the model file and its card.

    `path` is a file, or the folder of a TensorFlow 1 checkpoint.  `into` is an empty folder, which
    the caller moves to its final place, or removes after an error.  `reporter` receives one line
    per step.  The card has no thresholds, since none have been measured.

    Raises ModelBuildError if the format is unknown, if a tensor (which the message names) does not
    fit the network, or if `import_network` rejects the network; UsageError if the options
    contradict the file, or the preprocessing is unknown; MissingExtraError if a needed package is
    not installed; and StorageError if a file cannot be written.
    """
    source_format = find_format(path)
    reporter.note(f"reading {path.name}: {source_format.title}")
    sha256 = source_sha256(path)
    if source_format.whole_network:
        return import_network(
            path, name, options, into, source_format=source_format, sha256=sha256, reporter=reporter
        )
    if options.quality is not None:
        raise UsageError(
            f"--quality-range is for whole networks that rate faces. Received: {path.name}, a "
            f"{source_format.title}."
        )
    read = source_format.read(path)
    assert read.architecture is not None  # every format of weights has an architecture
    _require_options_fit(options, read.architecture, source_format, path)
    design = DESIGNS[read.architecture]
    spec = options.input or _input(design.input, options, source_format.preprocessing)
    flip = options.flip or design.flip
    if read.ignored:
        reporter.note(f"left out: {_shorten_list(read.ignored)}")
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
            title=f"{source_format.title}: {path.name}",
            url="",
            sha256=sha256,
            license=options.license,
        ),
        input=spec,
        crop=options.crop or design.crop,
        embedding_size=read.graph.outputs[0].shape[1] * flip.vectors,
        flip=flip,
        tools={"facekit": __version__, "flatbuffers": version("flatbuffers")},
    )
    model = into / card.file_name
    write_atomically(model, content)
    answers = graph_inference(read.graph)
    self_test(read.graph.name, model, _card_for_test(card), run_source=answers, reporter=reporter)
    write_atomically(model.with_suffix(CARD_SUFFIX), card.to_json().encode())
    return ImportedModel(InstalledModel(card, model), source_format, read.ignored)


def source_sha256(path: Path) -> str:
    """Returns the SHA-256 of a source file.

    For a checkpoint the hash covers the index and the data files, one after the other.  For an ONNX
    file the hash also covers the files that hold tensors of the network.

    Raises ModelBuildError if a file cannot be read.
    """
    digest = hashlib.sha256()
    if is_checkpoint(path):
        files = checkpoint_files(path)
    else:
        files = (path, *external_tensor_files(path)) if is_onnx(path) else (path,)
    for file in files:
        with open_input(file, WEIGHTS) as opened:
            while chunk := opened.read(_CHUNK_BYTES):
                digest.update(chunk)
    return digest.hexdigest()


def _require_options_fit(
    options: ImportOptions, architecture: Architecture, source_format: SourceFormat, path: Path
) -> None:
    if options.architecture not in (None, architecture):
        raise UsageError(
            f"{path.name} is a {source_format.title}, which holds weights of {architecture.value}. "
            f"Received: --architecture {options.architecture.value}."
        )
    if options.size is not None:
        raise UsageError(
            f"--size is for networks with a dynamic size; {architecture.value} has its own."
        )


def default_input(source_format: SourceFormat, architecture: Architecture) -> InputSpec:
    """Returns the input specification that a format's authors use for a network."""
    return _input(DESIGNS[architecture].input, ImportOptions(), source_format.preprocessing)


def _input(
    default: InputSpec, options: ImportOptions, format_preprocessing: Preprocessing | None
) -> InputSpec:
    """Returns the input specification of the architecture's size.

    The preprocessing is the requested one, or else that of the format.
    """
    preprocessing = options.preprocessing or format_preprocessing
    if preprocessing is not None:
        system = SYSTEM_PREPROCESSING[preprocessing]
        default = replace(default, color_order=system.color_order, mean=system.mean, std=system.std)
    mean, std = options.scaling or (default.mean, default.std)
    order = options.color_order or default.color_order
    return replace(default, color_order=order, mean=mean, std=std)


def _card_for_test(card: Card) -> Card:
    """Returns a card under which `self_test` uses golden values only if they apply.

    The golden values of a registry model's weights are valid only for that model's input.
    """
    for name in registry.names():
        entry = registry.entry(name)
        if entry.source.sha256 == card.source.sha256 and entry.card.input != card.input:
            return replace(card, source=replace(card.source, sha256=_UNKNOWN_SHA256))
    return card


def _shorten_list(names: tuple[str, ...], at_most: int = 4) -> str:
    first = ", ".join(names[:at_most])
    return f"{first} and {len(names) - at_most} more" if len(names) > at_most else first
