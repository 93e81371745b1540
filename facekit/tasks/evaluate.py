"""Evaluates models on labeled photos, and writes a report of their error rates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facekit.enums import CropRule, Flip, Profile
from facekit.errors import UsageError
from facekit.evaluation.embeddings import EmbedSettings, PhotoEmbeddings, embed_photos
from facekit.evaluation.identification import DRAWS, IdentificationOptions
from facekit.evaluation.protocols.data_set import DataSet, open_data_set
from facekit.evaluation.protocols.groups import read_groups
from facekit.evaluation.protocols.lfw import Protocol
from facekit.evaluation.protocols.plan import open_plan
from facekit.evaluation.qualities import rate_photos
from facekit.evaluation.records import EvaluationReport
from facekit.evaluation.run import ReportColumn, require_distinct, run_evaluation
from facekit.evaluation.setups import DEFAULT_PROTOCOL, SetupOptions, setups_for
from facekit.model.card import Card
from facekit.model.defaults import model_or_default
from facekit.model.store import InstalledModel
from facekit.model.variants import for_runtime
from facekit.photo.reading import PhotoFile
from facekit.reporter import SILENT, Reporter
from facekit.runtime.delegates import AcceleratorRequest, device_use
from facekit.runtime.packages import versions_with
from facekit.system.extras import require
from facekit.system.files import require_free
from facekit.tasks.build import ensure_installed
from facekit.tasks.open_pipeline import PipelineRequest
from facekit.tasks.open_pipeline import ensure_detector as ensure_installed_detector
from facekit.types import CropSpec
from facekit.version import __version__


@dataclass(frozen=True, slots=True)
class EvaluationData:
    """Which labeled photos and pairs are evaluated."""

    sources: tuple[Path, ...] = ()
    """Folders, .bin files and pair lists: see `open_data_set`.  () means LFW where scikit-learn's
    fetcher stores it."""
    protocol: str | None = None
    """A value of Protocol, for folders; None means the profile's, else devtest for LFW and folders
    for other photos."""
    photos_dir: Path | None = None
    """The folder of a list's photos that are not beside the list."""
    limit: int | None = None
    """Use only the first pairs of each kind of every fold."""


def evaluate(
    requests: Sequence[PipelineRequest],
    data: EvaluationData,
    *,
    profile: Profile | None = None,
    flip: Flip | None = None,
    subtract_mean: bool = False,
    all_pairs: bool = False,
    identification: IdentificationOptions | None = None,
    groups: Path | None = None,
    recompute: bool = False,
    workers: int | None = None,
    ray: str | None = None,
    output: Path | None = None,
    force: bool = False,
    command: str | None = None,
    reporter: Reporter = SILENT,
) -> EvaluationReport:
    """Evaluates each model on each data set, in each setup of the profile.

    requests: one per model; all but the bundle and `detect` is used.  On LFW, people stand in the
    center, so that FacePolicy.CENTER is right.  Photos of a .bin file are used whole, as
    CropRule.NONE does, if the request changes no crop rule.
    profile, flip, subtract_mean: see `facekit.evaluation.setups`.
    all_pairs: also score every pair of the photos.
    identification: also enroll people and search for the other photos; None leaves it out.
    groups: a table of the groups of photos or people, whose rates are measured too.
    recompute: also embed photos that are in the cache, so that times are measured.
    workers, ray: see `facekit.pipeline.photos.map_photos`.  output: folder of the report with
    figures and errors; force: replace an earlier report.  command: the command line, which the
    report shows.
    Raises UsageError, InputError, ModelError, AcceleratorError, or StorageError.
    """
    for module in ("sklearn.metrics", "scipy.stats"):
        require(module, extra="evaluate", needed_for="Evaluation")
    if output is not None:
        from facekit.evaluation.report.files import require_writable

        require_writable(output)
        require_free(output, force=force)
    table = None if groups is None else read_groups(groups)
    data_sets, plans = [], []
    for source in data.sources or (None,):
        protocol = data.protocol
        if protocol is None and profile is not None and (source is None or source.is_dir()):
            protocol = DEFAULT_PROTOCOL[profile]
        data_set = open_data_set(source, protocol=protocol, photos_dir=data.photos_dir)
        data_sets.append(data_set)
        plans.append(open_plan(data_set, data=source, limit=data.limit))
        if table is not None:
            table.assigned(plans[-1].pair_list.photos)  # refused before any photo is embedded
    for plan, data_set in zip(plans, data_sets, strict=True):
        listed = plan.pair_list
        if data_set.is_lfw_list and listed.complete and listed.published_as is None:
            reporter.note(f"{listed.name} is not LFW's published list (MD5 {listed.md5})")
    models = []
    for request in requests:
        request.accelerator.require_delegate_for_options()
        model = installed_for(request, reporter=reporter)
        models.append(embed_settings(model.card, request).measured(model))
    require_distinct(models)
    columns = [
        [
            ReportColumn(model, setup)
            for model, request in zip(models, requests, strict=True)
            for setup in setups_for(
                profile,
                model,
                SetupOptions(
                    embed_settings(model.card, request, data_set),
                    flip=flip,
                    subtract_mean=subtract_mean,
                ),
            )
        ]
        for data_set in data_sets
    ]

    def embed(
        model: InstalledModel, settings: EmbedSettings, paths: Sequence[PhotoFile]
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
        model: InstalledModel, settings: EmbedSettings, photos: Sequence[PhotoFile]
    ) -> NDArray[np.float64]:
        return rate_photos(photos, model, settings, workers=workers, ray=ray, reporter=reporter)

    # Finding the faces once more costs a fifth of embedding them: only a report shows what for.
    rating = None if output is None else rate
    report = EvaluationReport(
        created_utc=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        facekit_version=__version__,
        data_sets=tuple(
            run_evaluation(
                each,
                plan,
                embed,
                rate=rating,
                all_pairs=all_pairs,
                identification=identification,
                groups=table,
            )
            for each, plan in zip(columns, plans, strict=True)
        ),
        output=None if output is None else str(output),
        command=command,
        versions=versions_with(
            device_use(one.path, AcceleratorRequest(), None).runtime for one in models
        ),
    )
    if output is not None:
        from facekit.evaluation.report.files import write_report

        write_report(output, report, columns, plans)
    return report


def identification_options(
    identification: bool,
    *,
    gallery_sizes: Sequence[int] = (),
    enrolled_photos: int | None = None,
    draws: int | None = None,
    seed: int | None = None,
) -> IdentificationOptions | None:
    """Returns what `evaluate` takes; None means the default of each, and () half of the people.

    Raises UsageError if `identification` is False and another option is given.
    """
    given = {
        "--gallery-size": gallery_sizes or None,
        "--enrolled-photos": enrolled_photos,
        "--draws": draws,
        "--seed": seed,
    }
    named = [option for option, value in given.items() if value is not None]
    if not identification:
        if named:
            raise UsageError(f"{', '.join(named)}: these options go with --identification.")
        return None
    return IdentificationOptions(
        photos=enrolled_photos or 1,
        sizes=tuple(gallery_sizes),
        draws=draws or DRAWS,
        seed=seed or 0,
    )


def labeled_photos(
    data: Path | None, *, protocol: str | None, pairs: Path | None, lfw_protocol: Protocol
) -> DataSet:
    """Opens `pairs`, whose photos are beside it or in `data`, or else `data`; see `open_data_set`.

    Raises UsageError if both `protocol` and `pairs` name the pairs.
    """
    if pairs is None:
        return open_data_set(data, protocol=protocol, lfw_protocol=lfw_protocol)
    if protocol is not None:
        raise UsageError("--protocol and --pairs both name the pairs; pass one of them.")
    return open_data_set(pairs, photos_dir=data)


def installed_for(request: PipelineRequest, *, reporter: Reporter = SILENT) -> InstalledModel:
    """Returns the request's model in the variant for its runtime; builds a missing model first."""
    name = for_runtime(model_or_default(request.model), request.runtime)
    return ensure_installed(name, build_missing=request.build_missing, reporter=reporter)


def embed_settings(
    card: Card, request: PipelineRequest, data_set: DataSet | None = None
) -> EmbedSettings:
    """Returns the settings that turn a photo into a vector, from the request and the card.

    Photos that are crops already are used whole, if the request changes no crop rule.
    """
    assert card.crop is not None  # an embedding card always has one
    crop = request.crop.of(card.crop)
    if data_set is not None and data_set.are_crops and request.crop.rule is None:
        crop = CropSpec(CropRule.NONE, 0.0, (crop or card.crop).resize_filter)
    return EmbedSettings(
        locate=request.locate_options,
        crop=crop,
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
