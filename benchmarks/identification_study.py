"""What else could help identification: whitening, score normalization, several photos a person.

    python benchmarks/identification_study.py --data ../shared/lfw [--workers 2]

Fitted and chosen on pairsDevTrain's people, reported on pairsDevTest's.  For each way: rank-1 of
all with enough photos, and FNIR where 1 % of the unknown are found, the mean of six draws of half
of the people as the enrolled.  The cohort of score normalization is one photo of each of DevTrain's
people; on DevTrain itself its figures are flattered, since the enrolled are in it.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from facekit.evaluation.embeddings import EmbedSettings, embed_photos
from facekit.evaluation.protocols.lfw import Protocol, find_lfw, read_protocol
from facekit.model.registry import DEFAULT_MODEL
from facekit.model.store import find
from facekit.template.match import centered

Array: TypeAlias = NDArray[np.float64]
People: TypeAlias = dict[str, Array]
Scorer: TypeAlias = Callable[[Array, Array], Array]
"""(Q, D) probes and (G, D) templates -> (Q, G)"""
DRAWS = 6
FPIR = 0.01


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    train, test = (
        embedded(options.data, protocol, options.workers)
        for protocol in (Protocol.DEVTRAIN, Protocol.DEVTEST)
    )
    report("as shipped", train, test, cosine)
    for share in (0.1, 0.5):
        matrix = whitening(train, share)
        whitened = [{name: unit(v @ matrix) for name, v in own.items()} for own in (train, test)]
        what = f"whitened within people, {share:g} of identity"
        report(what, whitened[0], whitened[1], cosine)
    cohort = np.stack([vectors[0] for vectors in train.values()])
    for kind in ("z", "t", "s"):
        for nearest in (100, 300, len(cohort)):
            score = normalized(cohort, kind, nearest)
            report(f"{kind}-norm by the nearest {nearest}", train, test, score)
    for photos in (2, 3):
        for rule in ("best", "mean"):
            report(
                f"{photos} photos enrolled, {rule}", train, test, cosine, photos=photos, rule=rule
            )


def embedded(lfw: Path, protocol: Protocol, workers: int) -> People:
    """Centered unit vectors of each person's photos, in their order."""
    model = find(DEFAULT_MODEL)
    found = find_lfw(lfw)
    photos = read_protocol(found, protocol).photos
    paths = [found.photos_dir / photo.path for photo in photos]
    result = embed_photos(paths, model, EmbedSettings(), workers=workers)
    own = defaultdict(list)
    vectors = centered(result.vectors[:, 0], model.card.calibration.embedding_mean)
    for photo, vector, there in zip(photos, vectors, result.acquired, strict=True):
        if there:
            own[str(photo.person)].append(vector.astype(np.float64))
    return {name: np.stack(of_one) for name, of_one in own.items()}


def report(
    what: str,
    train: People,
    test: People,
    score: Scorer,
    *,
    photos: int = 1,
    rule: str = "best",
) -> None:
    rows = [evaluated(own, score, photos, rule) for own in (train, test)]
    told = "   ".join(
        f"{name} rank-1 {100 * rank1:5.2f} % FNIR {100 * fnir:5.2f} % ({probes} probes)"
        for name, (rank1, fnir, probes) in zip(("DevTrain", "DevTest"), rows, strict=True)
    )
    print(f"{what:40s} {told}", flush=True)


def evaluated(own: People, score: Scorer, photos: int, rule: str) -> tuple[float, float, int]:
    """Rank-1, FNIR at FPIR 1 %, and the number of rank-1's probes."""
    several = sorted(name for name in own if len(own[name]) > photos)
    scores, mates = against(own, several, probes_of(own, several, photos), score, photos, rule)
    rank1 = float((scores.argmax(axis=1) == mates).mean())
    missed = []
    for draw in range(DRAWS):
        order = np.random.default_rng(draw + 1).permutation(several).tolist()
        known = sorted(order[: len(several) // 2])
        mated = probes_of(own, known, photos)
        others = [(-1, vector) for name in own if name not in set(known) for vector in own[name]]
        found, mates_of_found = against(own, known, mated, score, photos, rule)
        strange, _ = against(own, known, others, score, photos, rule)
        best = np.sort(strange.max(axis=1))[::-1]
        right = (found.argmax(axis=1) == mates_of_found) & (
            found.max(axis=1) > best[int(FPIR * len(best))]
        )
        missed.append(1.0 - float(right.mean()))
    return rank1, float(np.mean(missed)), len(mates)


def probes_of(own: People, names: list[str], photos: int) -> list[tuple[int, Array]]:
    return [(place, v) for place, name in enumerate(names) for v in own[name][photos:]]


def against(
    own: People,
    enrolled: list[str],
    probes: list[tuple[int, Array]],
    score: Scorer,
    photos: int,
    rule: str,
) -> tuple[Array, NDArray[np.intp]]:
    """(Q, people) scores and (Q,) the place of each probe's mate."""
    asked = np.stack([vector for _, vector in probes])
    mates = np.array([place for place, _ in probes], np.intp)
    if rule == "mean":
        means = unit(np.stack([own[name][:photos].mean(axis=0) for name in enrolled]))
        return score(asked, means), mates
    each = [np.stack([own[name][photo] for name in enrolled]) for photo in range(photos)]
    best: Array = np.max([score(asked, templates) for templates in each], axis=0)
    return best, mates


def cosine(probes: Array, templates: Array) -> Array:
    return np.asarray(probes @ templates.T)


def normalized(cohort: Array, kind: str, nearest: int) -> Scorer:
    """z-, t- or s-norm (Auckenthaler et al. 2000; Cumani et al. 2011) by the nearest strangers."""

    def moments(vectors: Array) -> tuple[Array, Array]:
        similar = vectors @ cohort.T
        similar[similar > 1 - 1e-6] = -1.0  # itself
        top = np.sort(similar, axis=1)[:, ::-1][:, :nearest]
        top = np.where(top == -1.0, np.nan, top)
        return np.nanmean(top, axis=1), np.nanstd(top, axis=1)

    def score(probes: Array, templates: Array) -> Array:
        scores = probes @ templates.T
        means, spreads = moments(templates)
        z: Array = (scores - means) / spreads
        if kind == "z":
            return z
        means, spreads = moments(probes)
        t: Array = (scores - means[:, None]) / spreads[:, None]
        return t if kind == "t" else (z + t) / 2

    return score


def whitening(own: People, share: float) -> Array:
    """(D, D): W^-1/2 of the covariance within people, mixed with the identity."""
    several = [vectors for vectors in own.values() if len(vectors) > 1]
    inner = np.concatenate([vectors - vectors.mean(axis=0) for vectors in several])
    within = inner.T @ inner / (len(inner) - len(several))
    mixed = (1 - share) * within + share * np.trace(within) / len(within) * np.eye(len(within))
    values, axes = np.linalg.eigh(mixed)
    return np.asarray((axes * values**-0.5) @ axes.T)


def unit(vectors: Array) -> Array:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=-1, keepdims=True))


if __name__ == "__main__":
    main()
