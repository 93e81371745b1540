"""The embeddings of many photos, by worker processes, kept in a cache."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from facekit.enums import CropRule
from facekit.errors import FacekitError, InputError
from facekit.evaluate.embedding_cache import CachedPhoto, EmbeddingCache
from facekit.evaluate.photo_crop import EmbedSettings, PhotoCropper
from facekit.model.registry import DETECTOR
from facekit.model.store import InstalledModel, find, find_all, home
from facekit.system.processes import Crash, map_processes
from facekit.types import Float32Array

_BATCH = 64  # photos between two writes of the cache: what a kill may cost
_LOADING = "load"  # once a worker, not once a photo


@dataclass(frozen=True, slots=True, eq=False)
class PhotoEmbeddings:
    """Row n is of photo n; photos that gave no embedding have zeros and an error."""

    vectors: Float32Array
    """(N, views, D) float32 of unit length, not centred: the net's own, whatever the card's flip"""
    errors: tuple[str, ...]
    """(N,) "" or the reason of a failure to acquire"""
    computed: int
    """how many were embedded now; the others came from the cache"""
    stage_ms: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    """by stage, what each photo took that was embedded now and went through that stage"""
    wall_s: float = 0.0
    """from the start of the workers to their last photo; 0 where none was embedded now"""

    @property
    def acquired(self) -> NDArray[np.bool_]:
        """(N,) which photos have an embedding."""
        return np.array([not error for error in self.errors], bool)


def embed_photos(
    photos: Sequence[Path],
    model: InstalledModel,
    settings: EmbedSettings,
    *,
    workers: int,
    recompute: bool = False,
    progress: Callable[[Iterator[Any], int], Iterator[Any]] = lambda results, _total: results,
) -> PhotoEmbeddings:
    """Each distinct photo once.  `progress` wraps the stream of what has to be computed.

    `recompute` embeds also what the cache has, so that times are measured.  A photo without a
    face, an unreadable one and one that crashes its worker are rows with an error.
    Raises InputError for a photo that does not exist, StorageError for the cache.
    """
    hashes = [_sha256(photo) for photo in photos]
    cache, kept = _open_cache(model, settings)
    known = {} if recompute else dict(kept)
    missing = {
        photo_hash: photo
        for photo_hash, photo in zip(hashes, photos, strict=True)
        if photo_hash not in known
    }
    stage_ms: dict[str, list[float]] = {}
    start = time.perf_counter()
    if missing:
        make = _MakeEmbed(str(model.path), settings)
        results = map_processes(make, missing.values(), workers=min(workers, len(missing)))
        waiting: list[CachedPhoto] = []
        try:
            for photo_hash, result in zip(missing, progress(results, len(missing)), strict=True):
                if isinstance(result, Crash):
                    known[photo_hash] = _failed(photo_hash, result, model, settings)
                    continue
                row = CachedPhoto(photo_hash, result.vectors, result.error)
                known[photo_hash] = row
                if photo_hash not in kept:
                    waiting.append(row)
                for stage, spent in result.stage_ms.items():
                    stage_ms.setdefault(stage, []).append(spent)
                if len(waiting) >= _BATCH:
                    cache.append(waiting)
                    waiting.clear()
        finally:  # Ctrl-C loses nothing, a kill the batch that waits
            cache.append(waiting)
    stage_ms.pop(_LOADING, None)
    empty = np.zeros((0, _views(settings), model.card.output_size), np.float32)
    return PhotoEmbeddings(
        vectors=np.stack([known[one].vectors for one in hashes]) if hashes else empty,
        errors=tuple(known[one].error for one in hashes),
        computed=len(missing),
        stage_ms={stage: np.array(spent) for stage, spent in stage_ms.items()},
        wall_s=time.perf_counter() - start if missing else 0.0,
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Embedded:
    vectors: Float32Array
    error: str
    stage_ms: dict[str, float]


@dataclass(frozen=True, slots=True)
class _MakeEmbed:
    """Loads detector and model in a worker; one thread each, since the workers fill the cores."""

    model: str
    settings: EmbedSettings

    def __call__(self) -> Callable[[Path], _Embedded]:
        cv2.setNumThreads(1)
        cropper = PhotoCropper(find(self.model), self.settings)
        pipeline = cropper.pipeline
        shape = (_views(self.settings), pipeline.model.card.output_size)

        def embed(photo: Path) -> _Embedded:
            pipeline.stopwatch.milliseconds.clear()
            error = ""
            try:
                crops = cropper.crop(photo)
                embedder = pipeline.embedder
                with pipeline.stopwatch.stage("embed"):
                    (vectors,) = embedder.embed_views(crops, mirrored=self.settings.mirrored)
            except FacekitError as failure:
                vectors = np.zeros(shape, np.float32)
                error = f"{type(failure).__name__}: {failure}"
            return _Embedded(vectors, error, dict(pipeline.stopwatch.milliseconds))

        return embed


def _open_cache(
    model: InstalledModel, settings: EmbedSettings
) -> tuple[EmbeddingCache, dict[str, CachedPhoto]]:
    """The cache to append to, and all that is known: a mirrored run's first view is what a run
    without mirror images would compute."""
    cache = _cache(model, settings)
    kept = cache.read()
    if not settings.mirrored:
        with_mirror = _cache(model, replace(settings, mirrored=True)).read()
        first_views = {
            photo_hash: replace(photo, vectors=photo.vectors[:1])
            for photo_hash, photo in with_mirror.items()
        }
        kept = first_views | kept
    return cache, kept


def _cache(model: InstalledModel, settings: EmbedSettings) -> EmbeddingCache:
    return EmbeddingCache(
        home() / "cache" / "embeddings",
        _configuration(model, settings),
        views=_views(settings),
        size=model.card.output_size,
    )


def _views(settings: EmbedSettings) -> int:
    return 2 if settings.mirrored else 1


def _failed(
    photo_hash: str, crash: Crash, model: InstalledModel, settings: EmbedSettings
) -> CachedPhoto:
    vectors = np.zeros((_views(settings), model.card.output_size), np.float32)
    return CachedPhoto(photo_hash, vectors, f"WorkerCrash: exit code {crash.exit_code}")


def _configuration(model: InstalledModel, settings: EmbedSettings) -> dict[str, Any]:
    crop = settings.crop_of(model)
    detects = crop.rule is not CropRule.NONE
    return {
        "model": model.card.file_sha256,
        "input": asdict(settings.input or model.card.input),
        "crop": asdict(crop) if not settings.cut_px else {**asdict(crop), "cut": settings.cut_px},
        "mirrored": settings.mirrored,
        "detector": _detector(settings) if detects else None,
        "detector_options": asdict(settings.locate.detector) if detects else None,
        "face": settings.locate.face_policy.value if detects else None,
    }


def _detector(settings: EmbedSettings) -> list[str]:
    """sha256 of each net of the cascade."""
    nets = settings.locate.nets
    installed = find_all(DETECTOR) if nets is None else tuple(map(find, nets))
    return [one.card.file_sha256 for one in installed]


def _sha256(photo: Path) -> str:
    try:
        return hashlib.sha256(photo.read_bytes()).hexdigest()
    except OSError as error:
        raise InputError(f"{photo}: {error.strerror or error}") from error
