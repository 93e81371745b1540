"""Spreads by hand, JSON there and back, comparison of two benchmarks."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from facekit.bench.compare import compare
from facekit.bench.plan import plan
from facekit.bench.records import (
    Benchmark,
    DelegateReport,
    DelegateUse,
    Measurement,
    spread,
)
from facekit.enums import Stage
from facekit.errors import UsageError
from facekit.runtime.delegates import AcceleratorRequest

ONE = Measurement(
    model="m:float32",
    model_sha256="ab" * 32,
    stage=Stage.EMBED,
    threads=1,
    batch=1,
    workers=1,
    load_ms=30.0,
    first_ms=40.0,
    warmup=spread([35.0, 37.0]),
    runs=spread([30.0, 10.0, 20.0]),
    photos_per_s=50.0,
    peak_rss_bytes=115 << 20,
    macs=1_000_000,
    gflops=0.1,
    peak_fraction=0.5,
    delegate=DelegateReport(DelegateUse.NOT_ASKED),
)


def benchmark_of(*measurements: Measurement) -> Benchmark:
    return Benchmark("machine", {1: 100.0}, measurements)


def test_a_spread_by_hand() -> None:
    runs = spread([30.0, 10.0, 20.0])
    assert (runs.count, runs.min_ms, runs.median_ms, runs.max_ms) == (3, 10.0, 20.0, 30.0)
    assert (runs.first_ms, runs.last_ms, runs.mean_ms) == (30.0, 20.0, 20.0)
    assert runs.p5_ms == pytest.approx(11.0)
    assert runs.p95_ms == pytest.approx(29.0)
    assert runs.std_ms == pytest.approx((200 / 3) ** 0.5)


def test_json_there_and_back() -> None:
    delegate = DelegateReport(DelegateUse.PARTLY, "lib.so", 3, 4, ("why",))
    done = benchmark_of(ONE, replace(ONE, warmup=None, delegate=delegate))
    assert Benchmark.from_dict(json.loads(json.dumps(done.to_dict()))) == done


NO_RUNS = ONE.to_dict()["runs"] | {"count": 0}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"measurements": [{}]}, r"measurements\[0\]\.\w+ is missing"),
        ({"measurements": 3}, "measurements must be a list"),
        ({"peak_gflops": None}, "peak_gflops must be an object"),
        ({"peak_gflops": {"one": 1.0}}, "invalid literal"),
        ({"machine": []}, "machine must be a string"),
        ({"measurements": [ONE.to_dict() | {"threads": "x"}]}, "threads must be an integer"),
        ({"measurements": [ONE.to_dict() | {"runs": NO_RUNS}]}, "count must be at least 1"),
    ],
)
def test_other_json_is_refused_by_the_member(change: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Benchmark.from_dict(benchmark_of(ONE).to_dict() | change)


def test_the_tools_names_are_in_microseconds() -> None:
    named = ONE.tool_times()
    assert named["Init"] == 30_000
    assert named["First inference"] == 40_000
    assert named["Warmup (avg)"] == 36_000
    assert named["Inference (avg)"] == named["avg"] == 20_000
    assert (named["first"], named["curr"]) == (30_000, 20_000)


def test_ratios_are_b_over_a() -> None:
    faster = replace(ONE, runs=spread([5.0, 10.0, 15.0]), load_ms=60.0, photos_per_s=100.0)
    (both,) = compare(benchmark_of(ONE), benchmark_of(faster)).both
    assert (both.time, both.load, both.first, both.photos_per_s) == (0.5, 2.0, 1.0, 2.0)


def test_models_are_matched_by_name_then_by_setting_and_the_rest_is_named() -> None:
    int8, two = replace(ONE, model="m:int8"), replace(ONE, threads=2)
    named = compare(benchmark_of(ONE, int8), benchmark_of(int8, ONE))
    assert [(one.a.model, one.b.model) for one in named.both] == [
        ("m:float32", "m:float32"),
        ("m:int8", "m:int8"),
    ]
    by_setting = compare(benchmark_of(ONE, two), benchmark_of(int8))
    assert [(one.a.model, one.b.model) for one in by_setting.both] == [("m:float32", "m:int8")]
    assert (by_setting.only_a, by_setting.only_b) == ((two,), ())


def test_means_are_compared_where_a_log_has_no_median() -> None:
    logged = replace(ONE, runs=replace(ONE.runs, median_ms=None, mean_ms=80.0))
    (both,) = compare(benchmark_of(ONE), benchmark_of(logged)).both
    assert both.time == 4.0


def test_a_plan_has_every_setting_that_matters_once() -> None:
    settings: dict[str, Any] = {
        "threads": (1, 2),
        "batches": (1, 8),
        "workers": 1,
        "runs": 1,
        "warmup": 0,
        "photos": (),
        "request": AcceleratorRequest(),
    }
    stages = (Stage.LOAD, Stage.EMBED, Stage.MATCH)
    path = Path("m.tflite")
    tasks = plan([path], stages=stages, **settings)
    assert [(task.stage.value, task.threads, task.batch) for task in tasks] == [
        ("load", 1, 1),
        ("load", 2, 1),
        ("embed", 1, 1),
        ("embed", 1, 8),
        ("embed", 2, 1),
        ("embed", 2, 8),
        ("match", 1, 1),
        ("match", 1, 8),
    ]
    with pytest.raises(UsageError, match=r"Photos.*detect"):
        plan([path], stages=[Stage.DETECT], **settings)
