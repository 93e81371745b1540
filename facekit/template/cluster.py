"""Groups unlabeled faces by person."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from facekit.enums import ClusterMethod, Metric
from facekit.system.extras import require
from facekit.template.metrics import distance
from facekit.types import Float32Array

_NOISE = -1  # scikit-learn's label for faces in no cluster


def cluster(
    vectors: Float32Array, *, method: ClusterMethod, threshold_similarity: float
) -> NDArray[np.int64]:
    """Groups (N, D) unit vectors; returns (N,) group numbers, 0 for the largest group.

    The memory is N x N x 8 bytes: 0.8 GB for 10,000 faces.  HDBSCAN ignores
    `threshold_similarity`.  Raises MissingExtraError if scikit-learn is missing.
    """
    if len(vectors) < 2:
        return np.zeros(len(vectors), np.int64)
    sklearn = require("sklearn.cluster", extra="evaluate", needed_for="facekit cluster")
    if method is ClusterMethod.AGGLOMERATIVE:
        model = sklearn.AgglomerativeClustering(
            n_clusters=None,
            metric="precomputed",
            linkage="average",
            distance_threshold=distance(threshold_similarity, Metric.COSINE),
        )
        labels = model.fit_predict(1.0 - np.clip(vectors @ vectors.T, -1.0, 1.0))
    else:
        # The Euclidean distance of unit vectors is an increasing function of the cosine distance.
        labels = sklearn.HDBSCAN(min_cluster_size=2, copy=True).fit_predict(vectors)
    return _by_size(np.asarray(labels, np.int64))


def _by_size(labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """Renumbers groups by size, largest first; a face in no group becomes a group of its own."""
    alone = labels == _NOISE
    labels = labels.copy()
    labels[alone] = labels.max() + 1 + np.arange(alone.sum())
    _, first, inverse, counts = np.unique(
        labels, return_index=True, return_inverse=True, return_counts=True
    )
    order = np.lexsort((first, -counts))  # of equally large groups, the one that occurs first
    ranks = np.empty_like(order)
    ranks[order] = np.arange(len(order))
    return np.asarray(ranks[inverse], np.int64)
