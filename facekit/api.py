"""facekit from Python: a function for each question, and `load` for many questions.

A picture is a path, "-" for standard input, the bytes of an encoded file, or its pixels as a
uint8 array (H, W, 3), RGB (see image.py).
verify and embed load the networks at each call, some 0.1 s; what `load` returns keeps them:

    pipeline = facekit.load()
    threshold = facekit.card_threshold(
        pipeline.model.card.calibration, pipeline.threshold_space, fmr=1e-4
    )
    same = pipeline.verify("a.jpg", "b.jpg", threshold=threshold).decision.same

Nothing here fetches or builds a model: a missing one is a ModelMissingError that says what to do.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from facekit.enums import FacePolicy, Metric
from facekit.errors import UsageError
from facekit.face.mtcnn.options import DetectorOptions
from facekit.model.registry import DEFAULT_MODEL
from facekit.model.store import find
from facekit.photo.decode import DEFAULT_LIMITS, ImageLimits, PictureSource
from facekit.pipeline.locate import LocateOptions, Locator
from facekit.pipeline.pipeline import Pipeline, PipelineOptions
from facekit.pipeline.records import EmbeddedPicture, LocatedPicture, Verification
from facekit.template.threshold import chosen_threshold
from facekit.types import CropSpec


def load(
    model: str | Path = DEFAULT_MODEL,
    *,
    face: FacePolicy = FacePolicy.LARGEST,
    detect: bool = True,
    crop: CropSpec | None = None,
    detector: DetectorOptions | None = None,
    limits: ImageLimits = DEFAULT_LIMITS,
    threads: int | None = None,
) -> Pipeline:
    """The pipeline of one model; its networks load at first use and stay.  Threads may share it.

    `model`: registry name, "name:variant", or a .tflite file with its card beside it.
    `detect`: False where the pictures are face crops.  `crop`: None for the card's own rule.
    `threads`: of the embedding network; None for all the cores this process may run on.
    Raises ModelMissingError, ModelMismatchError.
    """
    return Pipeline(
        find(model),
        options=PipelineOptions(
            locate=_locate_options(face, detector, limits),
            detect=detect,
            crop=crop,
            threads=threads,
        ),
    )


def verify(
    a: PictureSource,
    b: PictureSource,
    *,
    model: str | Path = DEFAULT_MODEL,
    threshold: float | None = None,
    metric: Metric = Metric.COSINE,
    fmr: float | None = None,
    face: FacePolicy = FacePolicy.LARGEST,
) -> Verification:
    """Are the faces of two pictures of one person?  The answer is `.decision.same`.

    `threshold`: largest distance of a match, in `metric`; None for the model card's threshold at
    the false match rate `fmr`, 0..1, of which None is 1e-3.  Either side may be the path of an
    embedding file.  With FacePolicy.ALL the two most alike faces decide.
    Raises ImageError, NoFaceError, AmbiguousFaceError, EmbeddingFileError, ModelMissingError,
    ModelMismatchError, NoOperatingPointError, UsageError.
    """
    if threshold is not None and fmr is not None:
        raise UsageError("threshold and fmr both say where to cut; pass one of them.")
    pipeline = load(model, face=face)
    cut = chosen_threshold(
        pipeline.model.card.calibration,
        pipeline.threshold_space,
        distance=threshold,
        metric=metric,
        fmr=fmr,
    )
    return pipeline.verify(a, b, threshold=cut)


def detect(
    images: Sequence[PictureSource],
    *,
    face: FacePolicy = FacePolicy.ALL,
    detector: DetectorOptions | None = None,
    limits: ImageLimits = DEFAULT_LIMITS,
) -> list[LocatedPicture]:
    """N pictures to N records: pixels, all faces by falling score, those that `face` selects.

    Boxes and landmarks are in pixels of the picture as it is seen; see `Face`.
    Raises ImageError, NoFaceError, AmbiguousFaceError, ModelMissingError, ModelMismatchError.
    """
    _require_list(images)
    return Locator(options=_locate_options(face, detector, limits)).locate(images)


def embed(
    images: Sequence[PictureSource],
    *,
    model: str | Path = DEFAULT_MODEL,
    face: FacePolicy = FacePolicy.LARGEST,
) -> list[EmbeddedPicture]:
    """N pictures to N records; `.embeddings` is (faces, D) float32, rows of unit length.

    The cosine similarity of two rows is their dot product, -1..1.
    Raises ImageError, NoFaceError, AmbiguousFaceError, EmbeddingFileError, ModelMissingError,
    ModelMismatchError.
    """
    _require_list(images)
    return load(model, face=face).embed(images)


def _locate_options(
    face: FacePolicy, detector: DetectorOptions | None, limits: ImageLimits
) -> LocateOptions:
    return LocateOptions(face_policy=face, detector=detector or DetectorOptions(), limits=limits)


def _require_list(images: Sequence[PictureSource]) -> None:
    if isinstance(images, (str, bytes, os.PathLike, np.ndarray)):
        raise UsageError(f"A list of pictures is needed. Received: one {type(images).__name__}")
