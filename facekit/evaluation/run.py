"""Runs an evaluation: models, each in one or more setups, on one plan."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import starmap

import numpy as np
from numpy.typing import NDArray

from facekit.errors import UsageError
from facekit.evaluation.embeddings import EmbedSettings, PhotoEmbeddings
from facekit.evaluation.groups import common_threshold, measure_groups
from facekit.evaluation.identification import IdentificationOptions, measure_identification
from facekit.evaluation.metrics.all_pairs import score_all_pairs
from facekit.evaluation.metrics.error_rates import is_measurable
from facekit.evaluation.metrics.operating_points import operating_points
from facekit.evaluation.notes import notes_on
from facekit.evaluation.protocols.groups import GroupTable
from facekit.evaluation.protocols.plan import Plan, ThresholdOrigin
from facekit.evaluation.records import (
    DataSetReport,
    ModelIdentity,
    ModelResult,
)
from facekit.evaluation.scoring import PairScorer, rules_of, score_plan
from facekit.evaluation.setups import Centering, Setup
from facekit.evaluation.summary import compare, summarize, with_discard
from facekit.evaluation.times import StageTime, Throughput
from facekit.model.store import InstalledModel
from facekit.photo.reading import PhotoFile
from facekit.template.calibration import OperatingPoint
from facekit.types import Float32Array

Embed = Callable[[InstalledModel, EmbedSettings, Sequence[PhotoFile]], PhotoEmbeddings]
Rate = Callable[[InstalledModel, EmbedSettings, Sequence[PhotoFile]], NDArray[np.float64]]
"""Returns the unified quality score of each photo, NaN without one."""

_ALL_PAIRS_FMR = (1e-2, 1e-3, 1e-4, 1e-5, 1e-6)
_INFERENCE = "embed"


@dataclass(frozen=True, slots=True, eq=False)
class ReportColumn:
    """One column of the report: a model in one setup."""

    model: InstalledModel
    setup: Setup


def run_evaluation(
    columns: Sequence[ReportColumn],
    plan: Plan,
    embed: Embed,
    *,
    rate: Rate | None = None,
    all_pairs: bool = False,
    identification: IdentificationOptions | None = None,
    groups: GroupTable | None = None,
) -> DataSetReport:
    """Evaluates every column on one data set; embeds photos once per model and settings.

    `rate`: measures the photos' quality for the error-versus-discard characteristic; None leaves it
    out.  `identification`: also search for people among the list's photos.
    `groups`: also measure the rates of these groups of the list's people.

    Raises InputError if genuine or impostor pairs are missing, or if no photo has an embedding, and
    the errors of `measure_identification` and `GroupTable.assigned`.  Raises UsageError if
    `all_pairs`, `identification` or `groups` is given and not every pair of the photos can be
    scored, and MissingExtraError if scikit-learn or SciPy is missing.  Raises the errors of
    `embed`.
    """
    asked = {"--all-pairs": all_pairs, "--identification": identification, "--groups": groups}
    for option, value in asked.items():
        if value:
            _require_people(option, plan, columns)
    listed = plan.pair_list.photos
    group_of = groups.assigned(listed) if groups else {}
    paths = plan.paths()
    embedded: dict[tuple[str, EmbedSettings], PhotoEmbeddings] = {}
    results = []
    for column in columns:
        key = (column.model.card.file_sha256, column.setup.settings)
        if key not in embedded:
            embedded[key] = embed(column.model, column.setup.settings, paths)
        result = _result(
            column,
            plan,
            embedded[key],
            all_pairs=all_pairs,
            identification=identification,
            group_of=group_of,
        )
        if rate is not None:
            names = [photo.path for photo in plan.pair_list.photos]
            files = [plan.files[name] for name in names]
            qualities = rate(column.model, column.setup.settings, files)
            result = with_discard(result, dict(zip(names, qualities, strict=True)))
        results.append(result)
    first_of = {column.setup.name: number for number, column in reversed(list(enumerate(columns)))}
    comparisons = [
        (results[first_of[column.setup.name]], result)
        for number, (column, result) in enumerate(zip(columns, results, strict=True))
        if first_of[column.setup.name] != number
    ]
    return DataSetReport(
        dataset=plan.dataset,
        protocol=plan.protocol,
        list_name=plan.pair_list.name,
        list_md5=plan.pair_list.md5,
        list_published_as=plan.pair_list.published_as,
        models=tuple(results),
        comparisons=tuple(starmap(compare, comparisons)),
        notes=(
            *notes_on(plan, [column.setup for column in columns], results),
            *(groups.notes(listed, group_of) if groups else ()),
        ),
        threshold_list_name=None if plan.training is None else plan.training.name,
        person_count=plan.pair_list.person_count,
    )


def _result(
    column: ReportColumn,
    plan: Plan,
    embeddings: PhotoEmbeddings,
    *,
    all_pairs: bool,
    identification: IdentificationOptions | None,
    group_of: Mapping[str, str],
) -> ModelResult:
    card, setup = column.model.card, column.setup
    start = time.perf_counter()
    view_mean, template_mean = setup.card_means(card)
    scorer = PairScorer(
        plan.photos,
        embeddings,
        flip=setup.flip,
        mean=view_mean,
        template_mean=template_mean,
    )
    scored = score_plan(plan, setup, scorer, card)
    scoring_s = time.perf_counter() - start
    listed = {photo.path for photo in plan.pair_list.photos}
    vectors, rows = scorer.vectors_of(plan.pair_list.photos, mean=scored.mean)
    photos = [plan.pair_list.photos[row] for row in rows]
    people = [photo.person or "" for photo in photos]
    result = summarize(
        ModelIdentity(
            name=card.name,
            variant=card.variant,
            file_sha256=card.file_sha256,
            file_size_bytes=card.file_size_bytes,
            profile=setup.described(column.model),
            setup=setup.name,
            measured_by=card.calibration.measured_by,
        ),
        plan.pair_list,
        scored.similarities,
        fold_threshold_similarities=scored.fold_threshold_similarities,
        threshold_origin=scored.origin,
        failures=tuple(
            failure
            for failure in embeddings.failures([photo.path for photo in plan.photos])
            if failure.name in listed
        ),
        stages=_stage_times(embeddings),
        all_pairs=_all_pairs(plan, vectors, people) if all_pairs else (),
        val=scored.val,
        throughput=_throughput(embeddings, scoring_s),
    )
    if identification is not None:
        found = measure_identification(
            vectors,
            people,
            photos=identification.photos,
            sizes=identification.sizes,
            rules=rules_of(setup, card),
            draws=identification.draws,
            seed=identification.seed,
        )
        result = replace(result, identification=found)
    if group_of:
        decided, origin = scored.fold_threshold_similarities, scored.origin
        threshold = common_threshold(setup, card, decided, origin)
        result = replace(result, groups=measure_groups(vectors, photos, group_of, threshold))
    return result


def _all_pairs(
    plan: Plan, vectors: Float32Array, people: Sequence[str]
) -> tuple[OperatingPoint, ...]:
    pairs = score_all_pairs(vectors, people)
    return operating_points(
        pairs,
        protocol=f"every pair of the photos of {plan.pair_list.name}",
        dataset=plan.dataset,
        fmr_targets=tuple(fmr for fmr in _ALL_PAIRS_FMR if is_measurable(fmr, pairs.n_impostor)),
    )


def _require_people(option: str, plan: Plan, columns: Sequence[ReportColumn]) -> None:
    if any(photo.person is None for photo in plan.pair_list.photos):
        raise UsageError(
            f"{option} needs to know whose photos they are, and {plan.pair_list.name} names no "
            "people: add the columns person_a and person_b."
        )
    by_fold = plan.origin is ThresholdOrigin.OTHER_FOLDS
    if by_fold and any(column.setup.centering is Centering.TRAINING for column in columns):
        raise UsageError(
            f"{option} goes with one mean embedding; with --subtract-mean (and --profile "
            "facenet) each fold has its own. Leave one of them out."
        )


def _stage_times(embeddings: PhotoEmbeddings) -> tuple[StageTime, ...]:
    return tuple(
        StageTime(stage, float(np.median(spent)), float(np.percentile(spent, 95)), len(spent))
        for stage, spent in embeddings.stage_ms.items()
    )


def _throughput(embeddings: PhotoEmbeddings, scoring_s: float) -> Throughput | None:
    if not embeddings.computed:
        return None
    spent = {stage: float(times.sum()) / 1e3 for stage, times in embeddings.stage_ms.items()}
    inference_s = spent.pop(_INFERENCE, 0.0)
    return Throughput(
        photo_count=embeddings.computed,
        workers=embeddings.workers,
        wall_s=embeddings.wall_s,
        pre_processing_s=sum(spent.values()),
        inference_s=inference_s,
        post_processing_s=scoring_s,
    )


def require_distinct(models: Sequence[InstalledModel]) -> None:
    """Raises UsageError if the same model file occurs twice."""
    seen = [model.card.file_sha256 for model in models]
    if len(set(seen)) != len(seen):
        raise UsageError("Each --model once. The same file was named twice.")
