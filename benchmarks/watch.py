"""Photos that arrive in a folder: facekit watch beside facekit embed and a process a photo.

    python benchmarks/watch.py --photos 50 --rounds 3

Whole processes, but for the first line of watch: it is resident, its networks are loaded, and its
time runs from the first photo's arrival to the last photo's answer.  The programs take turns, and
ratios are medians of those within a round, to embed with one worker.  Processor time is what the
system counts for the process and its children.  Then what a look at a folder costs while nothing
arrives.  Needs the models, watchdog and LFW (FACEKIT_LFW or ../shared/lfw).
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from peers import Row, lfw_photos, print_rows

_FACEKIT = (sys.executable, "-m", "facekit")
_EMBED = "embed, 1 worker"
_SHELL_LOOP = 'for photo in "$2"/*; do "$0" -m facekit verify "$1" "$photo" >/dev/null; done; true'


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--idle", type=int, default=20, help="seconds of watching an idle folder")
    parser.add_argument("--idle-photos", type=int, default=1000, help="photos in that folder")
    args = parser.parse_args()
    with TemporaryDirectory() as name:
        work = Path(name)
        photos = work / "photos"
        photos.mkdir()
        known, *others = lfw_photos(args.photos + 1)
        for photo in others:
            shutil.copy(photo, photos)
        print_rows(compare(str(known), photos, work, args.rounds), unit="s")
        many = work / "many"
        many.mkdir()
        for number in range(args.idle_photos):
            os.link(photos / others[0].name, many / f"{number}.jpg")
        with resident(str(known), many) as process:
            before_s, began_s = processor_s(process.pid), time.perf_counter()
            time.sleep(args.idle)
            spent_s = processor_s(process.pid) - before_s
            share = spent_s / (time.perf_counter() - began_s)
        print(f"a look every second at {args.idle_photos} photos: {share:.1%} of a core")


def compare(known: str, photos: Path, work: Path, rounds: int) -> list[Row]:
    """Rows whose processor times are comparable; prints the ratios of each program."""
    embeddings = str(work / "known.npz")
    embed = (*_FACEKIT, "embed", str(photos), "-o", embeddings, "--force")
    programs: dict[str, Callable[[], tuple[float, float]]] = {
        _EMBED: lambda: whole(*embed, "--workers", "1"),
        "embed": lambda: whole(*embed),
        "watch, warm": lambda: warm(known, photos, work),
        "watch --once": lambda: whole(
            *_FACEKIT, "watch", str(photos), "--known", known, "--once", codes=(0, 1, 3)
        ),
        "verify, one a photo": lambda: whole(
            "sh", "-c", _SHELL_LOOP, sys.executable, known, str(photos)
        ),
    }
    spent: dict[str, list[tuple[float, float]]] = {name: [] for name in programs}
    for _ in range(rounds):
        for name, run in programs.items():
            spent[name].append(run())
    for name, times in spent.items():
        wall, processor = np.median(np.array(times) / np.array(spent[_EMBED]), axis=0)
        print(
            f"{name}: {wall:.2f} of the wall time of {_EMBED}, {processor:.2f} of its processor's"
        )
    return [
        Row(f"{len(list(photos.iterdir()))} LFW photos", name, *np.median(times, axis=0))
        for name, times in spent.items()
    ]


def whole(*command: str, codes: tuple[int, ...] = (0, 3)) -> tuple[float, float]:
    """Wall and processor seconds of a process and its children."""
    before, began_s = os.times(), time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    after, wall_s = os.times(), time.perf_counter() - began_s
    if done.returncode not in codes:
        raise SystemExit(f"{command} failed: {done.stderr[-2000:]}")
    user_s, system_s = (b - a for a, b in zip(before[2:4], after[2:4], strict=True))
    return wall_s, user_s + system_s


def warm(known: str, photos: Path, work: Path) -> tuple[float, float]:
    """The same from the arrival of the first photo to the answer for the last."""
    incoming, copies = work / "incoming", work / "copies"
    incoming.mkdir()
    shutil.copytree(photos, copies)
    names = sorted(path.name for path in copies.iterdir())
    with resident(known, incoming) as process:
        assert process.stdout is not None
        before_s, began_s = processor_s(process.pid), time.perf_counter()
        for name in names:
            (copies / name).rename(incoming / name)
        answered = [process.stdout.readline() for _ in names]
        spent = time.perf_counter() - began_s, processor_s(process.pid) - before_s
    if sorted(line.rpartition("\t")[2].strip() for line in answered) != names:
        raise SystemExit(f"One answer a photo needed. Received: {answered}")
    shutil.rmtree(incoming)
    shutil.rmtree(copies)
    return spent


@contextmanager
def resident(known: str, folder: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that watches, as soon as its networks are loaded."""
    process = subprocess.Popen(
        (*_FACEKIT, "watch", str(folder), "--known", known),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stderr is not None
        while "watching" not in (line := process.stderr.readline()):
            if not line:
                raise SystemExit("facekit watch has ended")
        yield process
    finally:
        process.terminate()
        process.communicate()


def processor_s(pid: int) -> float:
    """Seconds of user and system time so far, fields 14 and 15 of proc(5)'s stat."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main()
