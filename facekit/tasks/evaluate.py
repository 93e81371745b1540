"""Evaluates models on labeled photos, and writes a report of their error rates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facekit.enums import CropRule, Flip, Profile
from facekit.errors import UsageError
from facekit.evaluation.embeddings import EmbedSettings, PhotoEmbeddings, embed_photos
from facekit.evaluation.protocols.plan import open_plan
from facekit.evaluation.qualities import rate_photos
from facekit.evaluation.records import EvaluationReport
from facekit.evaluation.run import ReportColumn, require_distinct, run_evaluation
from facekit.evaluation.setups import DEFAULT_PROTOCOL, SetupOptions, setups_for
from facekit.model.card import Card
from facekit.model.defaults import model_or_default
from facekit.model.store import InstalledModel
from facekit.model.variants import for_runtime
from facekit.reporter import SILENT, Reporter
from facekit.system.extras import require
from facekit.system.files import require_free
from facekit.tasks.build import ensure_installed
from facekit.tasks.open_pipeline import PipelineRequest
from facekit.tasks.open_pipeline import ensure_detector as ensure_installed_detector


def evaluate(
    requests: Sequence[PipelineRequest],
    *,
    data: Path | None = None,
    protocol: str | None = None,
    pairs: Path | None = None,
    profile: Profile | None = None,
    flip: Flip | None = None,
    subtract_mean: bool = False,
    all_pairs: bool = False,
    limit: int | None = None,
    recompute: bool = False,
    workers: int | None = None,
    ray: str | None = None,
    output: Path | None = None,
    force: bool = False,
    reporter: Reporter = SILENT,
) -> EvaluationReport:
    """Evaluates each model on one list of pairs, in each setup of the profile.

    requests: one per model; only model, face policy, crop, detector, limits and runtime are used.
    On LFW, people stand in the center, so that FacePolicy.CENTER is right.
    protocol, pairs, data: see `facekit.evaluation.protocols.plan.open_list`; protocol None means
    the profile's, else devtest.  profile, flip, subtract_mean: see `facekit.evaluation.setups`.
    all_pairs: also score every pair of the photos.  limit: use only the first pairs of each kind of
    every fold.  recompute: also embed photos that are in the cache, so that times are measured.
    workers, ray: see `facekit.pipeline.photos.map_photos`.  output: folder of the report with
    figures and errors; force: replace an earlier report.
    Raises UsageError, InputError, ModelError, or StorageError.
    """
    if protocol is not None and pairs is not None:
        raise UsageError("--protocol and --pairs both name the pairs; pass one of them.")
    for module in ("sklearn.metrics", "scipy.stats"):
        require(module, extra="evaluate", needed_for="Evaluation")
    if output is not None:
        from facekit.evaluation.report.files import require_writable

        require_writable(output)
        require_free(output, force=force)
    plan = open_plan(
        data=data,
        protocol=protocol or DEFAULT_PROTOCOL[profile],
        pairs_file=pairs,
        limit=limit,
    )
    listed = plan.pair_list
    if listed.complete and listed.published_as is None and pairs is None:
        reporter.note(f"{listed.name} is not LFW's published list (MD5 {listed.md5})")
    models = []
    for request in requests:
        model = installed_for(request, reporter=reporter)
        models.append(embed_settings(model.card, request).measured(model))
    require_distinct(models)
    columns = [
        ReportColumn(model, setup)
        for model, request in zip(models, requests, strict=True)
        for setup in setups_for(
            profile,
            model,
            SetupOptions(
                embed_settings(model.card, request), flip=flip, subtract_mean=subtract_mean
            ),
        )
    ]

    def embed(
        model: InstalledModel, settings: EmbedSettings, paths: Sequence[Path]
    ) -> PhotoEmbeddings:
        ensure_detector(model, settings, reporter=reporter)
        return embed_photos(
            paths,
            model,
            settings,
            workers=workers,
            ray=ray,
            recompute=recompute,
            reporter=reporter,
        )

    def rate(
        model: InstalledModel, settings: EmbedSettings, paths: Sequence[Path]
    ) -> NDArray[np.float64]:
        return rate_photos(paths, model, settings, workers=workers, ray=ray, reporter=reporter)

    # Finding the faces once more costs a fifth of embedding them: only a report shows what for.
    report = run_evaluation(
        columns, plan, embed, rate=None if output is None else rate, all_pairs=all_pairs
    )
    if output is not None:
        from facekit.evaluation.report.files import write_report

        report = replace(report, output=str(output))
        write_report(output, report, columns, plan.folder)
    return report


def installed_for(request: PipelineRequest, *, reporter: Reporter = SILENT) -> InstalledModel:
    """Returns the request's model in the variant for its runtime; builds a missing model first."""
    name = for_runtime(model_or_default(request.model), request.runtime)
    return ensure_installed(name, build_missing=request.build_missing, reporter=reporter)


def embed_settings(card: Card, request: PipelineRequest) -> EmbedSettings:
    """Returns the settings that turn a photo into a vector, from the request and the card."""
    assert card.crop is not None  # an embedding card always has one
    return EmbedSettings(
        locate=request.locate_options,
        crop=request.crop.of(card.crop),
        mirrored=card.flip is not Flip.NONE,
    )


def ensure_detector(
    model: InstalledModel, settings: EmbedSettings, *, reporter: Reporter = SILENT
) -> None:
    """Builds the detector if it is missing and the settings need one."""
    if settings.crop_of(model).rule is not CropRule.NONE:
        ensure_installed_detector(
            settings.locate.detector or model.card.detector, reporter=reporter
        )
