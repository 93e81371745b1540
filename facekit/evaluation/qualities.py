"""Rates the faces of an evaluation's photos, and caches the scores."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np
from numpy.typing import NDArray

from facekit.enums import CropRule
from facekit.evaluation.embedding_cache import CachedPhoto, EmbeddingCache
from facekit.evaluation.embeddings import EmbedSettings
from facekit.face.quality_fit import FIT_FILE
from facekit.model.store import InstalledModel, home
from facekit.photo.reading import PhotoFile, read_bytes
from facekit.pipeline.locate import LocateOptions, Locator
from facekit.pipeline.photos import PhotoFailure, map_photos
from facekit.reporter import SILENT, Reporter

_KEPT = np.zeros((1, 1), np.float32)


def rate_photos(
    photos: Sequence[PhotoFile],
    model: InstalledModel,
    settings: EmbedSettings,
    *,
    workers: int | None = None,
    ray: str | None = None,
    reporter: Reporter = SILENT,
) -> NDArray[np.float64]:
    """Returns (N,) unified quality scores, 0..100, of the face that is embedded of each photo.

    A photo without such a face has NaN; so have all photos where no face is detected because they
    are crops.  Scores depend on the detector alone, so that all models behind it share the cache.
    Raises StorageError for an unusable cache, and the errors of `map_photos`.
    """
    if settings.crop_of(model).rule is CropRule.NONE:
        return np.full(len(photos), np.nan)
    locate = settings.locate_for(model)
    hashes = [hashlib.sha256(read_bytes(photo)).hexdigest() for photo in photos]
    cache = EmbeddingCache(home() / "cache" / "embeddings", _configuration(locate), views=1, size=1)
    known = cache.read()
    missing = {key: photo for key, photo in zip(hashes, photos, strict=True) if key not in known}
    results = map_photos(
        RatePhoto(replace(locate, threads=1)),
        list(missing.values()),
        label="rating faces",
        workers=workers,
        ray=ray,
        reporter=reporter,
    )
    rated = [
        CachedPhoto(key, _KEPT, f"{type(result.error).__name__}: {result.error}")
        if isinstance(result, PhotoFailure)
        else CachedPhoto(key, np.full((1, 1), result, np.float32))
        for key, result in zip(missing, results, strict=True)
    ]
    cache.append(rated)
    known |= {row.photo_sha256: row for row in rated}
    return np.array([np.nan if known[key].error else known[key].vectors[0, 0] for key in hashes])


@dataclass(frozen=True, slots=True)
class RatePhoto:
    """A job for `map_photos`: the unified quality score of a photo's first selected face."""

    options: LocateOptions

    def open(self) -> Callable[[PhotoFile], float]:
        locator = Locator(options=self.options)

        def rate(photo: PhotoFile) -> float:
            (located,) = locator.locate([photo])
            return located.qualities[0].unified_score

        return rate


def _configuration(locate: LocateOptions) -> dict[str, object]:
    """Returns all that changes a score."""
    return {
        "quality": hashlib.sha256(FIT_FILE.read_bytes()).hexdigest(),
        "detector": [net.card.file_sha256 for net in locate.found_nets],
        "detector_options": asdict(locate.own_options),
        "face": locate.face_policy.value,
        "rotate": locate.rotate.value,
    }
