"""Measures, from Python, how accurate a model is, and its thresholds."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from facekit.api.arguments import choice, optional_choice, optional_path, pipeline_request
from facekit.enums import FacePolicy, Flip, Profile
from facekit.errors import UsageError
from facekit.evaluation.metrics.operating_points import DEFAULT_FMR_TARGETS
from facekit.evaluation.records import EvaluationReport
from facekit.reporter import SILENT, Reporter
from facekit.tasks import calibrate as calibrate_task
from facekit.tasks import evaluate as evaluate_task
from facekit.tasks import evaluate_liveness as liveness_task
from facekit.tasks.calibrate import CalibratedModel
from facekit.tasks.evaluate import EvaluationData
from facekit.tasks.evaluate_liveness import LivenessReport
from facekit.tasks.open_pipeline import PipelineRequest


def evaluate(
    models: Sequence[str | Path] = (),
    *,
    data: str | Path | Sequence[str | Path] = (),
    protocol: str | None = None,
    pairs: str | Path | None = None,
    profile: Profile | str | None = None,
    flip: Flip | str | None = None,
    subtract_mean: bool = False,
    all_pairs: bool = False,
    identification: bool = False,
    gallery_sizes: Sequence[int] = (),
    enrolled_photos: int | None = None,
    draws: int | None = None,
    seed: int | None = None,
    groups: str | Path | None = None,
    limit: int | None = None,
    recompute: bool = False,
    workers: int | None = None,
    output: str | Path | None = None,
    force: bool = False,
    face: FacePolicy | str = FacePolicy.CENTER,
    request: PipelineRequest | None = None,
    reporter: Reporter = SILENT,
) -> EvaluationReport:
    """Measures how accurate models are on labeled photos, as `facekit evaluate` does.

    `models`: names or files; none means the default model.  `data`: a data set or several: a folder
    with a folder of photos for each person, LFW's folder, a .bin file of insightface, or a pair
    list; none means LFW where `fetch_lfw` stores it.  `protocol`: devtrain, devtest, view1, view2,
    fold1 of LFW, or folders; None means devtest of LFW, else folders.  `pairs`: a pair list whose
    photos are beside it or in `data`.
    `profile`: the evaluation of another system, as its authors run it.  `flip`: whether the mirror
    image counts, instead of the card's rule.  `subtract_mean`: center about the mean of the pairs
    that the threshold is chosen on.  `all_pairs`: also measure rates over all pairs of the photos.
    `identification`: also enroll people and search for their other photos and for strangers, in
    galleries of `gallery_sizes` people, with `enrolled_photos` photos each, drawn `draws` times by
    `seed`; the defaults are half of the people, 1, 6 and 0.
    `groups`: a table of the groups of photos or people, whose error rates are measured too.
    `limit`: use only the first pairs of each kind of every fold.  `recompute`: also embed photos
    that are in the cache.  `workers`: number of processes; None chooses it by the number of photos.
    `output`: a folder for the report; `force`: replace an earlier report.  `face`: on LFW, people
    stand in the center.
    Raises InputError, PairListError, UsageError, ModelError, AcceleratorError, or StorageError.
    """
    sources = tuple(map(Path, (data,) if isinstance(data, (str, Path)) else data))
    if pairs is not None and len(sources) > 1:
        raise UsageError(f"A pair list's photos are in one folder. Received: {len(sources)}")
    photos_dir = sources[0] if pairs is not None and sources else None
    return evaluate_task.evaluate(
        [pipeline_request(model, face, request) for model in models or (None,)],
        EvaluationData(
            sources if pairs is None else (Path(pairs),),
            protocol=protocol,
            photos_dir=photos_dir,
            limit=limit,
        ),
        profile=optional_choice(Profile, profile, "profile"),
        flip=optional_choice(Flip, flip, "flip"),
        subtract_mean=subtract_mean,
        all_pairs=all_pairs,
        identification=evaluate_task.identification_options(
            identification,
            gallery_sizes=gallery_sizes,
            enrolled_photos=enrolled_photos,
            draws=draws,
            seed=seed,
        ),
        groups=optional_path(groups),
        recompute=recompute,
        workers=workers,
        output=optional_path(output),
        force=force,
        reporter=reporter,
    )


def evaluate_liveness(
    folder: str | Path,
    *,
    liveness_model: str | Path,
    face: FacePolicy | str = FacePolicy.LARGEST,
    request: PipelineRequest | None = None,
    reporter: Reporter = SILENT,
) -> LivenessReport:
    """Measures a presentation attack detector: APCER for each species, BPCER, non-responses.

    `folder`: it holds the folder bona-fide and a folder for each species of attack, whose name is
    that of the species.  `liveness_model`: name, "name:variant", or a file with its card beside it.
    `face`: which face of a photo is classified.  The rates are those of ISO/IEC 30107-3, and hold
    for these photos alone.
    Raises InputError, UsageError, ModelError, or MissingExtraError.
    """
    return liveness_task.evaluate_liveness(
        Path(folder),
        os.fspath(liveness_model),
        request=pipeline_request(None, face, request),
        reporter=reporter,
    )


def calibrate(
    model: str | Path | None = None,
    *,
    data: str | Path | None = None,
    protocol: str | None = None,
    pairs: str | Path | None = None,
    fmr: Sequence[float] = DEFAULT_FMR_TARGETS,
    write: bool = False,
    output: str | Path | None = None,
    force: bool = False,
    workers: int | None = None,
    face: FacePolicy | str = FacePolicy.CENTER,
    request: PipelineRequest | None = None,
    reporter: Reporter = SILENT,
) -> CalibratedModel:
    """Measures thresholds for given false match rates, and the probability that belongs to a score.

    `data`, `protocol`, `pairs`: as in `evaluate`, of one data set; of LFW, `protocol` None means
    devtrain.  `fmr`: false match rates, 0..1.  `write`: write into the model's card; galleries then
    need `recenter`.  `output`: write a calibration file; `force`: replace an existing one.
    Raises InputError if there are too few photos or people, UsageError for an FMR that is too low
    for the number of pairs, ModelError, or StorageError.
    """
    return calibrate_task.calibrate(
        replace(pipeline_request(model, None, request), face=choice(FacePolicy, face, "face")),
        data=optional_path(data),
        protocol=protocol,
        pairs=optional_path(pairs),
        fmr=fmr,
        write=write,
        output=optional_path(output),
        force=force,
        workers=workers,
        reporter=reporter,
    )
