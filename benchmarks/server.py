"""facekit serve measured: time over that of the pipeline itself, throughput, memory, kills.

    python benchmarks/server.py --lfw DIR [--requests 400] [--clients 8] [--kills 20]

Everything is measured in turns within one run, so that ratios hold on a machine that others use.
"spare" is what two busy processes do beside one there: no throughput can grow by more.
"""

from __future__ import annotations

import argparse
import http.client
import itertools
import json
import os
import resource
import signal
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import facekit

Pair = tuple[Path, Path]
LOADED_SHARE = 0.8
"""Of the memory that a worker has when the service is ready, from which one has loaded again."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lfw", type=Path, required=True, help="a folder of folders of photos")
    parser.add_argument("--requests", type=int, default=400)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--only", nargs="*", default=[name for name, _ in PARTS])
    given = parser.parse_args()
    photos = sorted(given.lfw.rglob("*.jpg"))[:: 13233 // 400]
    pairs = list(itertools.islice(itertools.cycle(itertools.pairwise(photos)), given.requests))
    for name, part in PARTS:
        if name in given.only:
            part(pairs, given)


def overhead(pairs: Sequence[Pair], _given: argparse.Namespace) -> None:
    """One client beside the pipeline in this process, question by question."""
    pipeline = facekit.load(threads=1)
    here: list[float] = []
    there: list[float] = []
    differences: list[float] = []
    with serving("--workers", "1", "--threads", "1") as (port, _):
        connection = http.client.HTTPConnection("127.0.0.1", port)
        for number, pair in enumerate(pairs):
            one = timed(partial(verified_here, pipeline, pair))
            other = timed(partial(asked, connection, pair))
            if number >= 10:
                here.append(one)
                there.append(other)
                differences.append(other - one)
    say("in process", here)
    say("over HTTP, 1 client", there)
    print(f"  overhead, median of the differences: {statistics.median(differences):.1f} ms")


def throughput(pairs: Sequence[Pair], given: argparse.Namespace) -> None:
    """One client, then several, of two workers; threads over one pipeline beside them."""
    with serving("--workers", "2", "--threads", "1", "--queue", "64") as (port, process):
        load(port, pairs[:20], 2)
        for _ in range(2):
            one = load(port, pairs, 1)
            many = load(port, pairs, given.clients)
            ratio = (len(pairs) / many[0]) / (len(pairs) / one[0])
            for label, (seconds, times) in (("1 client", one), (f"{given.clients} clients", many)):
                say(f"processes, {label}: {len(pairs) / seconds:.1f} a second", times)
            print(f"  spare: {spare():.2f} times the work of one process")
            print(f"  {ratio:.2f} times the throughput of one client")
        print(f"  memory of server and workers: {memory_mb(process):.0f} MB")
    pipeline = facekit.load(threads=1)
    for threads in (1, 2):
        with ThreadPoolExecutor(threads) as pool:
            began = time.perf_counter()
            list(pool.map(lambda pair: verified_here(pipeline, pair), pairs))
            rate = len(pairs) / (time.perf_counter() - began)
        print(f"  {threads} threads over one pipeline: {rate:.1f} a second")
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"  memory of this process: {peak_mb:.0f} MB")


def memory(pairs: Sequence[Pair], given: argparse.Namespace) -> None:
    """Resident memory of all processes every tenth of the requests."""
    with serving("--workers", "2", "--threads", "1", "--queue", "64") as (port, process):
        step = max(1, len(pairs) // 10)
        for done in range(0, len(pairs), step):
            load(port, pairs[done : done + step], 2)
            print(f"  after {done + step:6} requests: {memory_mb(process):.1f} MB")


def kills(pairs: Sequence[Pair], given: argparse.Namespace) -> None:
    """Workers killed under load, while people are enrolled too."""
    gallery = Path("/tmp") / f"facekit-kills-{os.getpid()}.db"
    statuses: list[int] = []
    is_over = threading.Event()
    options = ("--workers", "2", "--threads", "1", "--queue", "64", "--gallery", str(gallery))
    with serving(*options) as (port, process):

        def ask(number: int) -> None:
            connection = http.client.HTTPConnection("127.0.0.1", port)
            for turn, pair in enumerate(itertools.cycle(pairs)):
                if is_over.is_set():
                    return
                if number == 0:
                    statuses.append(enrolled(connection, f"person {turn}", pair[0]))
                else:
                    statuses.append(asked(connection, pair))

        clients = [threading.Thread(target=ask, args=(n,)) for n in range(given.clients)]
        for client in clients:
            client.start()
        done, ready_mb = 0, min(map(resident_mb, workers_of(process)))
        while done < given.kills:
            time.sleep(0.5)
            loaded = [
                one for one in workers_of(process) if resident_mb(one) > LOADED_SHARE * ready_mb
            ]
            if loaded:  # one that is killed while it loads is begun anew after 5 s
                os.kill(loaded[done % len(loaded)], signal.SIGKILL)
                done += 1
        time.sleep(3)
        is_over.set()
        for client in clients:
            client.join()
    lost = sum(status != 200 for status in statuses)
    print(
        f"  {given.kills} kills under load: {len(statuses)} requests, {lost} answered with an error"
    )
    checked = [sys.executable, "-m", "facekit", "gallery", "check", "--gallery", str(gallery)]
    print(
        " ",
        subprocess.run(checked, capture_output=True, text=True, check=True).stdout.split("\n")[0],
    )
    for path in gallery.parent.glob(f"{gallery.name}*"):
        path.unlink()


def cold(pairs: Sequence[Pair], _given: argparse.Namespace) -> None:
    """The thin client as a process, beside Python alone and facekit verify.

    Processor time is that of the process alone, without the service's; the wall time has both.
    """
    with serving("--workers", "1", "--threads", "1") as (port, _):
        server = ("--server", f"http://127.0.0.1:{port}")
        commands = {
            "python -c pass": ["-c", "pass"],
            "facekit verify --server": ["-m", "facekit", "verify", *server],
            "facekit verify": ["-m", "facekit", "verify"],
        }
        times: dict[str, list[float]] = {name: [] for name in commands}
        busy: dict[str, list[float]] = {name: [] for name in commands}
        for pair in pairs[:15]:
            for name, command in commands.items():
                photos = [] if "-c" in command else [str(photo) for photo in pair]
                began = time.perf_counter()
                child = subprocess.Popen([sys.executable, *command, *photos], stdout=-3, stderr=-3)
                _, _, used = os.wait4(child.pid, 0)
                child.returncode = 0
                times[name].append((time.perf_counter() - began) * 1e3)
                busy[name].append((used.ru_utime + used.ru_stime) * 1e3)
    for name, found in times.items():
        say(f"{name}, {statistics.median(busy[name]):.0f} ms of processor time", found)


def verified_here(pipeline: facekit.Pipeline, pair: Pair) -> None:
    """What a worker does, reading the files included; a photo without a face counts too."""
    with suppress(facekit.FaceError):
        json.dumps(pipeline.verify(*pair).to_dict())


def spare() -> float:
    """How much more two processes compute than one in the same time."""

    def seconds(processes: int) -> float:
        began = time.perf_counter()
        children = [
            subprocess.Popen([sys.executable, "-c", "sum(i * i for i in range(20_000_000))"])
            for _ in range(processes)
        ]
        for child in children:
            child.wait()
        return time.perf_counter() - began

    return 2 * seconds(1) / seconds(2)


@contextmanager
def serving(*options: str) -> Iterator[tuple[int, subprocess.Popen[str]]]:
    command = [sys.executable, "-m", "facekit", "serve", "--port", "0", "--json", *options]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout is not None
        port = urlsplit(json.loads(process.stdout.readline())["address"]).port
        assert port is not None
        try:
            yield port, process
        finally:
            process.terminate()


def asked(connection: http.client.HTTPConnection, pair: Pair) -> int:
    return posted(
        connection, "/verify", {"img1": pair[0].read_bytes(), "img2": pair[1].read_bytes()}
    )


def enrolled(connection: http.client.HTTPConnection, name: str, photo: Path) -> int:
    return posted(connection, "/enroll", {"photos": photo.read_bytes(), "name": name.encode()})


def posted(connection: http.client.HTTPConnection, path: str, parts: dict[str, bytes]) -> int:
    """The status; 200 for a photo without a face, which is an answer."""
    body = b"".join(
        b'--x\r\nContent-Disposition: form-data; name="%s"%s\r\n\r\n%s\r\n'
        % (name.encode(), b"" if name == "name" else b'; filename="a.jpg"', content)
        for name, content in parts.items()
    )
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    connection.request("POST", path, body + b"--x--\r\n", headers)
    response = connection.getresponse()
    response.read()
    return 200 if response.status == 422 else response.status


def load(port: int, pairs: Sequence[Pair], clients: int) -> tuple[float, list[float]]:
    """Seconds in all, and the milliseconds of each request."""
    waiting = iter(pairs)
    lock = threading.Lock()
    times: list[float] = []

    def ask() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port)
        while True:
            with lock:
                pair = next(waiting, None)
            if pair is None:
                return
            times.append(timed(partial(asked, connection, pair)))

    began = time.perf_counter()
    threads = [threading.Thread(target=ask) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return time.perf_counter() - began, times


def timed(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return (time.perf_counter() - began) * 1e3


def say(label: str, times: Sequence[float]) -> None:
    ordered = sorted(times)
    p99 = ordered[min(len(ordered) - 1, int(0.99 * len(ordered)))]
    print(f"  {label}: p50 {statistics.median(ordered):.1f} ms, p99 {p99:.1f} ms, n={len(ordered)}")


def workers_of(process: subprocess.Popen[str]) -> list[int]:
    """The worker processes; each is the child of the thread that has started it."""
    found = []
    for children in Path(f"/proc/{process.pid}/task").glob("*/children"):
        with suppress(OSError):  # it has ended
            for child in children.read_text().split():
                if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes():
                    found.append(int(child))
    return found


def memory_mb(process: subprocess.Popen[str]) -> float:
    """Resident memory of the server and its workers."""
    return sum(map(resident_mb, (process.pid, *workers_of(process))))


def resident_mb(process_id: int) -> float:
    """0 for a process that has ended."""
    try:
        status = Path(f"/proc/{process_id}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0]) / 1024
    except (OSError, IndexError):
        return 0.0


PARTS: tuple[tuple[str, Callable[[Sequence[Pair], argparse.Namespace], None]], ...] = (
    ("overhead", overhead),
    ("throughput", throughput),
    ("memory", memory),
    ("kills", kills),
    ("cold", cold),
)

if __name__ == "__main__":
    main()
