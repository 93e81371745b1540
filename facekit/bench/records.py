"""Records of the results of a benchmark by facekit, or by TensorFlow Lite's benchmark_model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import Enum
from typing import Any

import numpy as np

from facekit.enums import Stage
from facekit.system.fields import Fields, blanks_to_null

SCHEMA_VERSION = 1
"""Version of a result in a file."""


@dataclass(frozen=True, slots=True)
class Spread:
    """Times of repeated runs, in milliseconds; None for a value that a log does not state."""

    count: int
    mean_ms: float
    min_ms: float | None = None
    median_ms: float | None = None
    p95_ms: float | None = None
    max_ms: float | None = None
    std_ms: float | None = None
    p5_ms: float | None = None
    first_ms: float | None = None
    last_ms: float | None = None

    def __post_init__(self) -> None:
        if self.count < 1:
            raise ValueError(f"count must be at least 1. Received: {self.count}")

    @property
    def typical_ms(self) -> float:
        """The median, or the mean if there is no median."""
        return self.mean_ms if self.median_ms is None else self.median_ms


def spread(milliseconds: Sequence[float]) -> Spread:
    """Returns the spread of at least one time.

    The standard deviation is the population's (divided by N), as in benchmark_model.
    """
    times = np.asarray(milliseconds, np.float64)
    p5, median, p95 = (float(value) for value in np.quantile(times, (0.05, 0.5, 0.95)))
    return Spread(
        count=len(times),
        mean_ms=float(times.mean()),
        min_ms=float(times.min()),
        median_ms=median,
        p95_ms=p95,
        max_ms=float(times.max()),
        std_ms=float(times.std()),
        p5_ms=p5,
        first_ms=float(times[0]),
        last_ms=float(times[-1]),
    )


class DelegateUse(str, Enum):
    """The use of the requested delegate."""

    NOT_ASKED = "not asked for"
    USED = "used"
    PARTLY = "partly used"
    UNUSED = "not used"


@dataclass(frozen=True, slots=True)
class DelegateReport:
    use: DelegateUse
    name: str = ""
    """The delegate's library or name in the log, or ONNX Runtime's execution providers."""
    delegated_operator_count: int | None = None
    """Number of operators that the delegate accepted."""
    operator_count: int | None = None
    """Number of all operators of the model."""
    evidence: tuple[str, ...] = ()
    """Lines of the log, or messages of the runtime, from which the other fields were derived."""

    @property
    def was_asked_for(self) -> bool:
        return self.use is not DelegateUse.NOT_ASKED

    def to_dict(self) -> dict[str, Any]:
        plain = {**asdict(self), "use": self.use.value, "evidence": list(self.evidence)}
        return blanks_to_null(plain, "name")


@dataclass(frozen=True, slots=True)
class Measurement:
    """The times of one stage of one model in one setting."""

    model: str
    """"name:variant", or the file's name in a log."""
    model_sha256: str | None
    """None if a log does not state it."""
    stage: Stage
    threads: int | None
    batch: int
    workers: int
    load_ms: float | None
    """Milliseconds from the file's path to a network that can run."""
    first_ms: float | None
    """Milliseconds of the first run, which packs weights and touches memory for the first time."""
    warmup: Spread | None
    """Times of the runs between the first run and `runs`, which are not part of the result."""
    runs: Spread
    photos_per_s: float | None
    """Photos per second of all workers together; None for a stage without photos."""
    peak_rss_bytes: int | None
    """Largest resident set of one worker."""
    macs: int | None
    """Multiply-accumulates for one photo in convolutions and fully connected layers."""
    gflops: float | None
    """2e-9 * macs per second, all workers together; the mirror image counts as a photo."""
    peak_fraction: float | None
    """`gflops` divided by the GFLOP/s of a float32 matrix product with as many threads.

    The fraction of an integer model can exceed 1.
    """
    delegate: DelegateReport

    @property
    def setting(self) -> tuple[Stage, int | None, int, int]:
        return self.stage, self.threads, self.batch, self.workers

    def tool_times(self) -> dict[str, float | None]:
        """Returns the times with the names and the unit (microseconds) of benchmark_model."""
        runs = self.runs
        fields = {
            "Init": self.load_ms,
            "First inference": self.first_ms,
            "Warmup (avg)": self.warmup.mean_ms if self.warmup else None,
            "Inference (avg)": runs.mean_ms,
            "first": runs.first_ms,
            "curr": runs.last_ms,
            "min": runs.min_ms,
            "max": runs.max_ms,
            "avg": runs.mean_ms,
            "std": runs.std_ms,
            "p5": runs.p5_ms,
            "median": runs.median_ms,
            "p95": runs.p95_ms,
        }
        return {
            name: None if value is None else round(value * 1e3, 3) for name, value in fields.items()
        }

    def to_dict(self) -> dict[str, Any]:
        return {
            **asdict(self),
            "stage": self.stage.value,
            "delegate": self.delegate.to_dict(),
            "benchmark_model_us": self.tool_times(),
        }


@dataclass(frozen=True, slots=True)
class Benchmark:
    """Measurements on one machine, made in one run."""

    machine: str
    peak_gflops: dict[int, float]
    """GFLOP/s of a large float32 matrix product, by number of threads."""
    measurements: tuple[Measurement, ...]

    @property
    def unused_delegate(self) -> str | None:
        """Name of a requested delegate that ran no operator, so that the times are the CPU's.

        None if there is no such delegate.
        """
        return next(
            (
                one.delegate.name or "that was asked for"
                for one in self.measurements
                if one.delegate.use is DelegateUse.UNUSED
            ),
            None,
        )

    def to_dict(self) -> dict[str, Any]:
        """Returns plain values for JSON; `from_dict` reads them back."""
        return {
            "machine": self.machine,
            "peak_gflops": {str(threads): value for threads, value in self.peak_gflops.items()},
            "measurements": [one.to_dict() for one in self.measurements],
        }

    @classmethod
    def from_dict(cls, raw: Any) -> Benchmark:
        """Parses the JSON that `facekit benchmark --json` has written.

        Raises ValueError, which names the member at fault, if a member is missing or wrong, or if a
        key of `peak_gflops` is not a number of threads.
        """
        fields = Fields(raw, "result")
        peaks = fields.part("peak_gflops")
        return cls(
            machine=fields.text("machine"),
            peak_gflops={int(threads): peaks.number(threads) for threads in peaks},
            measurements=tuple(map(_measurement, fields.parts("measurements"))),
        )


def _measurement(fields: Fields) -> Measurement:
    warmup, delegate = fields.optional_part("warmup"), fields.part("delegate")
    return Measurement(
        model=fields.text("model"),
        model_sha256=fields.text_or_null("model_sha256") or None,
        stage=fields.choice("stage", Stage),
        threads=fields.optional_integer("threads"),
        batch=fields.integer("batch"),
        workers=fields.integer("workers"),
        load_ms=fields.optional_number("load_ms"),
        first_ms=fields.optional_number("first_ms"),
        warmup=None if warmup is None else _spread(warmup),
        runs=_spread(fields.part("runs")),
        photos_per_s=fields.optional_number("photos_per_s"),
        peak_rss_bytes=fields.optional_integer("peak_rss_bytes"),
        macs=fields.optional_integer("macs"),
        gflops=fields.optional_number("gflops"),
        peak_fraction=fields.optional_number("peak_fraction"),
        delegate=DelegateReport(
            use=delegate.choice("use", DelegateUse),
            name=delegate.text_or_null("name"),
            delegated_operator_count=delegate.optional_integer("delegated_operator_count"),
            operator_count=delegate.optional_integer("operator_count"),
            evidence=tuple(delegate.texts("evidence")),
        ),
    )


def _spread(fields: Fields) -> Spread:
    rest = {name: fields.optional_number(name) for name in Spread.__slots__[2:] if name in fields}
    return fields.built(
        Spread, count=fields.integer("count"), mean_ms=fields.number("mean_ms"), **rest
    )
