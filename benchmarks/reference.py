"""The figures of facekit/bench/reference.json: what models cost, for `models list` and README.

    python benchmarks/reference.py > facekit/bench/reference.json

Processor time of one thread: of an embedding by each model of the registry that is stored, and of
a search in a photo of LFW, 250 x 250, by each detector.  For an idle machine: where others use
memory and caches, processor time is longer too.  Needs LFW (FACEKIT_LFW or ../shared/lfw).
"""

from __future__ import annotations

import json
import sys
from functools import partial

from peers import lfw_photos, pixels

from facekit.bench.machine import description, is_busy
from facekit.bench.speed import measure, median_ms
from facekit.model import registry
from facekit.model.card import Task
from facekit.model.store import find, is_installed, paths_of
from facekit.pipeline.locate import LocateOptions, Locator

PHOTOS = 50


def main() -> None:
    if is_busy():
        print("This machine is busy: times will be longer than it needs.", file=sys.stderr)
    photos = [pixels(path) for path in lfw_photos(PHOTOS)]
    figures = {}
    for name in filter(is_installed, registry.names()):
        if registry.entry(name).task is Task.EMBEDDING:
            ms = measure(find(name)).median_ms
        else:
            detect = Locator(options=LocateOptions(detector=name)).detect
            ms = median_ms(partial(detect, photos)) / PHOTOS
        size_bytes = sum(path.stat().st_size for path in paths_of(name))
        figures[name] = {"median_ms": round(ms, 2), "size_bytes": size_bytes}
    print(json.dumps({"machine": description(), "models": figures}, indent=1))


if __name__ == "__main__":
    main()
