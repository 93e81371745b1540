"""Asks the same of facekit here and on the emulated board, and compares; see emulate-board.sh."""

from __future__ import annotations

import argparse
import json
import math
import os
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from tests.bench.logs import NEW_NPU, OLD_CPU

ROOT = Path(__file__).resolve().parents[1]

TOLERANCE = 0.01
"""Largest difference of two similarities, distances, scores or rates."""

TOLERANCE_INT8 = 0.04
"""The same where integer files find the faces.

Those are coarse: a pixel that another version of OpenCV scales otherwise moves a box by half a
pixel.  Of one crop SFace's int8 file answers the same there and here, to the last bit.
"""

TOLERANCE_PX = 1.0
"""Of a place in a photo: OpenCV's versions scale photos otherwise, and integers are coarse."""

TOLERANCE_ANGLE = 0.02
"""Of two embeddings of a face, one minus their cosine similarity: a place moves them, too."""

PLACES = ("box_xyxy", "landmarks", "facial_areas", "x1", "y1", "x2", "y2")
"""Members of an answer that hold places in a photo, in pixels."""

LONG_SIDE_PX = 400
"""Of the photos: finding a face takes an emulated processor seconds, in proportion to the area."""

MEASURED = ("time", "timings_ms", "timings", "seconds")
"""Members of an answer that are times, which no two machines share."""


@dataclass(frozen=True, slots=True)
class Step:
    """One command line of a shell, in the folder that holds photos/ and the bundles."""

    name: str
    command: str
    exit_code: int
    compared: bool = True
    """False where the answer names versions or times, so that only the exit code must agree."""

    output: str = ""
    """A file that the command writes, to be compared as stdout is."""

    @property
    def tolerance(self) -> float:
        return TOLERANCE_INT8 if "facekit-imx93" in self.command else TOLERANCE


CPU = "./facekit-cpu/run.sh"
"""The bundle of float32 files, which cost an emulated processor seconds a face."""

INT8 = "./facekit-imx93/{} --device cpu"
RUN = INT8.format("run.sh {}")
"""The bundle for the i.MX 93 on its CPU, with integer files."""

WATCH_LIVE = f"""
rm -rf incoming; mkdir incoming; cp photos/obama2.jpg incoming/1.jpg
{RUN.format("watch")} incoming --known photos/obama.jpg --existing >seen & watching=$!
has() {{ for second in $(seq 900); do [ "$(wc -l <seen)" -ge "$1" ] && return; sleep 1; done; }}
has 1; cp photos/none.png incoming/2.png
has 2; cp photos/biden.jpg incoming/3.jpg
has 3; kill -TERM "$watching"; code=0; wait "$watching" || code=$?
cat seen; exit "$code"
"""

STEPS = (
    Step("doctor", f"{CPU} doctor", 0, compared=False),
    Step("verify same", f"{CPU} verify photos/obama.jpg photos/obama2.jpg --json", 0),
    Step(
        "verify.sh different",
        "./facekit-cpu/verify.sh photos/obama.jpg photos/biden.jpg --json",
        1,
    ),
    Step("verify no face", f"{CPU} verify photos/none.png photos/obama.jpg --json", 3),
    Step("verify no file", f"{CPU} verify photos/absent.jpg photos/obama.jpg --json", 4),
    Step(
        "imx93 verify same",
        f"{RUN.format('verify')} photos/obama.jpg photos/obama2.jpg --json",
        0,
    ),
    Step(
        "imx93 without its NPU", "./facekit-imx93/verify.sh photos/obama.jpg photos/obama2.jpg", 6
    ),
    Step(
        "imx93 embed",
        f"{RUN.format('embed')} photos/obama.jpg photos/biden.jpg -o embedded.jsonl --force",
        0,
        compared=False,
        output="embedded.jsonl",
    ),
    Step(
        "imx93 enroll",
        f"rm -f people.db; {RUN.format('enroll')} Obama photos/obama.jpg --gallery people.db",
        0,
    ),
    Step(
        "imx93 identify",
        f"{RUN.format('identify')} photos/obama2.jpg photos/biden.jpg --gallery people.db --json",
        1,
    ),
    Step(
        "imx93 serve-stdin",
        f"""{RUN.format("serve-stdin")} <<'END'
{{"verify": ["photos/obama.jpg", "photos/obama2.jpg"], "id": 1}}
{{"verify": ["photos/obama.jpg", "photos/biden.jpg"], "id": 2}}
{{"detect": "photos/none.png", "id": 3}}
{{"embed": "photos/biden.jpg", "id": 4}}
END""",
        0,
    ),
    Step(
        "imx93 watch.sh -1",
        f"{INT8.format('watch.sh -1 photos photos/obama.jpg')}",
        3,
    ),
    Step("imx93 watch", WATCH_LIVE, 143),
    Step("imx93 selftest.sh", INT8.format("selftest.sh"), 0, compared=False),
    Step(
        "benchmark.sh CPU",
        "BENCHMARK_MODEL=./cpu_log OUT=measured ./facekit-cpu/benchmark.sh '' none",
        0,
        compared=False,
        output="measured/benchmark.json",
    ),
    Step(
        "benchmark.sh NPU",
        "BENCHMARK_MODEL=./npu_log OUT=measured ./facekit-imx93/benchmark.sh '' ./delegate.so",
        0,
        compared=False,
        output="measured/benchmark.json",
    ),
    Step(
        "installed, imx93 verify",
        # Without FACEKIT_HOME it would need platformdirs, which --no-deps leaves out.
        "FACEKIT_HOME=facekit-imx93 python3 -m facekit verify photos/obama.jpg photos/biden.jpg"
        " --bundle facekit-imx93 --device cpu --json",
        1,
    ),
    Step("imx93 verify --pairs", f"{RUN.format('verify')} --pairs pairs.csv --json", 1),
)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a command has left."""

    exit_code: int
    stdout: str
    stderr: str
    written: str
    seconds: float
    cpu_seconds: float


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the table."""

    name: str
    here: Answer
    there: Answer
    difference: float
    """The largest one of two similarities; NaN where there is none."""

    wrong: tuple[str, ...]
    """What is not as it must be, in a few words each."""


@dataclass(frozen=True, slots=True)
class Difference:
    """Two values that are not equal."""

    where: str
    here: Any
    there: Any
    size: float
    """The difference of two numbers, or of two embeddings; infinite for anything else."""
    allowed: float


def differences(
    here: Any, there: Any, where: str = "", allowed: float = TOLERANCE
) -> Iterator[Difference]:
    """Yields each difference of two values that JSON can hold, without those of times."""
    if isinstance(here, dict) and isinstance(there, dict):
        for name in sorted(here.keys() | there.keys()):
            if name not in MEASURED and not name.endswith("_ms"):
                yield from differences(
                    here.get(name, "absent"),
                    there.get(name, "absent"),
                    f"{where}.{name}",
                    TOLERANCE_PX if name in PLACES else allowed,
                )
    elif here == there:
        return
    elif _is_vector(here) and _is_vector(there) and len(here) == len(there):
        cosine = np.dot(here, there) / np.linalg.norm(here) / np.linalg.norm(there)
        yield Difference(where, "an embedding", "another", 1 - float(cosine), TOLERANCE_ANGLE)
    elif isinstance(here, list) and isinstance(there, list) and len(here) == len(there):
        for number, (one, other) in enumerate(zip(here, there, strict=True)):
            yield from differences(one, other, f"{where}[{number}]", allowed)
    else:
        size = abs(here - there) if _is_number(here) and _is_number(there) else math.inf
        yield Difference(where, here, there, size, allowed)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_vector(value: Any) -> bool:
    return isinstance(value, list) and len(value) > 100 and all(map(_is_number, value))


def read(text: str) -> Any:
    """Returns the JSON value, the list of a value a line, or the lines, whichever `text` is."""
    try:
        return json.loads(text)
    except ValueError:
        pass
    try:
        return [json.loads(line) for line in text.splitlines()]
    except ValueError:
        return text.splitlines()


def compared(step: Step, here: Answer, there: Answer) -> Row:
    """Returns the line of the table for what `step` answered here and there."""
    wrong = [
        f"exit code {answer.exit_code} {place}"
        for answer, place in ((here, "here"), (there, "there"))
        if answer.exit_code != step.exit_code
    ]
    if "Traceback" in there.stderr:
        wrong.append("a traceback")
    if wrong:
        return Row(step.name, here, there, math.nan, tuple(wrong))
    pairs = [(here.written, there.written)] if step.output else []
    if step.compared:
        pairs.append((here.stdout, there.stdout))
    found = [
        one
        for here_text, there_text in pairs
        for one in differences(read(here_text), read(there_text), allowed=step.tolerance)
    ]
    wrong += [
        f"{one.where}: {one.here} here, {one.there} there, {one.size:.3g}"
        for one in found
        if one.size > one.allowed
    ]
    if step.output and not here.written:
        wrong.append(f"no {step.output} here")
    moved = [one.size for one in found if one.where.endswith(".similarity")]
    return Row(step.name, here, there, max(moved, default=math.nan), tuple(wrong))


def print_table(rows: Sequence[Row]) -> None:
    """Prints a line for each step, and below it what is wrong."""
    width = max(len(row.name) for row in rows)
    print(f"{'':{width}}        SIMILARITY  MINUTES  CPU SECONDS")
    print(f"{'STEP':{width}}  EXIT  DIFFERS BY    THERE  THERE  HERE")
    for row in rows:
        difference = "-" if math.isnan(row.difference) else f"{row.difference:.4f}"
        print(
            f"{row.name:{width}}  {row.there.exit_code:>4}  {difference:>10}"
            f"  {row.there.seconds / 60:>7.1f}  {row.there.cpu_seconds:>5.0f}"
            f"  {row.here.cpu_seconds:>4.1f}  {'WRONG' if row.wrong else 'right'}"
        )
        for reason in row.wrong:
            print(f"  {reason}")


def prepare(folder: Path, pairs: int, lfw: Path | None) -> None:
    """Puts the photos, and what stands in for a board's benchmark_model, into `folder`."""
    photos = folder / "photos"
    photos.mkdir(parents=True, exist_ok=True)
    for name in ("obama.jpg", "obama2.jpg", "biden.jpg"):
        photo = cv2.imread(str(ROOT / "tests" / "data" / name))
        assert photo is not None  # of the checkout
        scale = LONG_SIDE_PX / max(photo.shape)
        small = cv2.resize(photo, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        cv2.imwrite(str(photos / name), small)
    cv2.imwrite(str(photos / "none.png"), np.full((240, 320), 128, np.uint8))
    for name, log in (("cpu_log", OLD_CPU), ("npu_log", NEW_NPU)):
        (folder / name).write_text(f"#!/bin/sh\ncat <<'END'\n{log}END\n")
        (folder / name).chmod(0o755)
    (folder / "delegate.so").touch()
    if lfw is not None:
        (folder / "pairs.csv").write_text(copied_pairs(lfw, folder / "lfw", pairs))


def copied_pairs(lfw: Path, folder: Path, count: int) -> str:
    """Copies the photos of View 1's first `count` same and different test pairs into `folder`.

    Returns the pairs as CSV, with paths from the folder above.
    """
    folder.mkdir(exist_ok=True)
    lines = (lfw / "protocol" / "pairsDevTest.txt").read_text().splitlines()
    half = int(lines[0])
    pairs = []
    for line in lines[1 : 1 + count] + lines[1 + half : 1 + half + count]:
        parts = line.split()
        people = [(parts[0], parts[1]), (parts[-2] if len(parts) == 4 else parts[0], parts[-1])]
        names = [f"{person}_{int(number):04}.jpg" for person, number in people]
        for (person, _), name in zip(people, names, strict=True):
            shutil.copyfile(lfw / "lfw-deepfunneled" / person / name, folder / name)
        pairs.append(",".join(f"lfw/{name}" for name in names))
    return "\n".join(pairs) + "\n"


def ask(step: Step, folder: Path, shell: Sequence[str], environment: dict[str, str]) -> Answer:
    """Runs the step's command in `folder`, which `shell` enters by itself."""
    written = folder / step.output
    if step.output:
        written.unlink(missing_ok=True)
    start, cpu = time.monotonic(), _children_cpu_seconds()
    done = subprocess.run(
        [*shell, step.command],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    seconds, cpu = time.monotonic() - start, _children_cpu_seconds() - cpu
    text = written.read_text() if step.output and written.is_file() else ""
    return Answer(done.returncode, done.stdout, done.stderr, text, seconds, cpu)


def _children_cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="that of emulate-board.sh")
    folder = parser.parse_args().folder
    words = os.environ.get("STEPS", "").split()
    lfw = os.environ.get("LFW")
    here, there = folder / "here", folder / "root" / "root"
    steps = [step for step in STEPS if not words or any(word in step.name for word in words)]
    steps = [step for step in steps if lfw or "pairs.csv" not in step.command]
    for place in (here, there):
        prepare(place, int(os.environ.get("PAIRS", "10")), Path(lfw) if lfw else None)
    own = {"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin", "HOME": str(here)}
    own |= {"LANG": "C.UTF-8", "FACEKIT_THREADS": "1"}
    if not steps:
        sys.exit(f"error: no step has one of the words {', '.join(words)} in its name")
    rows = []
    for step in steps:
        print(f"    {step.name}", file=sys.stderr, flush=True)
        row = compared(
            step,
            ask(step, here, ("sh", "-c"), own),
            ask(step, there, (str(folder / "board"), "sh", "-c"), dict(os.environ)),
        )
        if row.wrong:
            print(f"{row.there.stdout}{row.there.stderr}{row.wrong}", file=sys.stderr)
        rows.append(row)
    print_table(rows)
    return int(any(row.wrong for row in rows))


if __name__ == "__main__":
    sys.exit(main())
