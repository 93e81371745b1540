"""A made-up evaluation of two models, for the tests of records, plots and the page."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from facekit.errors import NoFaceError
from facekit.evaluation.groups import CommonThreshold, measure_groups
from facekit.evaluation.identification import Rules, measure_identification
from facekit.evaluation.metrics.folds import ten_fold
from facekit.evaluation.protocols.pairs import Pair, PairList, Photo
from facekit.evaluation.protocols.plan import ThresholdOrigin
from facekit.evaluation.records import (
    DataSetReport,
    ModelIdentity,
    ModelResult,
    ValAtFar,
)
from facekit.evaluation.summary import compare, summarize
from facekit.evaluation.times import StageTime, Throughput
from facekit.pipeline.photos import PhotoFailure
from tests.evaluation.made_up_photos import embeddings, photo

HOSTILE = "<script>alert('x')</script>&\"O'Neil\""
"""a person whose name would break a page that forgets to escape"""


def _pair_list(n_each: int = 30, n_folds: int = 10) -> PairList:
    """Genuine pairs of person k, impostor pairs of persons k and k + 1; person 0 is hostile."""

    def photo(person: int, number: int) -> Photo:
        name = HOSTILE.replace("/", "") if person == 0 else f"Person_{person:03d}"
        return Photo(f"{name}/{name}_{number:04d}.jpg", name)

    line = 1
    folds = []
    for fold in range(n_folds):
        pairs = []
        for same in (True, False):
            for k in range(fold * n_each, (fold + 1) * n_each):
                line += 1
                other = photo(k, 2) if same else photo(k + 1, 1)
                pairs.append(Pair(photo(k, 1), other, same, line))
        folds.append(tuple(pairs))
    return PairList("made-up.txt", tuple(folds), "0" * 32)


def _model_result(
    variant: str, pairs: PairList, *, seed: int, failed: Sequence[int] = ()
) -> ModelResult:
    random = np.random.default_rng(seed)
    same = np.array([pair.same for pair in pairs.pairs])
    scores = random.normal(np.where(same, 0.7, 0.05), 0.17).clip(-1, 1)
    scores[list(failed)] = np.nan
    folds = ten_fold(scores, same, acquired=~np.isnan(scores), n_folds=len(pairs.folds))
    return summarize(
        ModelIdentity(
            "facenet", variant, "ab" * 32, 94_000_000, "RGB, margin 32, centered", f"as {HOSTILE}"
        ),
        pairs,
        scores,
        fold_threshold_similarities=folds.thresholds.tolist(),
        threshold_origin=ThresholdOrigin.OTHER_FOLDS,
        failures=tuple(
            PhotoFailure(pairs.pairs[index].a.path, NoFaceError("no face")) for index in failed
        ),
        stages=(
            StageTime("detect", 21.5, 30.0, 100),
            StageTime("align", 0.4, 0.6, 100),
            StageTime("embed", 17.0, 19.0, 100),
        ),
        val=ValAtFar(1e-3, *folds.val, folds.val_fmr, folds.val_measurable),
        throughput=Throughput(100, 2, 2.0, 2.2, 1.7, 0.05),
    )


@pytest.fixture(scope="session")
def identified(made_up: DataSetReport) -> DataSetReport:
    """The same with groups, and with galleries of 20 and 30 people by a card's rules."""
    photos = [photo(person, number) for person in range(60) for number in range(5)]
    people = [one.person or "" for one in photos]

    def measured(model: ModelResult, seed: int) -> ModelResult:
        found = measure_identification(
            embeddings(photos, seed=seed).vectors[:, 0],
            people,
            sizes=(20, 30),
            rules=Rules(lambda count: (0.6, 0.0001 * count), min_margin=0.05),
        )
        groups = measure_groups(
            embeddings(photos, seed=seed).vectors[:, 0],
            photos,
            {one.path: (HOSTILE, "b", "c")[index % 15 // 5] for index, one in enumerate(photos)},
            CommonThreshold(0.75, ThresholdOrigin.CARD, "fmr=1e-3"),
        )
        return replace(model, identification=found, groups=groups)

    models = (measured(one, seed) for seed, one in enumerate(made_up.models))
    return replace(made_up, models=tuple(models))


@pytest.fixture(scope="session")
def made_up() -> DataSetReport:
    """Two models on ten folds of 60 pairs; the photo of pair 8 gave no embedding."""
    pairs = _pair_list()
    models = (
        _model_result("float32", pairs, seed=1, failed=(7,)),
        _model_result("int8", pairs, seed=2, failed=(7,)),
    )
    return DataSetReport(
        dataset=f"pairs of {HOSTILE}",
        protocol="ten folds",
        list_name=pairs.name,
        list_md5=pairs.md5,
        list_published_as=pairs.published_as,
        models=models,
        comparisons=(compare(*models),),
        notes=("Weights were trained on other data: unrestricted, labeled outside data.",),
        person_count=pairs.person_count,
    )
