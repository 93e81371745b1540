"""The records of an evaluation, from which report, plots and JSON are made."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

from facekit.enums import MeasuredBy, Metric
from facekit.evaluation.groups import GroupResult
from facekit.evaluation.identification import Identification
from facekit.evaluation.metrics.discard import DiscardPoint
from facekit.evaluation.metrics.intervals import binomial_ci95
from facekit.evaluation.protocols.plan import ThresholdOrigin
from facekit.evaluation.times import StageTime, Throughput
from facekit.pipeline.photos import PhotoFailure
from facekit.template.calibration import OperatingPoint
from facekit.template.metrics import distance

SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True)
class Rate:
    """A share of counted trials; `rate` computes one."""

    value: float
    event_count: int
    trial_count: int
    ci95: tuple[float, float]
    """Exact 95 % binomial interval, which assumes independent trials."""


def rate(event_count: int, trial_count: int) -> Rate:
    """Returns event_count / trial_count with its interval.

    Raises ZeroDivisionError if there are no trials, because no share must then be shown.
    """
    value = event_count / trial_count
    return Rate(value, event_count, trial_count, binomial_ci95(event_count, trial_count))


@dataclass(frozen=True, slots=True)
class ScoredPair:
    fold: int
    """Number of the fold, from 1."""
    line: int
    a: str
    b: str
    same: bool
    threshold_similarity: float
    similarity: float | None
    """Cosine similarity, -1..1; None if one of the photos has no embedding."""

    @property
    def called_same(self) -> bool | None:
        return None if self.similarity is None else self.similarity >= self.threshold_similarity

    @property
    def right(self) -> bool:
        """True if the decision is right; False for a pair without a score."""
        return self.called_same is self.same


@dataclass(frozen=True, slots=True)
class ModelIdentity:
    name: str
    variant: str
    """The model's variant, e.g. float32, float16 or int8."""
    file_sha256: str
    file_size_bytes: int
    profile: str
    """Preprocessing, crop and the other settings that change vectors, in one line for readers."""
    setup: str = ""
    """Distinguishes this result from others of the same model; "" if it is the only one."""
    measured_by: MeasuredBy = MeasuredBy.CARD_MAKER
    """Who measured the thresholds of the model's card."""

    @property
    def full_name(self) -> str:
        """ "name:variant", as JSON names a model."""
        return f"{self.name}:{self.variant}"

    @property
    def label(self) -> str:
        setup = f", {self.setup}" if self.setup else ""
        return f"{self.name} {self.variant}{setup}"


@dataclass(frozen=True, slots=True)
class TarPoint:
    """TAR at a target FMR; the threshold is chosen on the same pairs, as FMR tables usually do."""

    target_fmr: float
    threshold_similarity: float | None
    """None, like both rates, if there are too few impostor pairs for the target (rule of three)."""
    tar: Rate | None
    fmr: Rate | None


@dataclass(frozen=True, slots=True)
class ValAtFar:
    """facenet's VAL: TAR of held-out folds, at the threshold chosen from the other folds."""

    target_far: float
    val_mean: float
    val_std: float
    far_mean: float
    measurable: bool
    """False if the other folds have too few impostor pairs for the target (rule of three)."""


@dataclass(frozen=True, slots=True)
class ModelResult:
    """The result of one model on one pair list."""

    model: ModelIdentity
    threshold_origin: ThresholdOrigin
    accuracy: Rate
    """Accuracy on the pairs that have a score."""
    accuracy_ci95_by_identity: tuple[float, float] | None
    """95 % bootstrap interval over people; None if the list does not name people."""
    accuracy_failures_wrong: Rate
    """Accuracy on all pairs; a pair without a score counts as an error."""
    fmr: Rate
    fnmr: Rate
    far: Rate
    """FMR of a system that rejects people without an embedding: such pairs count as non-matches."""
    frr: Rate
    """FNMR of such a system: genuine pairs without a score count as errors."""
    fold_accuracies: tuple[float, ...]
    fold_threshold_similarities: tuple[float, ...]
    auc: float
    eer: float
    tar_at_fmr: tuple[TarPoint, ...]
    failures: tuple[PhotoFailure, ...]
    photo_count: int
    stages: tuple[StageTime, ...]
    all_pairs: tuple[OperatingPoint, ...]
    """Operating points over every pair of the photos; () if these were not requested."""
    pairs: tuple[ScoredPair, ...]
    """The pairs in the order of the list; they are written to pairs.csv, not to the JSON."""
    val: ValAtFar | None = None
    """None if the list is not scored by folds."""
    throughput: Throughput | None = None
    """None if every embedding came from the cache."""
    error_versus_discard: tuple[DiscardPoint, ...] = ()
    """FNMR after discarding by quality; () where quality was not measured."""
    identification: Identification | None = None
    """None unless it was requested."""
    groups: GroupResult | None = None
    """None unless groups were given."""

    def to_dict(self) -> dict[str, Any]:
        """Returns plain values, without the single pairs; thresholds also as cosine distances."""
        plain = asdict(replace(self, pairs=(), failures=()))
        del plain["pairs"], plain["failures"]
        identity = self.model
        return {
            **plain,
            "model": identity.full_name,
            "model_sha256": identity.file_sha256,
            "model_size_bytes": identity.file_size_bytes,
            "profile": identity.profile,
            "setup": identity.setup or None,
            "threshold_origin": self.threshold_origin.value,
            "measured_by": identity.measured_by.value
            if self.threshold_origin is ThresholdOrigin.CARD
            else None,
            "fold_thresholds": [_distance(one) for one in self.fold_threshold_similarities],
            "tar_at_fmr": [
                {**point, "threshold": _distance(point["threshold_similarity"])}
                for point in plain["tar_at_fmr"]
            ],
            "all_pairs": [
                {**point, "threshold": _distance(point["threshold_similarity"])}
                for point in plain["all_pairs"]
            ],
            "error_versus_discard": [point.to_dict() for point in self.error_versus_discard],
            "groups": self.groups and self.groups.to_dict(),
            "failed": [failure.to_dict() for failure in self.failures],
        }

    @property
    def fold_accuracy_mean(self) -> float:
        return sum(self.fold_accuracies) / len(self.fold_accuracies)

    @property
    def fold_accuracy_std(self) -> float:
        """Population standard deviation, as in facenet."""
        mean = self.fold_accuracy_mean
        squares = sum((fold - mean) ** 2 for fold in self.fold_accuracies)
        return float((squares / len(self.fold_accuracies)) ** 0.5)


@dataclass(frozen=True, slots=True)
class ModelComparison:
    """Two models compared on the same pairs; a pair without a score counts as wrong."""

    a: str
    b: str
    pair_count: int
    only_a_right_count: int
    only_b_right_count: int
    p_value: float
    """P-value of the exact two-sided McNemar test that both are right equally often."""


@dataclass(frozen=True, slots=True)
class DataSetReport:
    """The results of all models on one data set."""

    dataset: str
    protocol: str
    list_name: str
    list_md5: str
    list_published_as: str | None
    """Name of the published LFW list with this MD5; None for another list, whose figures cannot be
    compared with published ones."""
    models: tuple[ModelResult, ...]
    comparisons: tuple[ModelComparison, ...]
    notes: tuple[str, ...]
    """Sentences that a reader needs to read the figures correctly."""
    threshold_list_name: str | None = None
    """Name of the list from which thresholds were chosen; None if no other list was used."""
    person_count: int | None = None
    """Number of people in the list's photos; None if the list does not name people."""

    @property
    def title(self) -> str:
        return f"{self.protocol} on {self.dataset}"

    def to_dict(self) -> dict[str, Any]:
        """Returns plain values, without the single pairs."""
        plain = asdict(replace(self, models=()))
        return {**plain, "title": self.title, "models": [model.to_dict() for model in self.models]}


@dataclass(frozen=True, slots=True)
class EvaluationReport:
    """The results of all models on all data sets."""

    created_utc: str
    """Time in ISO 8601."""
    facekit_version: str
    data_sets: tuple[DataSetReport, ...]
    output: str | None = None
    """Folder of the report's files; None if no files were written."""
    command: str | None = None
    """The command line that made it, in words for a shell; None if no command did."""
    versions: tuple[tuple[str, str], ...] = ()
    """Name and version of Python and of the packages that compute embeddings and scores."""

    @property
    def title(self) -> str:
        return ", ".join(one.title for one in self.data_sets)

    def below(self, least: float) -> tuple[str, ...]:
        """Returns the results whose accuracy, with failures wrong, is below `least`."""
        return tuple(
            f"{model.model.label} on {one.dataset}"
            for one in self.data_sets
            for model in one.models
            if model.accuracy_failures_wrong.value < least
        )

    def to_dict(self) -> dict[str, Any]:
        """Returns plain values, without the single pairs."""
        return {
            "created_utc": self.created_utc,
            "facekit_version": self.facekit_version,
            "output": self.output,
            "command": self.command,
            "versions": dict(self.versions),
            "data_sets": [one.to_dict() for one in self.data_sets],
        }

    def __repr__(self) -> str:
        return f"EvaluationReport({self.title!r})"


def _distance(similarity: float | None) -> float | None:
    return None if similarity is None else distance(similarity, Metric.COSINE)
