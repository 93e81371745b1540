"""Logs of benchmark_model: both formats, and every fate of a delegate."""

from __future__ import annotations

import pytest

from facekit.bench.parse_log import parse_log
from facekit.bench.records import DelegateUse
from facekit.errors import InputError
from tests.bench.logs import NEW_NPU, NOT_APPLIED, OLD_CPU, REFUSED, SILENT, VX_WHOLLY


def test_the_old_format_with_scientific_notation() -> None:
    (found,) = parse_log(OLD_CPU, name="l")
    assert (found.model, found.threads) == ("facenet512_int8.tflite", 4)
    assert (found.load_ms, found.first_ms) == (17.187, 3512.391)
    assert found.warmup is not None
    assert (found.warmup.count, found.warmup.mean_ms) == (1, 3512.391)
    runs = found.runs
    assert (runs.count, runs.first_ms, runs.last_ms) == (50, 2951.0, 2950.1)
    assert (runs.min_ms, runs.max_ms, runs.std_ms) == (2949.0, 2960.0, 1.52)
    assert runs.mean_ms == pytest.approx(2950.34)
    assert runs.median_ms is runs.p95_ms is None
    assert found.photos_per_s == pytest.approx(1 / 2.95034)
    assert found.peak_rss_bytes == round(34.5508 * 2**20)
    assert found.delegate.use is DelegateUse.NOT_ASKED, "XNNPACK is the CPU"


def test_the_new_format_with_prefixes_and_quantiles() -> None:
    (found,) = parse_log(NEW_NPU, name="l")
    assert found.threads == 2
    assert found.warmup is not None
    assert found.warmup.count == 45
    assert (found.runs.p5_ms, found.runs.median_ms, found.runs.p95_ms) == (10.294, 10.308, 10.402)
    assert found.runs.typical_ms == 10.308
    assert found.peak_rss_bytes == 51.5 * 2**20
    assert found.delegate.name == "/usr/lib/libethosu_delegate.so"
    assert (found.delegate.delegated_operator_count, found.delegate.operator_count) == (1, 2)


@pytest.mark.parametrize(
    ("log", "use"),
    [
        (NEW_NPU, DelegateUse.PARTLY),
        (NEW_NPU.replace("out of 2", "out of 1").replace("partially", "completely"), "used"),
        (VX_WHOLLY, DelegateUse.USED),
        (REFUSED, DelegateUse.UNUSED),
        (NOT_APPLIED, DelegateUse.UNUSED),
        (SILENT, DelegateUse.UNUSED),
    ],
    ids=["partly", "every node", "wholly", "no node", "not applied", "no word of it"],
)
def test_whether_the_delegate_was_used(log: str, use: DelegateUse) -> None:
    (found,) = parse_log(log, name="l")
    assert found.delegate.use == use


def test_the_verdict_comes_with_the_lines_it_rests_on() -> None:
    (found,) = parse_log(REFUSED, name="l")
    assert len(found.delegate.evidence) == 2
    assert "0 nodes delegated out of 181" in found.delegate.evidence[0]


def test_a_log_of_several_runs_gives_several_measurements() -> None:
    found = parse_log(OLD_CPU + NEW_NPU, name="l")
    assert [one.runs.count for one in found] == [50, 97]


def test_the_summary_line_alone_is_enough() -> None:
    line = next(line for line in OLD_CPU.splitlines() if line.startswith("Inference timings"))
    (found,) = parse_log(line, name="l")
    assert found.runs.mean_ms == pytest.approx(2950.34)
    assert found.model == "unknown"


@pytest.mark.parametrize("log", ["", "STARTING!\nLoaded model x\n", "count=no number\n"])
def test_a_log_without_times_says_what_is_missing(log: str) -> None:
    with pytest.raises(InputError, match=r"board\.log: no times.*2>&1"):
        parse_log(log, name="board.log")
