"""Imports a file with a complete network as a float32 LiteRT file with its card.

Two checks precede the installation.  The embeddings of the LiteRT file must be finite and differ by
at most MAX_DIFFERENCE from those of the source file, or, if the source file cannot be run here,
from those of the graph that was read from the source file.  Photos of one person must be more
similar than photos of two people, unless `ImportOptions.accept_untrained` is set.  A network that
rates faces passes the same first check by its scores, and must rate blurred faces as poorer.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import numpy as np

from facekit.conversion.face_check import FaceCheck, check_faces
from facekit.conversion.import_options import NOT_STATED, ImportedModel, ImportOptions
from facekit.conversion.import_trial import require_runs
from facekit.conversion.preprocessing import (
    NetworkInput,
    requested_size,
    resolve_input,
    scaling_formula,
)
from facekit.conversion.rating_check import check_ratings
from facekit.conversion.self_test import Inference, max_difference
from facekit.conversion.source_inference import (
    can_run_source,
    require_source_runtime,
    source_inference,
)
from facekit.enums import Flip, Preprocessing
from facekit.errors import ModelBuildError, UsageError
from facekit.face.portraits import MIN_GAP, shipped_portraits
from facekit.graph.fold import remove_unit_length, split_input_scaling
from facekit.graph.graph import DYNAMIC, Graph
from facekit.graph.probe import MAX_DIFFERENCE, pattern
from facekit.graph.read.formats import SourceFormat
from facekit.graph.write.litert import to_litert
from facekit.model.card import Card, Source, Task
from facekit.model.store import CARD_SUFFIX, MODEL_SUFFIX, InstalledModel
from facekit.model.variants import DEFAULT_VARIANT
from facekit.reporter import SILENT, Reporter
from facekit.runtime.litert import LiteRtNet
from facekit.runtime.preprocess import model_input
from facekit.system.files import write_atomically
from facekit.types import QualitySpec
from facekit.version import __version__

_MAX_SHARE = 1e-4
"""The largest difference of two ratings of a face, as a share of the output's range."""
_PATTERN_COUNT = 2
"""The number of synthetic test images, in addition to the shipped faces."""


def import_network(
    path: Path,
    name: str,
    options: ImportOptions,
    into: Path,
    *,
    source_format: SourceFormat,
    sha256: str,
    reporter: Reporter = SILENT,
) -> ImportedModel:
    """Writes the converted LiteRT file and its card into the empty folder `into`.

    `import_weights` describes the other arguments.  `path` is the source file, and `sha256` its
    checksum.

    Raises UsageError if the preprocessing is unknown or `options.size` differs from the file's
    input size, ModelBuildError if the network cannot be read, computes other embeddings than its
    source, or does not distinguish or rate faces, and MissingExtraError if the source format's
    runtime is not installed.
    """
    require_source_runtime(path)
    imported = source_format.read(path, size=requested_size(options))
    graph = _with_batch_one(imported.graph, rates=options.quality is not None)
    unscaled, scaling = split_input_scaling(graph)
    if scaling is not None and scaling[1] <= 0:
        unscaled, scaling = graph, None  # a card cannot store a negative standard deviation
    size = graph.inputs[0].shape[1:3]
    _require_size(size, options.size, path)
    network_input = resolve_input((size[0], size[1]), scaling, options)
    if scaling is not None:
        reporter.note(
            f"{path.name} scales its input itself, {scaling_formula(*scaling)}: the card says so"
        )
    reporter.note(f"input: {network_input}")
    rates = options.quality is not None
    if rates and network_input.flip is not Flip.NONE:
        raise UsageError("--flip is for embeddings: a network that rates faces has one number.")
    raw_embedding_graph = unscaled if rates else remove_unit_length(unscaled)
    if raw_embedding_graph is not unscaled:
        reporter.note(
            f"{path.name} gives embeddings unit length in its last step: that is left to facekit, "
            "which does so for every network"
        )
    reporter.note(f"converting {path.name} to LiteRT")
    content = to_litert(raw_embedding_graph)
    card = Card(
        name=name,
        variant=DEFAULT_VARIANT,
        task=Task.QUALITY if rates else Task.EMBEDDING,
        architecture=NOT_STATED if options.architecture is None else options.architecture.value,
        file_name=f"{name}_{DEFAULT_VARIANT}{MODEL_SUFFIX}",
        file_sha256=hashlib.sha256(content).hexdigest(),
        file_size_bytes=len(content),
        source=Source(
            title=f"{source_format.title}: {path.name}",
            url="",
            sha256=sha256,
            license=options.license,
        ),
        input=network_input.card,
        crop=network_input.crop,
        embedding_size=0 if rates else unscaled.outputs[0].shape[1] * network_input.flip.vectors,
        flip=network_input.flip,
        quality=options.quality,
        tools={"facekit": __version__, "flatbuffers": version("flatbuffers")},
    )
    model_path = into / card.file_name
    write_atomically(model_path, content)
    require_runs(path, graph, model_path)
    net = LiteRtNet(model_path)
    difference = _checked_difference(
        net, source_inference(path, graph), network_input, path, options.quality
    )
    ran_source = can_run_source(path)
    source_title = (
        f"{path.name} itself" if ran_source else f"the graph that was read from {path.name}"
    )
    reporter.note(
        f"answers as {source_title}: greatest difference {difference:.1e}, "
        + ("as a share of the output's range" if rates else "in embeddings of unit length")
    )
    if rates:
        face_check = None
        check_ratings(net, card, accept=options.accept_untrained, reporter=reporter)
    else:
        face_check = check_faces(net, network_input.card, network_input.crop, network_input.flip)
        reporter.note(f"cosine similarity of the faces that ship with facekit: {face_check}")
    if face_check is not None and not options.accept_untrained:
        _require_distinguished(
            face_check,
            _check_other_preprocessing(net, scaling, network_input),
            network_input,
            path,
            reporter,
        )
    write_atomically(model_path.with_suffix(CARD_SUFFIX), card.to_json().encode())
    return ImportedModel(
        InstalledModel(card, model_path),
        source_format,
        imported.ignored,
        difference if ran_source else None,
        face_check,
    )


def _with_batch_one(graph: Graph, *, rates: bool) -> Graph:
    """Returns the graph with a batch of 1 in place of a dynamic batch.

    Raises ModelBuildError if the graph is not an embedding network, or with `rates` not a network
    with one number for a face.
    """
    graph = graph.rewrite(
        lambda node: replace(node, shape=(1, *node.shape[1:])) if node.shape[0] == DYNAMIC else node
    )
    inputs = [node.shape for node in graph.inputs]
    outputs = [node.shape for node in graph.outputs]
    if len(inputs) != 1 or len(inputs[0]) != 4 or inputs[0][3] != 3 or DYNAMIC in inputs[0]:
        raise ModelBuildError(
            f"{graph.name}: one image of three colors and of a known size needed. Received: "
            f"{_join_shapes(inputs)}."
        )
    if rates and outputs != [(1, 1)]:
        raise ModelBuildError(
            f"{graph.name}: one number for a face needed, of shape (1, 1), of a network that rates "
            f"faces. Received: {_join_shapes(outputs)}."
        )
    if not rates and outputs == [(1, 1)]:
        raise ModelBuildError(
            f"{graph.name} gives one number for a face, which is no embedding. If it rates how "
            "well faces can be recognized, pass --quality-range, such as --quality-range 0 1."
        )
    if not rates and (len(outputs) != 1 or len(outputs[0]) != 2):
        raise ModelBuildError(
            f"{graph.name}: one embedding needed, of shape (1, D) and several numbers. Received: "
            f"{_join_shapes(outputs)}."
        )
    return graph


def _require_size(size: tuple[int, ...], requested: tuple[int, int] | None, path: Path) -> None:
    if requested not in (None, size):
        raise UsageError(
            f"{path.name} expects images of {size[0]} x {size[1]}. Received: --size "
            f"{requested[0]}x{requested[1]}, which is for networks with a dynamic size."
        )


def _join_shapes(shapes: list[tuple[int, ...]]) -> str:
    return ", ".join(f"shape {shape}" for shape in shapes) or "none"


def _checked_difference(
    net: LiteRtNet,
    run_source: Inference,
    network_input: NetworkInput,
    path: Path,
    quality: QualitySpec | None,
) -> float:
    """Returns the largest difference in any element of the unit-length embeddings, or of what
    rates faces as a share of the range that `quality` states.

    Raises ModelBuildError if the difference exceeds MAX_DIFFERENCE, or _MAX_SHARE.
    """
    test_images = pattern(_PATTERN_COUNT, network_input.card.height_px, network_input.card.width_px)
    images = np.concatenate(
        [test_images, shipped_portraits(network_input.card, network_input.crop)]
    )
    (ours,) = net.run(model_input(images, network_input.card))
    (theirs,) = run_source(model_input(images, network_input.source))
    if quality is None:
        difference, allowed = max_difference(ours, theirs), MAX_DIFFERENCE
    else:
        difference = float(np.abs(ours - theirs).max() / abs(quality.best - quality.worst))
        allowed = _MAX_SHARE
    if not difference <= allowed:  # also for NaN
        raise ModelBuildError(
            f"What was made of {path.name} does not answer as the file itself: greatest difference "
            f"{difference:.2g}, {allowed:g} allowed, in embeddings of unit length or in shares of "
            "--quality-range. Nothing is put in place."
        )
    return difference


def _check_other_preprocessing(
    net: LiteRtNet, scaling: tuple[float, float] | None, network_input: NetworkInput
) -> dict[Preprocessing, FaceCheck]:
    """Repeats the face check with each `Preprocessing` whose input or crop differs."""
    size, checks = (network_input.card.height_px, network_input.card.width_px), {}
    for preprocessing in Preprocessing:
        other_input = resolve_input(size, scaling, ImportOptions(preprocessing=preprocessing))
        if (other_input.card, other_input.crop) != (network_input.card, network_input.crop):
            checks[preprocessing] = check_faces(
                net, other_input.card, other_input.crop, other_input.flip
            )
    return checks


def _require_distinguished(
    face_check: FaceCheck,
    other_checks: dict[Preprocessing, FaceCheck],
    network_input: NetworkInput,
    path: Path,
    reporter: Reporter,
) -> None:
    """Raises ModelBuildError if the faces are not distinguished.

    If another preprocessing separates the portraits by at least MIN_GAP more, a note names the one
    that separates them best.
    """
    distinguishing = {
        preprocessing: check for preprocessing, check in other_checks.items() if check.tells_apart
    }
    listed = "\n".join(
        f"  --preprocessing {preprocessing.value}: {check}"
        for preprocessing, check in distinguishing.items()
    )
    if not face_check.tells_apart:
        raise ModelBuildError(
            f"{path.name} does not tell faces apart: cosine {face_check}, and a difference of "
            f"{MIN_GAP:g} needed, fed with {network_input}. Check --color-order, --mean and --std, "
            "--crop; for weights that are not trained on faces pass --accept-untrained. Fed as "
            f"known systems feed theirs, these tell apart:\n{listed or '  none of them'}"
        )
    best = max(
        distinguishing, key=lambda preprocessing: distinguishing[preprocessing].gap, default=None
    )
    if best is not None and distinguishing[best].gap > face_check.gap + MIN_GAP:
        reporter.note(
            "check the preprocessing against that of the training: --preprocessing "
            f"{best.value} tells the faces further apart: {distinguishing[best]}"
        )
