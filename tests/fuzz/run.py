"""Feeds doors with spoilt inputs, in a process of their own, and keeps each that does harm.

    python -m tests.fuzz.run pictures galleries --inputs 50000
    python -m tests.fuzz.run --minutes 5 --found DIR
    python -m tests.fuzz.run --minimize fuzz-found/galleries/0a1b2c3d.db galleries

Harm is an error that facekit has not foreseen (exit code 70 or 1), the end of the process by a
signal, more than 10 s, or twice the memory that the door promises.
"""

from __future__ import annotations

import argparse
import hashlib
import mmap
import os
import resource
import secrets
import shutil
import signal
import struct
import sys
import tempfile
import time
import traceback
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from tests.fuzz import forks
from tests.fuzz.door import LONGEST_S, Door, Source, Spoilt, Use, attempt, memory_folder

_HEAD = struct.Struct("<QQdQ16s")  # inputs, accepted, start of the input, its length, its suffix
_SHARED_BYTES = 64 << 20
_ADDRESS_BYTES = 16 << 30  # a guard for the machine, far above what any door may take
_POLL_S = 0.2
_LONGEST_OPENING_S = 120.0
"""For opening a door, which may import much, and for each of its seeds."""


@dataclass(slots=True)
class Result:
    """What came of one door's inputs."""

    inputs: int = 0
    accepted: int = 0
    seconds: float = 0.0
    harm: Counter[str] = field(default_factory=Counter)
    """Kinds of harm, and how often each was done."""


def main() -> None:
    from tests.fuzz.doors import DOORS

    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("doors", nargs="*", metavar="DOOR", help=f"one of {', '.join(DOORS)}")
    parser.add_argument("--inputs", type=int, default=0, help="inputs a door")
    parser.add_argument("--minutes", type=float, default=0.0, help="minutes in all")
    parser.add_argument("--seed", type=int, default=secrets.randbits(32))
    parser.add_argument("--found", type=Path, default=Path("fuzz-found"))
    parser.add_argument("--minimize", type=Path, metavar="FILE", help="a file that a DOOR is for")
    options = parser.parse_args()
    names = options.doors or list(DOORS)
    if unknown := set(names) - DOORS.keys():
        parser.error(f"No door {', '.join(sorted(unknown))}. Known: {', '.join(DOORS)}")
    if options.minimize is not None:
        if len(names) != 1:
            parser.error("--minimize FILE goes with one DOOR")
        from tests.fuzz.minimize import minimized

        file = options.minimize
        content = minimized(DOORS[names[0]], "".join(file.suffixes), file.read_bytes())
        smallest = file.with_name(f"smallest-{file.name}")
        smallest.write_bytes(content)
        print(f"{smallest}: {len(content):,} of {file.stat().st_size:,} bytes")
        return
    if not (options.inputs or options.minutes):
        parser.error("--inputs or --minutes needed")
    seconds = options.minutes * 60 / len(names) if options.minutes else float("inf")
    harmless = True
    for name in names:
        result = fuzz(
            DOORS[name],
            inputs=options.inputs or sys.maxsize,
            seconds=seconds,
            seed=options.seed,
            found=options.found / name,
        )
        print(
            f"{name}: seed {options.seed}, {result.inputs:,} inputs in {result.seconds:.0f} s, "
            f"{result.accepted:,} accepted, {sum(result.harm.values())} did harm",
            flush=True,
        )
        for kind, count in result.harm.most_common():
            print(f"  {count} x {kind}", flush=True)
        harmless = harmless and not result.harm
    sys.exit(not harmless)


def fuzz(door: Door, *, inputs: int, seconds: float, seed: int, found: Path) -> Result:
    """Gives the door inputs until their number or the time is reached.

    Raises SystemExit if the door does harm before its first input.
    """
    result = Result()
    (found / "harm.txt").unlink(missing_ok=True)  # of an earlier run
    begin = time.monotonic()
    for start in range(sys.maxsize):
        left = inputs - result.inputs
        until = begin + seconds
        if left <= 0 or time.monotonic() >= until:
            break
        _one_process(door, (seed, start), left, until, found, result)
    result.seconds = time.monotonic() - begin
    return result


def _one_process(
    door: Door, seed: tuple[int, int], inputs: int, until: float, found: Path, result: Result
) -> None:
    """Lets a process try inputs to the end, or up to one that kills it or takes too long."""
    shared = mmap.mmap(-1, _SHARED_BYTES)
    folder = Path(tempfile.mkdtemp(prefix="facekit-fuzz-", dir=memory_folder()))
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.setpgid(0, 0)
            _try_inputs(door, seed, inputs, until, found, shared, folder)
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    try:
        ended, status = 0, 0
        hangs = False
        while not ended:
            time.sleep(_POLL_S)
            ended, status = os.waitpid(child, os.WNOHANG)
            count, _, start, _, _ = _HEAD.unpack_from(shared)
            longest_s = LONGEST_S if count else _LONGEST_OPENING_S
            if not ended and start and time.monotonic() - start > longest_s:
                hangs = True
                os.kill(child, signal.SIGKILL)
                ended, status = os.waitpid(child, 0)
        count, accepted, _, length, suffix = _HEAD.unpack_from(shared)
        result.inputs += count
        result.accepted += accepted
        if not count and (hangs or os.WIFSIGNALED(status)):
            raise SystemExit("The door hangs or crashes when it is opened, or with a seed.")
        content = shared[_HEAD.size : _HEAD.size + length]
        last = Spoilt(suffix.rstrip(b"\0").decode(), content)
        if hangs:
            _keep(found, last, f"took more than {LONGEST_S:g} s")
        elif os.WIFSIGNALED(status):
            _keep(found, last, f"ended by {signal.Signals(os.WTERMSIG(status)).name}")
        elif status:
            raise SystemExit("The fuzzer itself has failed.")
        harm = found / "harm.txt"
        result.harm = Counter(harm.read_text().splitlines() if harm.exists() else ())
    finally:
        with suppress(ProcessLookupError):
            os.killpg(child, signal.SIGKILL)  # with what the door has started
        shutil.rmtree(folder, ignore_errors=True)


def _try_inputs(
    door: Door,
    seed: tuple[int, int],
    inputs: int,
    until: float,
    found: Path,
    shared: mmap.mmap,
    folder: Path,
) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (_ADDRESS_BYTES, _ADDRESS_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    (folder / "own").mkdir()
    _tell_time(shared)
    use = door.open(folder / "own")
    source = Source(door, hash(seed))
    for sound in source.sound:
        _tell_time(shared)
        is_accepted, answer = attempt(use, sound, folder)
        if not (is_accepted or door.are_parts):
            raise AssertionError(f"A seed {sound.suffix} is refused: {answer}")
    accepted, before, in_forks_before = 0, _peak_bytes(), forks.most_taken_bytes()
    for number in range(1, inputs + 1):
        spoilt = source.next()
        shared[_HEAD.size : _HEAD.size + len(spoilt.content)] = spoilt.content
        head = (number, accepted, time.monotonic(), len(spoilt.content), spoilt.suffix.encode())
        _HEAD.pack_into(shared, 0, *head)
        is_accepted, answer, harm = tried(use, spoilt, folder)
        taken_bytes = max(_peak_bytes() - before, forks.most_taken_bytes() - in_forks_before)
        is_large = taken_bytes > 2 * door.most_bytes
        if is_large:
            harm = f"took more than twice {door.most_bytes / 1e6:.0f} MB of memory"
        if harm:
            _keep(found, spoilt, harm)
        source.learn(spoilt, harm or answer)
        accepted += is_accepted
        if is_large or time.monotonic() >= until:  # another process has its peak before it again
            break
    _HEAD.pack_into(shared, 0, number, accepted, 0.0, 0, b"")


def _tell_time(shared: mmap.mmap) -> None:
    """Lets the process that waits know that something begins before the first input."""
    _HEAD.pack_into(shared, 0, 0, 0, time.monotonic(), 0, b"")


def tried(use: Use, spoilt: Spoilt, folder: Path) -> tuple[bool, str, str]:
    """Returns whether it was accepted, what was answered, and the harm that was done or ""."""
    try:
        return *attempt(use, spoilt, folder), ""
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        return False, "", _kind_of(error)


def _peak_bytes() -> int:
    """The most memory that this process has ever had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _kind_of(error: BaseException) -> str:
    """The error with the last place in facekit that it passed."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if "/facekit/" in frame.filename] or frames
    place = f"{ours[-1].filename.rpartition('/facekit/')[2]}:{ours[-1].lineno}"
    said = " ".join(str(error).split())[:100]
    return f"{type(error).__name__} at {place}: {said.encode('ascii', 'replace').decode()}"


def _keep(found: Path, spoilt: Spoilt, harm: str) -> None:
    """Writes the first input of each kind of harm."""
    found.mkdir(parents=True, exist_ok=True)
    kind = hashlib.sha256(harm.partition(": ")[0].encode()).hexdigest()[:8]
    path = found / f"{kind}{spoilt.suffix}"
    if not path.exists() or len(spoilt.content) < path.stat().st_size:
        path.write_bytes(spoilt.content)
    with (found / "harm.txt").open("a") as file:
        file.write(f"{path.name} {harm.partition(': ')[0]}\n")
    example = path.with_suffix(f"{path.suffix}.txt")
    if not example.exists():
        example.write_text(f"{harm}\n")


if __name__ == "__main__":
    main()
