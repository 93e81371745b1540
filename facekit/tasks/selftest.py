"""Tests on this machine that the CPU and an accelerator compute what they should.

The CPU's answers to the shipped faces are compared with those that facekit knows of its own models,
the accelerator's with the CPU's.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np

from facekit.enums import CropRule
from facekit.face.geometry import overlaps
from facekit.face.portraits import MIN_GAP, NAMES, face_boxes, shipped_portraits
from facekit.model.card import Card, embedder_of
from facekit.model.golden_faces import golden_boxes, golden_embeddings
from facekit.model.store import DEFAULT_VARIANT, InstalledModel
from facekit.reporter import SILENT, Reporter
from facekit.runtime.delegates import AcceleratorRequest, open_net
from facekit.runtime.litert import default_threads
from facekit.tasks.open_pipeline import PipelineRequest, new_pipeline
from facekit.tasks.selftest_results import Check, CheckKind, DeviceAnswers, FaceAnswer, SelfTest
from facekit.tasks.selftest_run import Answers, for_cpu, other_variants, run_networks
from facekit.types import Float32Array

MIN_COSINE, MIN_IOU = 0.99, 0.9
"""Needed of two files of one kind, or of one file on two devices."""
MIN_COSINE_ROUNDED, MIN_IOU_ROUNDED = 0.95, 0.7
"""Needed of a file of integers and a float32 file; facekit's own files reach 0.994 and 0.87."""
MIN_IOU_PLACE = 0.5
"""Needed of a detector that facekit has no known answers of."""
MIN_COSINE_REPEATED = 0.9999


def selftest(*, request: PipelineRequest | None = None, reporter: Reporter = SILENT) -> SelfTest:
    """Runs the shipped faces through the CPU, and through the accelerator of `request` if any.

    The CPU runs the same files as the accelerator.  In place of a file that is compiled for an NPU,
    which the CPU cannot run, it runs the file of integers or else the float32 file beside it.  The
    CPU never stands in for the accelerator, whatever `request` permits.

    Checks that fail are in the result.  Raises the errors of `new_pipeline`, AcceleratorError if
    the accelerator cannot be used at all, ModelMismatchError if the CPU cannot run a file, and
    ModelMissingError if there is no file for the CPU.
    """
    pipeline = new_pipeline(request or PipelineRequest(), reporter=reporter)
    options = pipeline.options
    accelerator = replace(options.accelerator, allow_cpu_fallback=False)
    threads = options.threads or default_threads()
    locate = replace(options.locate, accelerator=accelerator)
    detects = pipeline.crop_spec.rule is not CropRule.NONE
    model, device = for_cpu(pipeline.model), None
    nets = tuple(for_cpu(net).path for net in locate.found_nets) if detects else ()
    if accelerator.requests_accelerator:
        device = run_networks(
            pipeline.model,
            locate if detects else None,
            accelerator,
            threads=threads,
            on_cpu=False,
            reporter=reporter,
        )
    cpu = run_networks(
        model,
        replace(locate, nets=nets, on_cpu=True) if detects else None,
        accelerator,
        threads=threads,
        on_cpu=True,
    )
    return _judged(cpu, device, reporter)


def _judged(cpu: Answers, device: Answers | None, reporter: Reporter) -> SelfTest:
    known = golden_embeddings(cpu.model.card)
    if known is None:
        reporter.note(
            f"facekit knows no answers of {cpu.model.card.full_name}: its embeddings are compared "
            "with each other only"
        )
    boxes = golden_boxes(cpu.nets[0].card) if cpu.nets else None
    is_known = boxes is not None
    if boxes is None and cpu.nets:
        boxes = face_boxes()
        reporter.note(
            f"facekit knows no answers of the detector {cpu.nets[0].card.name}: its boxes are "
            "compared with the places of the faces only"
        )
    checks = list(_checks(cpu))
    name = cpu.use.device
    if known is not None:
        checks.append(
            Check(
                CheckKind.KNOWN_EMBEDDINGS,
                name,
                float(_cosines(cpu.vectors[0], known).min()),
                MIN_COSINE if _is_float(cpu.model.card) else MIN_COSINE_ROUNDED,
            )
        )
    if boxes is not None:
        needed = MIN_IOU if _is_float(cpu.nets[0].card) else MIN_IOU_ROUNDED
        checks.append(
            Check(
                CheckKind.KNOWN_BOXES,
                name,
                min(_ious(cpu.boxes, boxes[:, None])),
                needed if is_known else MIN_IOU_PLACE,
            )
        )
    float32 = known if known is not None else _float32_vectors(cpu)
    answers = [_record(cpu, float32, boxes, None)]
    if device is not None:
        checks += [*_checks(device), *_against_cpu(device, cpu)]
        answers.append(_record(device, float32, boxes, cpu))
    done = SelfTest(tuple(answers), known is not None, is_known, tuple(checks))
    for problem in done.problems:
        reporter.failure(problem)
    return done


def _checks(one: Answers) -> Iterator[Check]:
    """Yields the checks that need nothing to compare with."""
    name = one.use.device
    repeated = float(_cosines(*one.vectors).min())
    yield Check(CheckKind.REPEATED_EMBEDDINGS, name, repeated, MIN_COSINE_REPEATED)
    genuine, impostor = _similarities(one)
    yield Check(CheckKind.PEOPLE_APART, name, genuine - impostor, MIN_GAP)


def _against_cpu(device: Answers, cpu: Answers) -> Iterator[Check]:
    name = device.use.device
    alike = _is_float(device.model.card) == _is_float(cpu.model.card)
    cosine = float(_cosines(device.vectors[0], cpu.vectors[0]).min())
    needed = MIN_COSINE if alike else MIN_COSINE_ROUNDED
    yield Check(CheckKind.CPU_EMBEDDINGS, name, cosine, needed)
    if device.nets:
        alike = _is_float(device.nets[0].card) == _is_float(cpu.nets[0].card)
        needed = MIN_IOU if alike else MIN_IOU_ROUNDED
        yield Check(CheckKind.CPU_BOXES, name, min(_ious(device.boxes, cpu.boxes)), needed)


def _record(
    one: Answers,
    float32: Float32Array | None,
    boxes: Float32Array | None,
    cpu: Answers | None,
) -> DeviceAnswers:
    nothing: list[float | None] = [None] * len(NAMES)
    vectors, has_boxes = one.vectors[0], boxes is not None and bool(one.nets)
    genuine, impostor = _similarities(one)
    columns = zip(
        NAMES,
        nothing if float32 is None else _cosines(vectors, float32).tolist(),
        nothing if cpu is None else _cosines(vectors, cpu.vectors[0]).tolist(),
        [len(found) for found in one.boxes] or nothing,
        _ious(one.boxes, boxes[:, None]) if has_boxes and boxes is not None else nothing,
        _ious(one.boxes, cpu.boxes) if has_boxes and cpu is not None else nothing,
        strict=True,
    )
    return DeviceAnswers(
        use=one.use,
        model=one.model.card.full_name,
        model_sha256=one.model.card.file_sha256,
        delegated_count=one.delegated_nodes,
        detector=_detector_name(one.nets),
        detector_delegated_count=one.detector_delegated_nodes,
        embedding_times=one.embedding_times,
        detection_times=one.detection_times,
        genuine_similarity=genuine,
        impostor_similarity=impostor,
        faces=tuple(FaceAnswer(*row) for row in columns),
    )


def _float32_vectors(cpu: Answers) -> Float32Array | None:
    """Returns what the float32 file beside a file of integers answers; None without one."""
    if _is_float(cpu.model.card):
        return None
    other = next(other_variants(cpu.model, DEFAULT_VARIANT), None)
    if other is None or other.card.crop is None:
        return None
    net = open_net(other.path, request=AcceleratorRequest(), threads=default_threads()).net
    crops = shipped_portraits(other.card.input, other.card.crop)
    return embedder_of(net, other.card).embed_views(crops, mirrored=False)[:, 0]


def _detector_name(nets: tuple[InstalledModel, ...]) -> str | None:
    if not nets:
        return None
    return nets[0].card.full_name if len(nets) == 1 else nets[0].card.name


def _is_float(card: Card) -> bool:
    return card.quantization.scheme == "none"


def _similarities(one: Answers) -> tuple[float, float]:
    """Returns the cosine of one person's two faces, and the larger one of two people's."""
    a, b, other = one.vectors[0]
    return float(a @ b), float(max(a @ other, b @ other))


def _cosines(a: Float32Array, b: Float32Array) -> Float32Array:
    """Returns the (3,) cosines of the rows of unit length of two (3, D) arrays."""
    return np.asarray(np.clip(np.einsum("nd,nd->n", a, b), -1.0, 1.0), np.float32)


def _ious(found: tuple[Float32Array, ...], expected: Iterable[Float32Array]) -> list[float]:
    """Returns each photo's least IoU of an expected box and the nearest box that was found.

    Returns 0 for a photo in which another number of boxes was found.
    """
    return [
        float(overlaps(a, b).max(axis=0).min()) if len(a) == len(b) > 0 else 0.0
        for a, b in zip(found, expected, strict=True)
    ]
