"""Measures what quantization costs on LFW's View 1: thresholds from DevTrain, rates on DevTest."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facekit.enums import FacePolicy, Flip, Metric
from facekit.evaluation.embeddings import EmbedSettings, embed_photos
from facekit.evaluation.metrics.error_rates import (
    best_accuracy_threshold,
    equal_error_rate,
    error_counts,
    roc,
    tar_at_fmr,
)
from facekit.evaluation.protocols.data_set import DataSet, lfw_list
from facekit.evaluation.protocols.lfw import Protocol
from facekit.evaluation.scoring import PairScorer
from facekit.model.store import InstalledModel
from facekit.pipeline.locate import LocateOptions
from facekit.reporter import SILENT, Reporter
from facekit.template.metrics import distance

TAR_TARGETS = (1e-1, 1e-2)
"""Target FMRs for which 500 impostor pairs are enough."""


@dataclass(frozen=True, slots=True)
class Accuracy:
    """Error rates of one file on pairsDevTest, 0..1."""

    variant: str
    threshold_similarity: float
    """The threshold of best accuracy on pairsDevTrain, with this file's scores."""
    accuracy: float
    accuracy_at_float32_threshold: float
    eer: float
    tar_at_fmr: dict[str, float]
    pair_count: int
    failed_photo_count: int

    def to_dict(self) -> dict[str, Any]:
        threshold = distance(self.threshold_similarity, Metric.COSINE)
        return {**asdict(self), "threshold": threshold}


@dataclass(frozen=True, slots=True, eq=False)
class _Scored:
    scores: NDArray[np.float64]
    same: NDArray[np.bool_]
    failed: int


def compare_accuracy(
    float32: InstalledModel,
    quantized: InstalledModel,
    folder: Path,
    *,
    reporter: Reporter = SILENT,
) -> tuple[Accuracy, Accuracy]:
    """Measures the accuracy of both model files on LFW's photos in `folder`.

    Embeddings are centered if the card has a mean, as at run time.  Embeds the 4,992 photos of View
    1 with each file, except cached ones.  Raises InputError if `folder` does not contain LFW's
    photos or no photo has an embedding, PairListError if a pair list or a photo is missing or a
    list is not valid, StorageError if the cache cannot be read or written, and MissingExtraError if
    scikit-learn is missing.
    """
    lists = [lfw_list(folder, protocol) for protocol in (Protocol.DEVTRAIN, Protocol.DEVTEST)]
    results: list[Accuracy] = []
    for model in (float32, quantized):
        train, test = (_score(model, data_set, reporter) for data_set in lists)
        threshold = best_accuracy_threshold(train.scores, train.same)
        reference = results[0].threshold_similarity if results else threshold
        impostor_targets = {
            f"{target:g}": tar_at_fmr(test.scores, test.same, target).counts
            for target in TAR_TARGETS
        }
        results.append(
            Accuracy(
                variant=model.card.variant,
                threshold_similarity=threshold,
                accuracy=error_counts(test.scores, test.same, threshold).accuracy,
                accuracy_at_float32_threshold=error_counts(
                    test.scores, test.same, reference
                ).accuracy,
                eer=equal_error_rate(roc(test.scores, test.same)),
                tar_at_fmr={
                    name: counts.tar for name, counts in impostor_targets.items() if counts
                },
                pair_count=len(test.scores),
                failed_photo_count=test.failed,
            )
        )
    return results[0], results[1]


def _score(
    model: InstalledModel,
    data_set: DataSet,
    reporter: Reporter,
) -> _Scored:
    photos = data_set.pair_list.photos
    embedded = embed_photos(
        data_set.files_of(photos),
        model,
        EmbedSettings(
            locate=LocateOptions(face_policy=FacePolicy.CENTER),
            mirrored=model.card.flip is not Flip.NONE,
        ),
        reporter=reporter,
    )
    scorer = PairScorer(
        photos,
        embedded,
        flip=model.card.flip,
        template_mean=model.card.calibration.embedding_mean,
    )
    scores, same = scorer.scored(data_set.pair_list.pairs)
    return _Scored(
        scores=scores,
        same=same,
        failed=int((~embedded.acquired).sum()),
    )
