"""Closed-set and open-set identification on LFW's View 1, and what a least margin catches.

    python benchmarks/identification.py --data ../shared/lfw [--model sface] [--detector mtcnn]
        [--protocol view1] [--photos 1] [--size 582] [--cost 0.02] [--workers 2]

Identification: of everybody with more than --photos photos, the first are enrolled; see
facekit/evaluation/identification.py.  Margin: the largest at which at most --cost of the right
answers among pairsDevTrain's people are ambiguous, reported on
pairsDevTest's, everybody of the list enrolled with one photo: of all answers, and of those at or
above the threshold at FMR 1e-3 and at the one that `identify` chooses for this gallery's size.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from facekit.enums import FacePolicy
from facekit.evaluation.embeddings import EmbedSettings, embed_photos
from facekit.evaluation.identification import measure_identification
from facekit.evaluation.metrics.identification import (
    MARGIN_COST,
    Searches,
    fit_margin,
    measured_margin,
    search,
)
from facekit.evaluation.protocols.lfw import Protocol, find_lfw, read_protocol
from facekit.gallery.identify import default_threshold
from facekit.model.card import space_of
from facekit.model.registry import DEFAULT_MODEL
from facekit.model.store import InstalledModel, find
from facekit.pipeline.locate import LocateOptions
from facekit.template.match import centered
from facekit.template.rates import point_at_fmr
from facekit.types import Float32Array


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", default=DEFAULT_MODEL)
    parser.add_argument("--detector")
    parser.add_argument("--protocol", type=Protocol, default=Protocol.DEVTEST)
    parser.add_argument("--photos", type=int, default=1)
    parser.add_argument("--size", type=int, action="append", default=[])
    parser.add_argument("--cost", type=float, default=MARGIN_COST)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    locate = LocateOptions(face_policy=FacePolicy.CENTER, detector=options.detector)
    settings = EmbedSettings(locate=locate)
    model = settings.measured(find(options.model))

    def embedded(protocol: Protocol) -> tuple[Float32Array, list[str]]:
        lfw = find_lfw(options.data)
        photos = read_protocol(lfw, protocol).photos
        paths = [lfw.photos_dir / photo.path for photo in photos]
        result = embed_photos(paths, model, settings, workers=options.workers)
        there = np.flatnonzero(result.acquired)
        mean = model.card.calibration.embedding_mean
        people = [str(photos[row].person) for row in there]
        return centered(result.vectors[there, 0], mean), people

    def chosen(comparisons: int) -> tuple[float, float | None]:
        space = space_of(model.card, detector=None)
        threshold = default_threshold(model.card.calibration, space, comparisons=comparisons)
        return threshold.similarity, threshold.predicted_fpir

    vectors, people = embedded(options.protocol)
    measured = measure_identification(
        vectors, people, photos=options.photos, sizes=options.size, choose=chosen
    )
    print(
        json.dumps(
            {
                "model": model.card.full_name,
                "detector": locate.detector or model.card.detector,
                "protocol": options.protocol.value,
                **measured.to_dict(),
                "margin": margins(
                    model,
                    chosen,
                    embedded(Protocol.DEVTRAIN),
                    embedded(Protocol.DEVTEST),
                    cost=options.cost,
                ),
            },
            indent=1,
        )
    )


def margins(
    model: InstalledModel,
    chosen: Callable[[int], tuple[float, float | None]],
    train: tuple[Float32Array, list[str]],
    test: tuple[Float32Array, list[str]],
    *,
    cost: float,
) -> dict[str, Any]:
    """The margin of pairsDevTrain's people, and what it does among pairsDevTest's."""
    rule = fit_margin(*train, cost=cost)
    assert rule is not None
    vectors, names = test
    _, first, numbers = np.unique(names, return_index=True, return_inverse=True)
    rest = np.setdiff1d(np.arange(len(names)), first)
    found = search(vectors[rest], numbers[rest], vectors[first], numbers[first])
    of = {
        "all": -1.0,
        "fmr=1e-3": point_at_fmr(model.card.calibration, 1e-3).threshold_similarity,
        "identify's default": chosen(len(first))[0],
    }

    def tallied(threshold: float) -> dict[str, Any]:
        kept = found.best >= threshold
        known = Searches(found.best[kept], found.second[kept], found.rank[kept], found.person[kept])
        tally = measured_margin(known, rule.least, people_count=len(first))
        return {"threshold_similarity": threshold, **asdict(tally)}

    return {
        "devtrain": asdict(rule),
        "devtest": {name: tallied(threshold) for name, threshold in of.items()},
    }


if __name__ == "__main__":
    main()
