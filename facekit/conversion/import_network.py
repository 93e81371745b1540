"""A network that its file holds as a whole to a float32 LiteRT file with its card, checked.

Three things are asked of what is made, before it is put in place: it answers as the file itself
does where that is run, its embeddings are finite and differ, and two photos of one person are
nearer to each other than photos of two people.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import numpy as np

from facekit.conversion.face_check import LEAST_GAP, FaceCheck, check_faces
from facekit.conversion.feeding import Fed, formula, how_fed, usual_size
from facekit.conversion.import_options import NOT_STATED, ImportedModel, ImportOptions
from facekit.conversion.self_test import Answers, greatest_difference
from facekit.conversion.shipped_faces import portraits
from facekit.conversion.source_answers import (
    is_run_itself,
    require_source_runtime,
    source_answers,
)
from facekit.enums import Preprocessing
from facekit.errors import ModelBuildError, UsageError
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
from facekit.version import __version__

_PATTERNS = 2
"""known pictures that are no faces, beside those that are"""


def import_network(
    path: Path,
    name: str,
    options: ImportOptions,
    into: Path,
    *,
    found: SourceFormat,
    sha256: str,
    reporter: Reporter = SILENT,
) -> ImportedModel:
    """Writes the file and its card into the empty folder `into`; see `import_weights`.

    Raises UsageError where it is not known how to feed the network, ModelBuildError for one that
    is not read, that does not answer as its source, or that does not tell faces apart,
    MissingExtraError where the source's own system is not installed.
    """
    require_source_runtime(path)
    read = found.read(path, size=usual_size(options))
    graph = _of_one_picture(read.graph)
    network, scaling = split_input_scaling(graph)
    if scaling is not None and scaling[1] <= 0:
        network, scaling = graph, None  # which no card can say
    size = graph.inputs[0].shape[1:3]
    _require_size(size, options.size, path)
    fed = how_fed((size[0], size[1]), scaling, options)
    if scaling is not None:
        reporter.note(f"{path.name} begins with {formula(*scaling)} of its own: the card says so")
    reporter.note(f"fed with {fed}")
    shortened = remove_unit_length(network)
    if shortened is not network:
        reporter.note(
            f"{path.name} ends by giving embeddings unit length: that is left to facekit, "
            "which does so with every network's"
        )
    reporter.note(f"converting {path.name} to LiteRT")
    content = to_litert(shortened)
    card = Card(
        name=name,
        variant=DEFAULT_VARIANT,
        task=Task.EMBEDDING,
        architecture=NOT_STATED if options.architecture is None else options.architecture.value,
        file_name=f"{name}_{DEFAULT_VARIANT}{MODEL_SUFFIX}",
        file_sha256=hashlib.sha256(content).hexdigest(),
        file_size_bytes=len(content),
        source=Source(
            title=f"{found.title}: {path.name}", url="", sha256=sha256, license=options.license
        ),
        input=fed.card,
        crop=fed.crop,
        embedding_size=network.outputs[0].shape[1] * fed.flip.vectors,
        flip=fed.flip,
        tools={"facekit": __version__, "flatbuffers": version("flatbuffers")},
    )
    model = into / card.file_name
    write_atomically(model, content)
    net = LiteRtNet(model)
    difference = _require_same_answers(net, source_answers(path, graph), fed, path)
    itself = is_run_itself(path)
    what = f"{path.name} itself" if itself else f"the graph that was read from {path.name}"
    reporter.note(
        f"answers as {what}: greatest difference {difference:.1e} in embeddings of unit length"
    )
    faces = check_faces(net, fed.card, fed.crop, fed.flip)
    reporter.note(f"cosine of the faces that ship with facekit: {faces}")
    if not options.accept_untrained:
        _require_told_apart(faces, _as_others_feed(net, scaling, fed), fed, path, reporter)
    write_atomically(model.with_suffix(CARD_SUFFIX), card.to_json().encode())
    return ImportedModel(
        InstalledModel(card, model), found, read.ignored, difference if itself else None, faces
    )


def _of_one_picture(graph: Graph) -> Graph:
    """With a batch of 1.  Raises ModelBuildError for what is no embedding network."""
    graph = graph.rewrite(
        lambda node: replace(node, shape=(1, *node.shape[1:])) if node.shape[0] == DYNAMIC else node
    )
    inputs = [node.shape for node in graph.inputs]
    outputs = [node.shape for node in graph.outputs]
    if len(inputs) != 1 or len(inputs[0]) != 4 or inputs[0][3] != 3 or DYNAMIC in inputs[0]:
        raise ModelBuildError(
            f"{graph.name}: one picture of three colors and of a known size needed. Received: "
            f"{_listed(inputs)}."
        )
    if len(outputs) != 1 or len(outputs[0]) != 2 or outputs[0][1] < 2:
        raise ModelBuildError(
            f"{graph.name}: one embedding needed, of shape (1, D) and several numbers. Received: "
            f"{_listed(outputs)}."
        )
    return graph


def _require_size(size: tuple[int, ...], asked: tuple[int, int] | None, path: Path) -> None:
    if asked not in (None, size):
        raise UsageError(
            f"{path.name} takes pictures of {size[0]} x {size[1]}. Received: --size "
            f"{asked[0]}x{asked[1]}, which is for networks that leave it open."
        )


def _listed(shapes: list[tuple[int, ...]]) -> str:
    return ", ".join(f"shape {shape}" for shape in shapes) or "none"


def _require_same_answers(net: LiteRtNet, answers: Answers, fed: Fed, path: Path) -> float:
    """The greatest difference."""
    known = pattern(_PATTERNS, fed.card.height_px, fed.card.width_px)
    pictures = np.concatenate([known, portraits(fed.card, fed.crop)])
    (ours,) = net.run(model_input(pictures, fed.card))
    (theirs,) = answers(model_input(pictures, fed.source))
    difference = greatest_difference(ours, theirs)
    if not difference <= MAX_DIFFERENCE:  # also for NaN
        raise ModelBuildError(
            f"What was made of {path.name} does not answer as the file itself: greatest difference "
            f"{difference:.2g} in embeddings of unit length, {MAX_DIFFERENCE:g} allowed. "
            "Nothing is put in place."
        )
    return difference


def _as_others_feed(
    net: LiteRtNet, scaling: tuple[float, float] | None, fed: Fed
) -> dict[Preprocessing, FaceCheck]:
    """The faces as the network sees them when it is fed as known systems feed theirs."""
    size, checks = (fed.card.height_px, fed.card.width_px), {}
    for one in Preprocessing:
        theirs = how_fed(size, scaling, ImportOptions(preprocessing=one))
        if (theirs.card, theirs.crop) != (fed.card, fed.crop):
            checks[one] = check_faces(net, theirs.card, theirs.crop, theirs.flip)
    return checks


def _require_told_apart(
    faces: FaceCheck,
    others: dict[Preprocessing, FaceCheck],
    fed: Fed,
    path: Path,
    reporter: Reporter,
) -> None:
    """Raises ModelBuildError where they are not; tells of a system whose way does it better."""
    apart = {one: check for one, check in others.items() if check.tells_apart}
    listed = "\n".join(f"  --preprocessing {one.value}: {check}" for one, check in apart.items())
    if not faces.tells_apart:
        raise ModelBuildError(
            f"{path.name} does not tell faces apart: cosine {faces}, and a difference of "
            f"{LEAST_GAP:g} needed, fed with {fed}. Check --color-order, --mean and --std, "
            "--crop; for weights that are not trained on faces pass --accept-untrained. Fed as "
            f"known systems feed theirs, these tell apart:\n{listed or '  none of them'}"
        )
    best = max(apart, key=lambda one: apart[one].gap, default=None)
    if best is not None and apart[best].gap > faces.gap + LEAST_GAP:
        reporter.note(
            f"is it fed as it was trained? --preprocessing {best.value} tells the faces further "
            f"apart: {apart[best]}"
        )
