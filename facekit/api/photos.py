"""Photos from Python: verify, detect, embed, compare, cluster, track, and `load` for many.

A photo is a path, "-" for standard input, a binary file object, the bytes of an encoded file, a
picture of Pillow's, or its pixels as a uint8 array (H, W, 3), RGB; see facekit/photo/decode.py.
The verbs load the networks at each call, some 0.1 s; what `load` returns keeps them:

    pipeline = facekit.load()
    same = bool(pipeline.verify("a.jpg", "b.jpg", fmr=1e-4))

A model that is not on this machine is a ModelMissingError that says what to do: nothing is fetched
or built, unless a PipelineRequest with `build_missing=True` asks for it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from facekit.api.arguments import (
    choice,
    listed,
    names,
    optional_path,
    pipeline_request,
    threshold_choice,
)
from facekit.enums import ClusterMethod, FacePolicy, Liveness, Metric
from facekit.face.detector import DetectorOptions
from facekit.face.quality import FaceQuality
from facekit.gallery.identify import OpenSetChoice
from facekit.photo.limits import DEFAULT_LIMITS, ImageLimits
from facekit.photo.reading import PictureSource
from facekit.pipeline.locate import Locator
from facekit.pipeline.pipeline import Pipeline
from facekit.pipeline.records import EmbeddedPicture, LocatedPicture, Verification
from facekit.reporter import SILENT, Reporter
from facekit.runtime.delegates import AcceleratorRequest
from facekit.tasks import cluster as cluster_task
from facekit.tasks import compare as compare_task
from facekit.tasks import embed as embed_task
from facekit.tasks import quality as quality_task
from facekit.tasks import track as track_task
from facekit.tasks import verify as verify_task
from facekit.tasks import verify_pairs as pairs_task
from facekit.tasks.cluster import Clustering
from facekit.tasks.compare import SimilarityMatrix
from facekit.tasks.embed import EmbeddedFile
from facekit.tasks.gallery import GalleryLocation
from facekit.tasks.liveness import LivenessRequest
from facekit.tasks.open_pipeline import CropChange, PipelineRequest, open_pipeline
from facekit.tasks.track import TrackedPerson, TrackEnd
from facekit.tasks.verify_pairs import PhotoPair, VerifiedPair
from facekit.types import CropSpec
from facekit.video.records import TrackOptions


def load(
    model: str | Path | None = None,
    *,
    face: FacePolicy | str = FacePolicy.LARGEST,
    detect: bool = True,
    crop: CropSpec | None = None,
    detector: str | Path | None = None,
    detector_options: DetectorOptions | None = None,
    limits: ImageLimits = DEFAULT_LIMITS,
    threads: int | None = None,
    accelerator: AcceleratorRequest | None = None,
) -> Pipeline:
    """Returns the pipeline of one model; its networks load at first use and stay.

    Threads may share it.  `model`: registry name, "name:variant", or a model file with its card
    beside it; None means the default model.  `face`: which face of a photo is used.  `detect`:
    False if the photos are face crops.  `crop`: None means the card's own rule.  `detector`:
    "mtcnn", "yunet", or a detection model of your own, by name or file; None means the one in the
    model's card.
    `detector_options`: its settings.  `limits`: limits above which a photo is refused before it is
    decoded.  `threads`: threads of the embedding network; None means one for each usable core.
    `accelerator`: None means the CPU.
    Raises UsageError, ModelMissingError, ModelMismatchError, or AcceleratorError.
    """
    return open_pipeline(
        PipelineRequest(
            model=None if model is None else os.fspath(model),
            face=choice(FacePolicy, face, "face"),
            detect=detect,
            crop=CropChange()
            if crop is None
            else CropChange(crop.rule, crop.margin_px, crop.resize_filter),
            detector=None if detector is None else os.fspath(detector),
            detector_options=detector_options or DetectorOptions(),
            limits=limits,
            threads=threads,
            accelerator=accelerator or AcceleratorRequest(),
            build_missing=False,
        )
    )


def verify(
    a: PictureSource,
    b: PictureSource,
    *,
    model: str | Path | None = None,
    threshold: float | None = None,
    metric: Metric | str = Metric.COSINE,
    min_similarity: float | None = None,
    fmr: float | str | None = None,
    min_quality: float | None = None,
    liveness: Liveness | str = Liveness.OFF,
    liveness_model: str | Path | None = None,
    face: FacePolicy | str | None = None,
    plot: str | Path | None = None,
    force: bool = False,
    request: PipelineRequest | None = None,
) -> Verification:
    """Decides whether the faces of two photos are of one person; the result is true if they are.

    `threshold`: largest distance of a match, in `metric`; `min_similarity`: minimum cosine
    similarity of a match, -1..1; `fmr`: the model card's threshold at this false match rate, 0..1,
    or "best-accuracy".  At most one of them; without any, the card's threshold at FMR 1e-3.  Either
    input may be the path of an embedding file.  `min_quality`: the least unified quality score,
    0..100, of the two faces that decide.  `liveness`: "report" classifies the two faces that decide
    as bona fide or as presentation attacks, see the result's `liveness`; "require" makes it an
    error if one is not classified as bona fide.  `liveness_model`: the detector of presentation
    attacks, which has no default.  `face`: which face of a photo is used, None means the largest;
    with "all" the two most similar decide.  `plot`: a .png, .svg or .pdf file for a drawing;
    `force`: replace an existing file.  `model`: see `load`.  `request`: all other settings.
    Raises ImageError, NoFaceError, AmbiguousFaceError, LowQualityError, PresentationAttackError,
    EmbeddingFileError, ModelMissingError, ModelMismatchError, NoOperatingPointError, or UsageError.
    """
    return verify_task.verify(
        a,
        b,
        request=pipeline_request(model, face, request),
        threshold=threshold_choice(threshold, metric, min_similarity, fmr),
        min_quality=min_quality,
        liveness=LivenessRequest(
            choice(Liveness, liveness, "liveness"),
            None if liveness_model is None else os.fspath(liveness_model),
        ),
        plot=optional_path(plot),
        force=force,
    )


def verify_pairs(
    pairs: Iterable[tuple[str | Path, str | Path]] | str | Path,
    *,
    model: str | Path | None = None,
    threshold: float | None = None,
    metric: Metric | str = Metric.COSINE,
    min_similarity: float | None = None,
    fmr: float | str | None = None,
    min_quality: float | None = None,
    face: FacePolicy | str | None = None,
    request: PipelineRequest | None = None,
    workers: int | None = None,
    reporter: Reporter = SILENT,
) -> Iterator[VerifiedPair]:
    """Yields the result of each pair of photo paths, or of each line of a table of paths.

    The results come in the order of the pairs.  Each photo is decoded and embedded once.  A photo
    that cannot be used fails only its own pairs, whose `error` states the reason.
    `workers`: number of processes; None chooses it by the number of photos.  `threshold`, `metric`,
    `min_similarity`, `fmr`, `min_quality`: as in `verify`.  Raises PairListError for an invalid
    list, and the errors of `verify`.
    """
    listed_pairs = (
        pairs_task.read_pairs(Path(pairs))
        if isinstance(pairs, (str, Path))
        else [PhotoPair(str(a), str(b)) for a, b in pairs]
    )
    return pairs_task.verify_pairs(
        listed_pairs,
        request=pipeline_request(model, face, request),
        threshold=threshold_choice(threshold, metric, min_similarity, fmr),
        min_quality=min_quality,
        workers=workers,
        reporter=reporter,
    )


def detect(
    photos: Sequence[PictureSource],
    *,
    face: FacePolicy | str = FacePolicy.ALL,
    detector: str | Path | None = None,
    request: PipelineRequest | None = None,
) -> list[LocatedPicture]:
    """Returns the faces of each photo: `.faces` are all, best first, `.selected` those used.

    `photos`: N photos, for N records.  `face`: which of a photo's faces are selected.  `detector`:
    "mtcnn", "yunet" or a detection model of your own; None means MTCNN.  Boxes and landmarks are in
    pixels of the upright photo; see `Face`.
    Raises ImageError, NoFaceError, AmbiguousFaceError, ModelMissingError, or ModelMismatchError.
    """
    found = pipeline_request(None, face, request)
    if detector is not None:
        found = replace(found, detector=os.fspath(detector))
    return Locator(options=found.locate_options).locate(listed(photos))


def quality(
    photos: Sequence[PictureSource],
    *,
    face: FacePolicy | str = FacePolicy.ALL,
    detector: str | Path | None = None,
    quality_model: str | Path | None = None,
    request: PipelineRequest | None = None,
) -> list[tuple[FaceQuality, ...]]:
    """Returns how well the faces of each photo can be recognized; see `FaceQuality`.

    `photos`, `face`, `detector`: as in `detect`; the faces come in its order.  Of those, only faces
    that `face` selects are rated.  `quality_model`: a network that gives the unified scores, by its
    name or its file with a card; None means facekit's formula.
    Raises the errors of `detect`.
    """
    net = None if quality_model is None else quality_task.open_quality_net(os.fspath(quality_model))
    found = detect(photos, face=face, detector=detector, request=request)
    return [quality_task.qualities_of(located, net) for located in found]


def embed(
    photos: Sequence[PictureSource],
    *,
    model: str | Path | None = None,
    face: FacePolicy | str | None = None,
    request: PipelineRequest | None = None,
) -> list[EmbeddedPicture]:
    """Returns each photo's embeddings: `.embeddings` is (faces, D) float32, rows of unit length.

    `photos`: N photos or embedding files, for N records.  The cosine similarity of two rows is
    their dot product, -1..1.  `model`, `face`, `request`: see `verify`.
    Raises ImageError, NoFaceError, AmbiguousFaceError, EmbeddingFileError, ModelMissingError, or
    ModelMismatchError.
    """
    pictures = listed(photos)
    return open_pipeline(pipeline_request(model, face, request)).embed(pictures)


def embed_to_file(
    photos: Iterable[str | Path],
    output: str | Path,
    *,
    model: str | Path | None = None,
    face: FacePolicy | str | None = None,
    request: PipelineRequest | None = None,
    force: bool = False,
    workers: int | None = None,
    reporter: Reporter = SILENT,
) -> EmbeddedFile:
    """Writes the embeddings of photos, and of the photos below folders, to `output`.

    `output` ends in .npz, .csv or .jsonl; `verify` accepts such a file in place of a photo.
    `force`: replace an existing file.  A photo without an embedding is a row with its error, and a
    failure.  Raises UsageError, StorageError, and the errors of `load`.
    """
    return embed_task.embed(
        names(photos),
        Path(output),
        request=pipeline_request(model, face, request),
        force=force,
        workers=workers,
        reporter=reporter,
    )


def compare(
    photos: Iterable[str | Path],
    *,
    model: str | Path | None = None,
    face: FacePolicy | str | None = None,
    request: PipelineRequest | None = None,
    reporter: Reporter = SILENT,
) -> SimilarityMatrix:
    """Returns the cosine similarities, -1..1, between all pairs of faces: `.similarity` is (N, N).

    `photos`: paths; a folder stands for the photos below it.  Raises what `load` raises, and the
    error of the first photo that cannot be used.
    """
    return compare_task.compare(
        names(photos), request=pipeline_request(model, face, request), reporter=reporter
    )


def cluster(
    photos: Iterable[str | Path],
    *,
    method: ClusterMethod | str = ClusterMethod.AGGLOMERATIVE,
    threshold: float | None = None,
    metric: Metric | str = Metric.COSINE,
    min_similarity: float | None = None,
    fmr: float | str | None = None,
    copy_to: str | Path | None = None,
    sheets: str | Path | None = None,
    force: bool = False,
    model: str | Path | None = None,
    face: FacePolicy | str = FacePolicy.ALL,
    request: PipelineRequest | None = None,
    reporter: Reporter = SILENT,
) -> Clustering:
    """Groups the faces on photos by person, without enrolled people.

    `method`: "agglomerative", or "hdbscan", which has no threshold.  `threshold`, `metric`,
    `min_similarity`, `fmr`: of the mean similarity within a group, as in `verify`.  `copy_to`:
    folder for copies of the photos, with a subfolder per group.  `sheets`: folder for a contact
    sheet per group.  `force`: write into these folders although they are not empty.  Raises
    UsageError, ImageError for a folder without a photo, StorageError, MissingExtraError for
    "hdbscan" without scikit-learn, and the errors of `load`.
    """
    return cluster_task.cluster(
        names(photos),
        request=pipeline_request(model, face, request),
        method=choice(ClusterMethod, method, "method"),
        threshold=threshold_choice(threshold, metric, min_similarity, fmr),
        copy_to=optional_path(copy_to),
        sheets=optional_path(sheets),
        force=force,
        reporter=reporter,
    )


def track(
    video: str | Path | int,
    *,
    gallery: str | Path | None = None,
    threshold: float | None = None,
    metric: Metric | str = Metric.COSINE,
    min_similarity: float | None = None,
    fmr: float | str | None = None,
    min_margin: float | None = None,
    output: str | Path | None = None,
    force: bool = False,
    options: TrackOptions | None = None,
    model: str | Path | None = None,
    request: PipelineRequest | None = None,
    reporter: Reporter = SILENT,
) -> Iterator[TrackedPerson | TrackEnd]:
    """Yields each person of a video when their track ends; the last record states the video's end.

    `video`: a file, a stream's URL, or a camera's number.  `gallery`: the known people; None means
    the default gallery, if it exists.  `threshold`, `metric`, `min_similarity`, `fmr`: of a known
    face, as in `verify`; without any, by the gallery's size; `min_margin`: the least margin of a
    face that is named; all as in `Gallery.identify`.  `options`: settings of tracking.  `output`:
    file for a video with boxes and names, complete after the iterator's end; `force`: replace an
    existing file.
    Raises UsageError, InputError for a video that cannot be opened, StorageError, and the errors of
    `load`.
    """
    return track_task.track(
        str(video),
        request=replace(pipeline_request(model, None, request), face=FacePolicy.ALL),
        options=options,
        location=GalleryLocation(None if gallery is None else str(gallery)),
        threshold=OpenSetChoice(
            threshold_choice(threshold, metric, min_similarity, fmr), min_margin=min_margin
        ),
        output=optional_path(output),
        force=force,
        reporter=reporter,
    )
