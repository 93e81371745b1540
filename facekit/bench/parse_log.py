"""Converts the output of TensorFlow Lite's benchmark_model, of old and new versions, to records.

Times are in microseconds, in plain or scientific notation; lines may begin with "INFO: ".  The tool
exits with 0 and prints times even if its delegate accepted no operator, so the log is searched for
what the delegate reports.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from facekit.bench.records import DelegateReport, DelegateUse, Measurement, Spread
from facekit.enums import Stage
from facekit.errors import InputError

_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_PREFIX = re.compile(r"^\s*(?:(?:INFO|WARNING|ERROR|VERBOSE|DEBUG):\s*)+")
_COUNT = re.compile(r"^count=(\d+)\b(.*)")
_FIELD = re.compile(rf"\b(first|curr|min|max|avg|std|p5|median|p95)=({_NUMBER})")
_TIMINGS = re.compile(
    rf"^Inference timings in us: Init: ({_NUMBER}), First inference: ({_NUMBER}), "
    rf"Warmup \(avg\): ({_NUMBER}), Inference \(avg\): ({_NUMBER})"
)
_MEMORY = re.compile(
    r"^(?:Memory footprint delta from the start of the tool|Peak memory footprint) \(MB\): "
    rf"init=({_NUMBER}) overall=({_NUMBER})"
)
_PEAK = re.compile(rf"^Overall peak memory footprint \(MB\) via periodic monitoring: ({_NUMBER})")
_GRAPH = re.compile(r"^(?:Graph: \[(.+)\]|Loaded model (.+))$")
_THREADS = re.compile(r"^(?:#threads used for CPU inference|Num threads|num_threads): \[(\d+)\]")
_ASKED = re.compile(r"^(?:External delegate path: \[(.+)\]|(EXTERNAL) delegate created\.?)$")
_ASKED_SWITCH = re.compile(r"^Use (NNAPI|gpu|Hexagon|CoreML): \[1\]$", re.IGNORECASE)
_REPLACED = re.compile(r"^Replacing (\d+) out of (\d+) node\(s\) with delegate \((.+?)\)")
_NODES = re.compile(r"^(.+?) ?[Dd]elegate: (\d+) nodes delegated out of (\d+) nodes")
_WHOLLY = "will be completely executed by the delegate"
_PARTIALLY = "will be partially executed by the delegate"
_REFUSED = re.compile(
    r"will not be executed by the delegate|Failed to apply .*delegate|"
    r"Failed to (?:create|load) .*delegate|Could not (?:create|load) .*delegate|"
    r"delegate.* is not supported",
    re.IGNORECASE,
)
_CPU_DELEGATE = "xnnpack"
_START = "STARTING!"


def parse_log(text: str, *, name: str) -> list[Measurement]:
    """Returns one measurement for each run of the tool with times in the log.

    Raises InputError if the log contains no such run, or a line that cannot be read.
    """
    found = [_measurement(lines) for lines in _runs(text.splitlines())]
    measurements = [one for one in found if one is not None]
    if not measurements:
        raise InputError(
            f"{name}: no times of benchmark_model in it: neither a line `count=... avg=...` nor "
            "`Inference timings in us: ...`. Keep all that the tool prints, stderr included: "
            "benchmark_model ... 2>&1 | tee run.log"
        )
    return measurements


def _runs(lines: Iterable[str]) -> Iterator[list[str]]:
    """Yields the lines of each run, without the prefix of the logging library."""
    run: list[str] = []
    for line in lines:
        plain = _PREFIX.sub("", line).strip()
        if plain == _START and run:
            yield run
            run = []
        run.append(plain)
    yield run


def _measurement(lines: list[str]) -> Measurement | None:
    spreads = [_spread(match) for line in lines if (match := _COUNT.match(line))]
    timings = next((match for line in lines if (match := _TIMINGS.match(line))), None)
    if timings is None and not spreads:
        return None
    load_ms = first_ms = None
    warmup = spreads[0] if len(spreads) > 1 else None
    runs = spreads[-1] if spreads else None
    if timings is not None:
        load_ms, first_ms, warmup_ms, mean_ms = (_ms(value) for value in timings.groups())
        warmup = warmup or Spread(1, warmup_ms)
        runs = runs or Spread(1, mean_ms)
    assert runs is not None
    threads = _first(_THREADS, lines)
    return Measurement(
        model=_first(_GRAPH, lines) or "unknown",
        model_sha256=None,
        stage=Stage.EMBED,
        threads=int(threads) if threads else None,
        batch=1,
        workers=1,
        load_ms=load_ms,
        first_ms=first_ms,
        warmup=warmup,
        runs=runs,
        photos_per_s=1e3 / runs.mean_ms if runs.mean_ms > 0 else None,
        peak_rss_bytes=_memory_bytes(lines),
        macs=None,
        gflops=None,
        peak_fraction=None,
        delegate=_delegate(lines),
    )


def _spread(match: re.Match[str]) -> Spread:
    count, rest = match.groups()
    fields = {key: _ms(value) for key, value in _FIELD.findall(rest)}
    # A single run is printed as count=1 curr=...: min, max and mean are that one time.
    mean = fields.get("avg", fields.get("curr"))
    if mean is None:
        raise InputError(f"A line of benchmark_model has a count and no time: {match.group()!r}")
    return Spread(
        count=int(count),
        mean_ms=mean,
        min_ms=fields.get("min"),
        median_ms=fields.get("median"),
        p95_ms=fields.get("p95"),
        max_ms=fields.get("max"),
        std_ms=fields.get("std"),
        p5_ms=fields.get("p5"),
        first_ms=fields.get("first"),
        last_ms=fields.get("curr"),
    )


def _ms(microseconds: str) -> float:
    return float(microseconds) / 1e3


def _first(pattern: re.Pattern[str], lines: Iterable[str]) -> str | None:
    match = next((match for line in lines if (match := pattern.match(line))), None)
    return next(filter(None, match.groups()), None) if match else None


def _memory_bytes(lines: list[str]) -> int | None:
    """Returns the peak if the tool measured it, else the growth at the end."""
    megabytes = _first(_PEAK, lines)
    if megabytes is None:
        match = next((match for line in lines if (match := _MEMORY.match(line))), None)
        megabytes = match.group(2) if match else None
    return None if megabytes is None else round(float(megabytes) * (1 << 20))


def _delegate(lines: list[str]) -> DelegateReport:
    """Describes the delegate; XNNPACK, the CPU's default, does not count as one."""
    name = _first(_ASKED, lines) or _first(_ASKED_SWITCH, lines) or ""
    nodes = nodes_of = None
    wholly = partially = False
    evidence = []
    for line in lines:
        if _CPU_DELEGATE in line.lower():
            continue
        taken = _REPLACED.match(line)
        counted = _NODES.match(line)
        if taken:
            nodes, nodes_of, name = int(taken[1]), int(taken[2]), name or taken[3]
        elif counted:
            nodes, nodes_of, name = int(counted[2]), int(counted[3]), name or counted[1]
        elif _WHOLLY in line:
            wholly = True
        elif _PARTIALLY in line:
            partially = True
        elif not _REFUSED.search(line):
            continue
        evidence.append(line)
    if not (name or evidence):
        return DelegateReport(DelegateUse.NOT_ASKED)
    if any(_REFUSED.search(line) for line in evidence) or nodes == 0:
        use = DelegateUse.UNUSED
    elif partially or (nodes is not None and nodes_of is not None and nodes < nodes_of):
        use = DelegateUse.PARTLY
    else:
        use = DelegateUse.USED if wholly or nodes else DelegateUse.UNUSED
    return DelegateReport(use, name, nodes, nodes_of, tuple(evidence))
