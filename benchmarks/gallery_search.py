"""How long a search takes, by the number of templates: cold from the shell, warm, approximate.

    python benchmarks/gallery_search.py cold --templates 100000 --photos tests/data
    python benchmarks/gallery_search.py exact --templates 1000000 [--vectors faces --data LFW]
    python benchmarks/gallery_search.py index --templates 100000 [--vectors faces --data LFW]

The templates are made up, see made_up_gallery.py.  `cold` times whole `facekit identify`
processes, the best and the median of five.  `exact` compares search by int8 codes with search by
float32 products: times, and whether each answer is the same.  Where other work shares the machine,
CPU time is the better figure.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from made_up_gallery import A_PERSON, SIZE, blocks, probes, random_spread, spread_of_faces
from made_up_gallery import table as made_up

from facekit.enums import PersonRule
from facekit.gallery.search.approximate import open_index, write_index
from facekit.gallery.search.cache import Stamp
from facekit.gallery.search.codes import encoded
from facekit.gallery.search.exact import ExactSearch, VectorTable
from facekit.gallery.sqlite.encryption import no_secret
from facekit.gallery.sqlite.session import SqliteSession
from facekit.types import Float32Array

TOP = 5
QUERIES = 100  # of enrolled people, and as many of others


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("cold", "exact", "index"))
    parser.add_argument("--templates", type=int, required=True)
    parser.add_argument("--photos", type=Path, default=Path("tests/data"))
    parser.add_argument("--vectors", choices=("random", "faces"), default="random")
    parser.add_argument("--data", type=Path, help="LFW, for --vectors faces")
    options = parser.parse_args()
    if options.vectors == "faces" and options.data is None:
        parser.error("--vectors faces needs --data: the folder of LFW's photos")
    if options.what == "cold":
        result = cold(options.templates, options.photos)
    else:
        spread = random_spread() if options.vectors == "random" else spread_of_faces(options.data)
        table = made_up(spread, options.templates)
        queries = {
            kind: probes(spread, options.templates, QUERIES, mated=kind == "mated")
            for kind in ("mated", "unmated")
        }
        result = (exact if options.what == "exact" else approximate)(table, queries)
    usage = resource.getrusage(resource.RUSAGE_SELF)
    told = {"templates": options.templates, "vectors": options.vectors, **result}
    print(json.dumps({**told, "peak_rss_mb": usage.ru_maxrss / 1e3, "load": os.getloadavg()[0]}))


def cold(templates: int, photos: Path) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "gallery.db"
        facekit = [sys.executable, "-m", "facekit"]
        gallery = ("--gallery", str(path))
        enroll = [*facekit, "enroll", "Obama", str(photos / "obama.jpg"), *gallery]
        subprocess.run(enroll, check=True, stdout=subprocess.DEVNULL)
        fill(path, templates - 1)
        query = [str(photos / "obama2.jpg"), "--threshold", "0.5", "--json"]
        seconds, cpu = [], []
        for _ in range(6):  # the first one writes the copy of the vectors
            start, cpu_before = time.perf_counter(), children_cpu_s()
            done = subprocess.run(
                [*facekit, "identify", *query, *gallery], capture_output=True, check=True
            )
            seconds.append(time.perf_counter() - start)
            cpu.append(children_cpu_s() - cpu_before)
            told = json.loads(done.stdout)
            assert told["photos"][0]["faces"][0]["name"] == "Obama", told
        return {
            "first_s": seconds[0],
            "best_s": min(seconds[1:]),
            "median_s": float(np.median(seconds[1:])),
            "median_cpu_s": float(np.median(cpu[1:])),
            "bytes": sum(file.stat().st_size for file in path.parent.iterdir()),
        }


def children_cpu_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def fill(path: Path, templates: int) -> None:
    """Made-up people in one transaction, past the one for each person."""
    session = SqliteSession(path, secret=no_secret, timeout_s=10)
    connection = session.connection
    with session.writing():
        number = 0
        for block in blocks(random_spread(), templates):
            for vector in block:
                person = 10 + number // A_PERSON
                if session.person_id(f"P{person}") is None:
                    session.add_person(f"P{person}", "", person_id=person)
                photo_sha256 = f"{number:064x}"
                owner = session.owner(person, photo_sha256)
                connection.execute(
                    "INSERT INTO template (person_id, space_id, photo, photo_sha256, enrolled_at, "
                    "vector) VALUES (?, 1, '', ?, '', ?)",
                    (person, photo_sha256, session.codec.encode(vector, owner)),
                )
                number += 1
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()


def exact(table: VectorTable, queries: dict[str, Float32Array]) -> dict[str, Any]:
    start = time.perf_counter()
    coded = replace(table, codes=encoded(table.vectors))
    told: dict[str, Any] = {"encode_s": time.perf_counter() - start}
    quick, plain = ExactSearch([coded]), ExactSearch([table])
    for kind, vectors in queries.items():
        by_codes, of_codes = timed(lambda q: quick.rank(q, rule=PersonRule.BEST, top=TOP), vectors)
        by_float, of_float = timed(lambda q: plain.rank(q, rule=PersonRule.BEST, top=TOP), vectors)
        told[kind] = {
            "codes": of_codes,
            "float32": of_float,
            "same_answers": sum(map(same, by_codes, by_float)),
            "of": len(vectors),
        }
    return told


def same(left: Any, right: Any) -> bool:
    """The same people in the same order, but for similarities that float32 cannot tell apart."""
    return all(
        mine[0] == theirs[0] or abs(mine[1] - theirs[1]) < 3e-7
        for mine, theirs in zip(left[0], right[0], strict=True)
    )


def approximate(table: VectorTable, queries: dict[str, Float32Array]) -> dict[str, Any]:
    stamp = Stamp("made up", 0, SIZE)
    nearest = {kind: best_rows(table, vectors) for kind, vectors in queries.items()}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "gallery.db"
        start, cpu = time.perf_counter(), time.process_time()
        write_index(path, stamp, [table])
        told: dict[str, Any] = {
            "build_s": time.perf_counter() - start,
            "build_cpu_s": time.process_time() - cpu,
            "index_bytes": sum(os.path.getsize(Path(folder) / name) for name in os.listdir(folder)),
        }
        index = open_index(path, stamp)
        assert index is not None
        propose = index.propose
        for kind, vectors in queries.items():
            found, times = timed(lambda q: propose(q[0], 64), vectors)
            hits = [
                table.template_ids[row] in proposed
                for row, proposed in zip(nearest[kind], found, strict=True)
            ]
            told[kind] = {**times, "recall_at_1": float(np.mean(hits))}
        return told


def best_rows(table: VectorTable, queries: Float32Array) -> list[int]:
    """Row of the nearest template of each query, by all products."""
    return [int((table.vectors @ query).argmax()) for query in queries]


def timed(
    search: Callable[[Float32Array], Any], queries: Float32Array
) -> tuple[list[Any], dict[str, float]]:
    """What each query gives, one at a time, and how long that took."""
    search(queries[:1])
    results, milliseconds, cpu = [], [], time.process_time()
    for query in queries:
        start = time.perf_counter()
        results.append(search(query[None]))
        milliseconds.append(1e3 * (time.perf_counter() - start))
    cpu_ms = 1e3 * (time.process_time() - cpu) / len(queries)
    quarter, median = np.percentile(milliseconds, [25, 50])
    return results, {
        "best_ms": min(milliseconds),
        "quarter_ms": float(quarter),
        "median_ms": float(median),
        "cpu_ms": cpu_ms,
    }


if __name__ == "__main__":
    main()
