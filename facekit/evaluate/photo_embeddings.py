"""The embeddings of many photos, by worker processes, kept in a cache."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from facekit.errors import FacekitError, InputError
from facekit.evaluate.embedding_cache import CachedPhoto, EmbeddingCache
from facekit.locate import LocateOptions
from facekit.models.card import CropSpec
from facekit.models.registry import DETECTOR
from facekit.models.store import InstalledModel, find, find_all, home
from facekit.parallel import Crash, map_processes
from facekit.pipeline import Pipeline, PipelineOptions
from facekit.types import CropRule, Float32Array

_BATCH = 64  # photos between two writes of the cache: what a kill may cost


@dataclass(frozen=True, slots=True)
class EmbedSettings:
    """All that decides what vector a photo gets, besides the model."""

    locate: LocateOptions = field(default_factory=LocateOptions)
    crop: CropSpec | None = None
    """None: the rule in the model's card"""
    mirrored: bool = False
    """also embed the mirror image of each crop, as a second view"""


@dataclass(frozen=True, slots=True, eq=False)
class PhotoEmbeddings:
    """Row n is of photo n; photos that gave no embedding have zeros and an error."""

    vectors: Float32Array
    """(N, views, D) float32 of unit length, not centred"""
    errors: tuple[str, ...]
    """(N,) "" or the reason of a failure to acquire"""
    computed: int
    """how many were embedded now; the others came from the cache"""
    stage_ms: dict[str, float]
    """work of the computed ones by stage, summed over photos and workers"""

    @property
    def acquired(self) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
        """(N,) which photos have an embedding."""
        return np.array([not error for error in self.errors], bool)


def embed_photos(
    photos: Sequence[Path],
    model: InstalledModel,
    settings: EmbedSettings,
    *,
    workers: int,
    progress: Callable[[Iterator[Any], int], Iterator[Any]] = lambda results, _total: results,
) -> PhotoEmbeddings:
    """Each distinct photo once.  `progress` wraps the stream of what has to be computed.

    A photo without a face, an unreadable one and one that crashes its worker are rows with an
    error.  Raises InputError for a photo that does not exist, StorageError for the cache.
    """
    hashes = [_sha256(photo) for photo in photos]
    views = 2 if settings.mirrored else 1
    cache = EmbeddingCache(
        home() / "cache" / "embeddings",
        _configuration(model, settings),
        views=views,
        size=model.card.embedding_size,
    )
    known = cache.read()
    missing = {
        photo_hash: photo
        for photo_hash, photo in zip(hashes, photos, strict=True)
        if photo_hash not in known
    }
    stage_ms: dict[str, float] = {}
    if missing:
        make = _MakeEmbed(str(model.path), settings)
        results = map_processes(make, missing.values(), workers=min(workers, len(missing)))
        waiting: list[CachedPhoto] = []
        for photo_hash, result in zip(missing, progress(results, len(missing)), strict=True):
            if isinstance(result, Crash):
                row = _failed(
                    photo_hash, f"WorkerCrash: exit code {result.exit_code}", model, views
                )
            else:
                row = CachedPhoto(photo_hash, result.vectors, result.error)
                waiting.append(row)
                for stage, spent in result.stage_ms.items():
                    stage_ms[stage] = stage_ms.get(stage, 0.0) + spent
            known[photo_hash] = row
            if len(waiting) >= _BATCH:
                cache.append(waiting)
                waiting.clear()
        cache.append(waiting)
    return PhotoEmbeddings(
        vectors=np.stack([known[one].vectors for one in hashes])
        if hashes
        else np.zeros((0, views, model.card.embedding_size), np.float32),
        errors=tuple(known[one].error for one in hashes),
        computed=len(missing),
        stage_ms=stage_ms,
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
        model = find(self.model)
        options = PipelineOptions(self.settings.locate, crop=self.settings.crop, threads=1)
        pipeline = Pipeline(model, options=options)
        views = 2 if self.settings.mirrored else 1

        def embed(photo: Path) -> _Embedded:
            pipeline.stopwatch.milliseconds.clear()
            try:
                (located,) = pipeline.locate([photo])
                with pipeline.stopwatch.stage("align"):
                    crops = pipeline.crop(located)[:1]
                if self.settings.mirrored:
                    crops = np.concatenate((crops, crops[:, :, ::-1]))
                embedder = pipeline.embedder
                with pipeline.stopwatch.stage("embed"):
                    vectors = embedder.embed_uncentred(crops)
                error = ""
            except FacekitError as failure:
                vectors = np.zeros((views, model.card.embedding_size), np.float32)
                error = f"{type(failure).__name__}: {failure}"
            return _Embedded(vectors, error, dict(pipeline.stopwatch.milliseconds))

        return embed


def _failed(photo_hash: str, error: str, model: InstalledModel, views: int) -> CachedPhoto:
    return CachedPhoto(photo_hash, np.zeros((views, model.card.embedding_size), np.float32), error)


def _configuration(model: InstalledModel, settings: EmbedSettings) -> dict[str, Any]:
    crop = settings.crop or model.card.crop
    assert crop is not None  # an embedding card always has one
    detects = crop.rule is not CropRule.NONE
    return {
        "model": model.card.file_sha256,
        "input": asdict(model.card.input),
        "crop": asdict(crop),
        "mirrored": settings.mirrored,
        "detector": [one.card.file_sha256 for one in find_all(DETECTOR)] if detects else None,
        "detector_options": asdict(settings.locate.detector) if detects else None,
        "face": settings.locate.face_policy.value if detects else None,
    }


def _sha256(photo: Path) -> str:
    try:
        return hashlib.sha256(photo.read_bytes()).hexdigest()
    except OSError as error:
        raise InputError(f"{photo}: {error.strerror or error}") from error
