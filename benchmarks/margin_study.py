"""Which rule tells wrong answers of an identification from right ones, at the same cost.

    python benchmarks/margin_study.py --data ../shared/lfw [--model sface] [--detector mtcnn]
        [--cost 0.02] [--workers 2]

Everybody of a list is enrolled with one photo, all other photos are searched for.  For each rule
the least value is chosen on pairsDevTrain's people, so that at most --cost of the right answers are
below it; what it catches of the wrong ones is told of both lists, and what it loses of
pairsDevTest's right ones.  s1 is the similarity of the most similar person, s2 of the second.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from facekit.enums import FacePolicy
from facekit.evaluation.embeddings import EmbedSettings, embed_photos
from facekit.evaluation.metrics.identification import MARGIN_COST
from facekit.evaluation.protocols.lfw import Protocol, find_lfw, read_protocol
from facekit.model.registry import DEFAULT_MODEL
from facekit.model.store import InstalledModel, find
from facekit.pipeline.locate import LocateOptions
from facekit.template.match import centered

Array: TypeAlias = NDArray[np.float64]
Rules: TypeAlias = dict[str, Array]
"""By name: (Q,), larger for an answer that is surer."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", default=DEFAULT_MODEL)
    parser.add_argument("--detector")
    parser.add_argument("--cost", type=float, default=MARGIN_COST)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    locate = LocateOptions(face_policy=FacePolicy.CENTER, detector=options.detector)
    settings = EmbedSettings(locate=locate)
    model = settings.measured(find(options.model))
    (train, train_right), (test, test_right) = (
        rules(*embedded(options.data, protocol, model, settings, options.workers))
        for protocol in (Protocol.DEVTRAIN, Protocol.DEVTEST)
    )
    pair = LogisticRegression(C=1e4, class_weight="balanced", max_iter=5000)
    pair.fit(np.stack([train["s1"], train["s2"]], 1), train_right)
    for own in (train, test):
        own["logistic of s1 and s2"] = pair.decision_function(np.stack([own["s1"], own["s2"]], 1))
        del own["s2"]
    print(
        f"{model.card.full_name}: wrong answers {(~train_right).sum()} of DevTrain, "
        f"{(~test_right).sum()} of DevTest"
    )
    for name, values in train.items():
        sure = np.sort(values[train_right])
        least = sure[int(options.cost * len(sure))]
        caught, caught_test = (values[~train_right] < least), (test[name][~test_right] < least)
        lost = (test[name][test_right] < least).mean()
        print(
            f"{name:34s} DevTrain catches {caught.mean():5.1%}   DevTest catches "
            f"{caught_test.mean():5.1%} ({caught_test.sum()}), loses {lost:.2%}"
        )


def embedded(
    data: Path, protocol: Protocol, model: InstalledModel, settings: EmbedSettings, workers: int
) -> tuple[Array, list[str]]:
    """(N, D) centered unit vectors, and whose they are."""
    lfw = find_lfw(data)
    photos = read_protocol(lfw, protocol).photos
    paths = [lfw.photos_dir / photo.path for photo in photos]
    result = embed_photos(paths, model, settings, workers=workers)
    there = np.flatnonzero(result.acquired)
    vectors = centered(result.vectors[there, 0], model.card.calibration.embedding_mean)
    return vectors.astype(np.float64), [str(photos[row].person) for row in there]


def rules(vectors: Array, people: list[str]) -> tuple[Rules, NDArray[np.bool_]]:
    """The value of each rule for each search, and whether its answer is right."""
    _, first, number = np.unique(people, return_index=True, return_inverse=True)
    rest = np.setdiff1d(np.arange(len(people)), first)
    scores = vectors[rest] @ vectors[first].T
    between = vectors[first] @ vectors[first].T
    np.fill_diagonal(between, -1.0)
    answer = scores.argmax(axis=1)
    ranked = np.sort(scores, axis=1)[:, ::-1]
    s1, s2 = ranked[:, 0], ranked[:, 1]
    found = {
        "s1 - s2": s1 - s2,
        "s1": s1,
        "s2": s2,
        "(s1 - s2) / s1": (s1 - s2) / np.maximum(s1, 0.05),
        "(1 - s2) / (1 - s1)": (1 - s2) / (1 - s1),
    }
    for count in (5, 10, 30, 100):
        others = ranked[:, 1 : 1 + count]
        found[f"s1 - mean of the next {count}"] = s1 - others.mean(axis=1)
        found[f"s1 by the next {count}, z"] = (s1 - others.mean(axis=1)) / others.std(axis=1)
    for count in (30, 100, 300):
        near, others = np.sort(between, axis=1)[:, ::-1][:, :count], ranked[:, 1 : 1 + count]
        normed = (scores - near.mean(axis=1)) / near.std(axis=1)
        normed += (scores - others.mean(axis=1)[:, None]) / others.std(axis=1)[:, None]
        own = np.take_along_axis(normed, answer[:, None], axis=1)[:, 0]
        np.put_along_axis(normed, answer[:, None], -np.inf, axis=1)
        found[f"s-norm by {count}"] = own
        found[f"s-norm by {count}, margin"] = own - normed.max(axis=1)
    return found, answer == number[rest]


if __name__ == "__main__":
    main()
