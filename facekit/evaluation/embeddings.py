"""Embeds many photos with a model and `EmbedSettings`, and caches the embeddings."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facekit.enums import CropRule, Rotate
from facekit.errors import ImageError, error_named
from facekit.evaluation.embedding_cache import CachedPhoto, open_cache
from facekit.face.align import whole_picture
from facekit.model.store import InstalledModel, find, home
from facekit.photo.reading import PhotoFile, read_bytes
from facekit.pipeline.locate import LocateOptions
from facekit.pipeline.photos import PhotoFailure, map_photos, require_one_process, worth_workers
from facekit.pipeline.pipeline import Pipeline, PipelineOptions
from facekit.reporter import SILENT, Reporter
from facekit.types import CropSpec, Float32Array, InputSpec, UInt8Array

_BATCH = 64  # photos per write to the cache; a killed run loses fewer
_LOADING = "load"  # a stage that each worker runs once, not for each photo


@dataclass(frozen=True, slots=True)
class EmbedSettings:
    """All settings besides the model that change the vector of a photo."""

    locate: LocateOptions = field(default_factory=LocateOptions)
    crop: CropSpec | None = None
    """None means the crop rule of the model's card."""
    mirrored: bool = False
    """Whether to embed each crop's mirror image as a second view, whatever the card says."""
    trim_px: int = 0
    """Pixels removed from each edge of the photo; the rest is the crop, without detection."""
    input: InputSpec | None = None
    """None means color order and scaling of the model's card."""

    @property
    def views(self) -> int:
        """Number of vectors per photo: 1 for its crop, 2 with the crop's mirror image."""
        return 2 if self.mirrored else 1

    def locate_for(self, model: InstalledModel) -> LocateOptions:
        """Returns the options with a detector set: the named one, else the model card's."""
        return replace(self.locate, detector=self.locate.detector or model.card.detector)

    def measured(self, model: InstalledModel) -> InstalledModel:
        """Returns the model with the calibration for the detector of these settings.

        A card without such a calibration stays unchanged.  Raises ModelMissingError or
        ModelMismatchError if the detector is named by a file that is missing or not valid.
        """
        calibration = model.card.calibration.for_detector(self.locate_for(model).detector_name)
        return InstalledModel(replace(model.card, calibration=calibration), model.path)

    def crop_of(self, model: InstalledModel) -> CropSpec:
        """Returns the crop rule to use.

        With `trim_px`, the rule is NONE, i.e. the trimmed photo is resized to the model's input.
        """
        spec = self.crop or model.card.crop
        assert spec is not None  # an embedding card always has one
        return CropSpec(CropRule.NONE, 0.0, spec.resize_filter) if self.trim_px else spec


class PhotoCropper:
    """Crops photos with a separate pipeline.  A cropper is not thread-safe."""

    def __init__(self, model: InstalledModel, settings: EmbedSettings) -> None:
        if settings.input is not None:
            model = InstalledModel(replace(model.card, input=settings.input), model.path)
        self._trim_px = settings.trim_px
        self.pipeline = Pipeline(
            model,
            options=PipelineOptions(
                settings.locate,
                crop=settings.crop_of(model),
                threads=settings.locate.threads,
                accelerator=settings.locate.accelerator,
            ),
        )

    def crop(self, photo: PhotoFile) -> UInt8Array:
        """Returns (1, height, width, 3) RGB uint8, of the model's input size.

        Raises ImageError, NoFaceError or AmbiguousFaceError, which name the photo.
        """
        (located,) = self.pipeline.locate([photo])
        with self.pipeline.stopwatch.stage("align"):
            if not self._trim_px:
                return self.pipeline.crop(located)[:1]
            trim = self._trim_px
            height_px, width_px = located.picture.pixels.shape[:2]
            if min(height_px, width_px) <= 2 * trim:
                raise ImageError(
                    f"{photo}: more than {2 * trim} pixels a side needed to cut {trim} off each. "
                    f"Received: {width_px} x {height_px}"
                )
            size = self.pipeline.model.card.input
            return whole_picture(
                located.picture.pixels[trim:-trim, trim:-trim],
                self.pipeline.crop_spec,
                height_px=size.height_px,
                width_px=size.width_px,
            )


@dataclass(frozen=True, slots=True, eq=False)
class PhotoEmbeddings:
    """Embeddings of photos, one row each; a photo without embedding has zeros and an error."""

    vectors: Float32Array
    """(N, views, D) float32 of unit length, not centered."""
    errors: tuple[str, ...]
    """(N,) class and message of each photo's error, e.g. "NoFaceError: ..."; "" for a photo with an
    embedding."""
    computed: int
    """Number of photos embedded by this run; the others came from the cache."""
    stage_ms: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    """For each stage, the milliseconds of each photo that this run processed."""
    wall_s: float = 0.0
    """Seconds from the workers' start to their last photo; 0 if every photo was cached."""
    workers: int | None = 1
    """Number of processes that embedded; None if a Ray cluster decided it."""

    def failures(self, photos: Sequence[str]) -> tuple[PhotoFailure, ...]:
        """Returns the photos without an embedding and their errors; `photos`: the N names."""
        return tuple(
            PhotoFailure(photo, error_named(*error.split(": ", 1)))
            for photo, error in zip(photos, self.errors, strict=True)
            if error
        )

    @property
    def acquired(self) -> NDArray[np.bool_]:
        """(N,) whether each photo has an embedding."""
        return np.array([not error for error in self.errors], bool)

    def __repr__(self) -> str:
        shape = "x".join(map(str, self.vectors.shape))
        failed = sum(map(bool, self.errors))
        return f"PhotoEmbeddings({shape}, {failed} failed, {self.computed} computed)"


def embed_photos(
    photos: Sequence[PhotoFile],
    model: InstalledModel,
    settings: EmbedSettings,
    *,
    workers: int | None = None,
    ray: str | None = None,
    recompute: bool = False,
    reporter: Reporter = SILENT,
) -> PhotoEmbeddings:
    """Embeds each distinct photo once.  `workers` and `ray`: see `map_photos`.

    `recompute` also embeds cached photos, so that their times are measured.  The row of a photo has
    an error if no single face can be selected, or a worker crashes.  Raises InputError for a photo
    that does not exist, StorageError for an unusable cache, AcceleratorError for an accelerator
    that cannot be used, and the errors of `map_photos` and `require_one_process`.
    """
    hashes = [_sha256(photo) for photo in photos]
    cache, kept = open_cache(
        home() / "cache" / "embeddings",
        _configuration(model, settings),
        mirrored=settings.mirrored,
        size=model.card.output_size,
    )
    known = {} if recompute else dict(kept)
    missing = {
        photo_hash: photo
        for photo_hash, photo in zip(hashes, photos, strict=True)
        if photo_hash not in known
    }
    is_delegated = settings.locate.accelerator.requests_accelerator
    if workers is None and ray is None:
        workers = worth_workers(list(missing.values()), is_delegated=is_delegated)
        workers = max(1, workers // settings.locate.threads)
    if is_delegated:
        require_one_process(workers, ray)
    nothing = np.zeros((settings.views, model.card.output_size), np.float32)
    stage_ms: dict[str, list[float]] = {}
    start = time.perf_counter()
    if missing:
        results = map_photos(
            EmbedViews(model.path.absolute(), settings),
            list(missing.values()),
            label=f"{model.card.name}:{model.card.variant}",
            workers=workers,
            ray=ray,
            here=_on_accelerator(model, settings, reporter) if is_delegated else None,
            reporter=reporter,
        )
        waiting: list[CachedPhoto] = []
        try:
            for photo_hash, result in zip(missing, results, strict=True):
                if isinstance(result, PhotoFailure):
                    reason = f"{type(result.error).__name__}: {result.error}"
                    row = CachedPhoto(photo_hash, nothing, reason)
                else:
                    row = CachedPhoto(photo_hash, result.vectors)
                    for stage, spent in result.stage_ms.items():
                        stage_ms.setdefault(stage, []).append(spent)
                known[photo_hash] = row
                is_lasting = not (isinstance(result, PhotoFailure) and result.crashed)
                # A crash is not cached, because its cause, such as a lack of memory, may pass.
                if photo_hash not in kept and is_lasting:
                    waiting.append(row)
                if len(waiting) >= _BATCH:
                    cache.append(waiting)
                    waiting.clear()
        finally:  # Ctrl-C loses nothing; a kill loses the photos that are not written yet
            cache.append(waiting)
    stage_ms.pop(_LOADING, None)
    return PhotoEmbeddings(
        vectors=np.stack([known[one].vectors for one in hashes])
        if hashes
        else nothing[np.newaxis][:0],
        errors=tuple(known[one].error for one in hashes),
        computed=len(missing),
        stage_ms={stage: np.array(spent) for stage, spent in stage_ms.items()},
        wall_s=time.perf_counter() - start if missing else 0.0,
        workers=None if ray is not None or workers is None else min(workers, len(missing)),
    )


@dataclass(frozen=True, slots=True, eq=False)
class EmbeddedViews:
    """The embeddings of one photo, and the time of each stage."""

    vectors: Float32Array
    """(views, D) float32 of unit length, not centered."""
    stage_ms: dict[str, float]


@dataclass(frozen=True, slots=True)
class EmbedViews:
    """A job for `map_photos`: embeds a photo's crop, and if `mirrored` its mirror image."""

    model: Path
    settings: EmbedSettings

    def open(self) -> Callable[[PhotoFile], EmbeddedViews]:
        return partial(_embed, PhotoCropper(find(self.model), self.settings), self.settings)


def _embed(cropper: PhotoCropper, settings: EmbedSettings, photo: PhotoFile) -> EmbeddedViews:
    pipeline = cropper.pipeline
    pipeline.stopwatch.milliseconds.clear()
    crops = cropper.crop(photo)
    embedder = pipeline.embedder
    with pipeline.stopwatch.stage("embed"):
        (vectors,) = embedder.embed_views(crops, mirrored=settings.mirrored)
    return EmbeddedViews(vectors, dict(pipeline.stopwatch.milliseconds))


def _on_accelerator(
    model: InstalledModel, settings: EmbedSettings, reporter: Reporter
) -> Callable[[PhotoFile], EmbeddedViews]:
    """Opens the accelerator before the first photo, and reports what the network runs on.

    Raises AcceleratorError.
    """
    cropper = PhotoCropper(model, settings)
    reporter.note(str(cropper.pipeline.device_use))
    return partial(_embed, cropper, settings)


def _configuration(model: InstalledModel, settings: EmbedSettings) -> dict[str, Any]:
    crop = settings.crop_of(model)
    detects = crop.rule is not CropRule.NONE
    locate = settings.locate_for(model)
    return {
        "model": model.card.file_sha256,
        "input": asdict(settings.input or model.card.input),
        "crop": asdict(crop)
        if not settings.trim_px
        else {**asdict(crop), "trim_px": settings.trim_px},
        "detector": [one.card.file_sha256 for one in locate.found_nets] if detects else None,
        "detector_options": asdict(locate.own_options) if detects else None,
        "face": settings.locate.face_policy.value if detects else None,
        **({} if locate.rotate is Rotate.OFF else {"rotate": locate.rotate.value}),
        **({"accelerator": str(on)} if (on := locate.accelerator).requests_accelerator else {}),
    }


def _sha256(photo: PhotoFile) -> str:
    return hashlib.sha256(read_bytes(photo)).hexdigest()
