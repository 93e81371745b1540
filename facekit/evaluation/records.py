"""What an evaluation found, as records that report, plots and JSON are made from."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import asdict, dataclass, replace
from typing import Any

from facekit.evaluation.metrics.intervals import binomial_ci95
from facekit.evaluation.protocols.plan import ThresholdOrigin
from facekit.template.calibration import OperatingPoint

SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True)
class Rate:
    """A share of counted trials.  `rate` makes one."""

    value: float
    n_events: int
    n_trials: int
    ci95: tuple[float, float]
    """exact binomial interval, which takes trials as independent"""


def rate(n_events: int, n_trials: int) -> Rate:
    """Raises ZeroDivisionError without trials: a rate of nothing must not be shown."""
    return Rate(n_events / n_trials, n_events, n_trials, binomial_ci95(n_events, n_trials))


@dataclass(frozen=True, slots=True)
class ScoredPair:
    fold: int
    """from 1"""
    line: int
    a: str
    b: str
    same: bool
    threshold: float
    similarity: float | None
    """None where one of the photos gave no embedding"""

    @property
    def called_same(self) -> bool | None:
        return None if self.similarity is None else self.similarity >= self.threshold

    @property
    def right(self) -> bool:
        """A pair without a score is not right."""
        return self.called_same is self.same


@dataclass(frozen=True, slots=True)
class ModelIdentity:
    name: str
    variant: str
    """float32, float16, int8, ..."""
    file_sha256: str
    file_size_bytes: int
    profile: str
    """preprocessing, crop and whatever else decides the vectors, in a line for readers"""
    setup: str = ""
    """what tells this result from others of the same model, or "" """

    @property
    def label(self) -> str:
        setup = f", {self.setup}" if self.setup else ""
        return f"{self.name} {self.variant}{setup}"


@dataclass(frozen=True, slots=True)
class TarPoint:
    """TAR at a target FMR, the threshold chosen on the same pairs (as FMR tables always do)."""

    target_fmr: float
    threshold: float | None
    """None, as both rates, where the impostor pairs cannot carry the target (rule of three)"""
    tar: Rate | None
    fmr: Rate | None


@dataclass(frozen=True, slots=True)
class FailedPhoto:
    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class StageTime:
    """Time a photo or a pair spends in a stage, in milliseconds."""

    stage: str
    median_ms: float
    p95_ms: float
    n: int


@dataclass(frozen=True, slots=True)
class ValAtFar:
    """facenet's VAL: TAR of held-out folds, at the threshold that the other folds set."""

    target_far: float
    val_mean: float
    val_std: float
    far_mean: float
    measurable: bool
    """False where the other folds' impostor pairs cannot carry the target (rule of three)"""


@dataclass(frozen=True, slots=True)
class Throughput:
    """What the photos took that were embedded in this run; one picture a batch, as LiteRT has it.

    Pre-processing is decoding, detection and cropping; post-processing is scoring.
    """

    n_photos: int
    workers: int | None
    """None where a Ray cluster decided"""
    wall_s: float
    """of pre-processing and inference, workers' start included"""
    pre_processing_s: float
    """added up over workers, as inference"""
    inference_s: float
    post_processing_s: float

    @property
    def photos_per_s(self) -> float:
        return self.n_photos / self.wall_s

    @property
    def crew(self) -> str:
        """Who embedded, in words."""
        return "a Ray cluster" if self.workers is None else f"{self.workers} workers"


@dataclass(frozen=True, slots=True)
class ModelResult:
    """One model on one pair list."""

    model: ModelIdentity
    threshold_origin: ThresholdOrigin
    accuracy: Rate
    """of the pairs that have a score"""
    accuracy_ci95_by_identity: tuple[float, float] | None
    """bootstrap over people; None where the list does not name them"""
    accuracy_failures_wrong: Rate
    """of all pairs: one without a score counts as an error"""
    fmr: Rate
    fnmr: Rate
    far: Rate
    """FMR of a system that rejects who has no embedding: such pairs count, and are no match"""
    frr: Rate
    """FNMR of that system: such pairs count, and are missed"""
    fold_accuracies: tuple[float, ...]
    fold_thresholds: tuple[float, ...]
    auc: float
    eer: float
    tar_at_fmr: tuple[TarPoint, ...]
    failed_photos: tuple[FailedPhoto, ...]
    n_photos: int
    stages: tuple[StageTime, ...]
    all_pairs: tuple[OperatingPoint, ...]
    """operating points over every pair of the photos, if these were asked for"""
    pairs: tuple[ScoredPair, ...]
    """in file order; they go to pairs.csv, not into the JSON"""
    val: ValAtFar | None = None
    """None where the list is not scored by folds"""
    throughput: Throughput | None = None
    """None where every embedding came from the cache"""

    @property
    def fold_accuracy_mean(self) -> float:
        return sum(self.fold_accuracies) / len(self.fold_accuracies)

    @property
    def fold_accuracy_std(self) -> float:
        """Population standard deviation, as facenet has it."""
        mean = self.fold_accuracy_mean
        squares = sum((fold - mean) ** 2 for fold in self.fold_accuracies)
        return float((squares / len(self.fold_accuracies)) ** 0.5)


@dataclass(frozen=True, slots=True)
class ModelComparison:
    """Two models on the same pairs; a pair without a score is wrong."""

    a: str
    b: str
    n_pairs: int
    only_a_right: int
    only_b_right: int
    p_value: float
    """exact two-sided McNemar test that both are equally often right"""


@dataclass(frozen=True, slots=True)
class EvaluationReport:
    title: str
    created_utc: str
    """ISO 8601"""
    facekit_version: str
    dataset: str
    protocol: str
    list_name: str
    list_md5: str
    list_published_as: str | None
    """LFW's list with this MD5, or None: then the figures are not comparable with published ones"""
    models: tuple[ModelResult, ...]
    comparisons: tuple[ModelComparison, ...]
    notes: tuple[str, ...]
    """what a reader must know to read the figures rightly"""
    threshold_list_name: str | None = None
    """the list that thresholds were chosen on; None where it was not another than the scored one"""

    def below(self, least: float) -> tuple[str, ...]:
        """The labels of the results below `least` (0..1), failures counted as errors."""
        return tuple(
            one.model.label for one in self.models if one.accuracy_failures_wrong.value < least
        )

    def to_dict(self) -> dict[str, Any]:
        """All but the single pairs, in plain values."""
        bare = replace(self, models=tuple(replace(model, pairs=()) for model in self.models))
        plain = asdict(bare)
        for model in plain["models"]:
            del model["pairs"]
            model["threshold_origin"] = model["threshold_origin"].value
        return plain

    def __repr__(self) -> str:
        return f"EvaluationReport({self.title!r}, {', '.join(m.model.label for m in self.models)})"


def report_json(report: EvaluationReport) -> str:
    """All but the single pairs, with `schema_version`."""
    whole = {"schema_version": SCHEMA_VERSION, **report.to_dict()}
    return json.dumps(whole, indent=1, allow_nan=False) + "\n"


def pairs_csv(report: EvaluationReport) -> str:
    """A line a pair and model; `similarity` and `called_same` are empty where there is no score."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(
        ["model", "fold", "line", "a", "b", "same", "similarity", "threshold", "called_same"]
    )
    for model in report.models:
        for pair in model.pairs:
            called = "" if pair.called_same is None else int(pair.called_same)
            writer.writerow(
                [model.model.label, pair.fold, pair.line, pair.a, pair.b, int(pair.same),
                 pair.similarity, pair.threshold, called]
            )  # fmt: skip
    return text.getvalue()
