"""How long detection takes, whole and by stage.

    python benchmarks/detection_speed.py --photos 200

LFW photos (250 x 250), then one photo of 12 megapixels.  Needs the mtcnn model and LFW
(FACEKIT_LFW or ../shared/lfw).
"""

from __future__ import annotations

import argparse
import time
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from peers import REPOSITORY, lfw_photos, pixels

from facekit.face.mtcnn.cascade import Mtcnn
from facekit.face.mtcnn.options import MtcnnOptions
from facekit.pipeline.locate import LocateOptions, Locator
from facekit.runtime.net import Net, TensorSpec
from facekit.types import UInt8Array


class TimedNet:
    """A net that adds up the milliseconds of its runs."""

    def __init__(self, net: Net) -> None:
        self._net = net
        self.ms = 0.0
        self.windows = 0

    @property
    def inputs(self) -> Sequence[TensorSpec]:
        return self._net.inputs

    @property
    def outputs(self) -> Sequence[TensorSpec]:
        return self._net.outputs

    def run(self, batch: NDArray[Any]) -> tuple[NDArray[Any], ...]:
        start = time.perf_counter()
        result = self._net.run(batch)
        self.ms += (time.perf_counter() - start) * 1e3
        self.windows += len(batch)
        return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", type=int, default=200)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--search-side", type=int, default=MtcnnOptions().search_side_px)
    args = parser.parse_args()

    cv2.setNumThreads(args.threads)
    options = MtcnnOptions(search_side_px=args.search_side)
    portrait = pixels(REPOSITORY / "tests" / "data" / "obama.jpg")
    large = np.asarray(cv2.resize(portrait, (3000, 4000)), np.uint8)
    print(f"{args.threads} thread(s); ms, median of all photos; calls and windows in the mean")
    report("LFW, 250 x 250", [pixels(path) for path in lfw_photos(args.photos)], args, options)
    report("12 MP, 3000 x 4000", [large] * 10, args, options)


def report(
    title: str, images: list[UInt8Array], args: argparse.Namespace, options: MtcnnOptions
) -> None:
    detector = Locator(options=LocateOptions(threads=args.threads)).detector
    start = time.perf_counter()
    detector.detect(images[:1], options=options)
    first_ms = (time.perf_counter() - start) * 1e3
    detector.detect(images[:1], options=options)  # now every level has its interpreter

    columns: dict[str, list[float]] = defaultdict(list)
    for image in images:
        assert isinstance(detector, Mtcnn)
        nets = [TimedNet(net) for net in (detector.pnet, detector.rnet, detector.onet)]
        start, cpu_start = time.perf_counter(), time.process_time()
        Mtcnn(*nets).detect([image], options=options)
        total = (time.perf_counter() - start) * 1e3
        columns["total, CPU time"].append((time.process_time() - cpu_start) * 1e3)
        for name, net in zip(("P-Net", "R-Net", "O-Net"), nets, strict=True):
            columns[name].append(net.ms)
            columns[f"{name} windows"].append(net.windows)
        columns["around the nets"].append(total - sum(net.ms for net in nets))
        columns["total"].append(total)

    print(f"\n{title}: {len(images)} photos, the first in {first_ms:.1f} ms")
    for name in ("P-Net", "R-Net", "O-Net", "around the nets", "total", "total, CPU time"):
        unit = "levels" if name == "P-Net" else "windows"
        counts = columns.get(f"{name} windows")
        note = f"  {np.mean(counts):.1f} {unit}" if counts else ""
        print(f"  {name:16}{np.median(columns[name]):7.2f}{note}")
    print(f"  {'total, 95 %':16}{np.quantile(columns['total'], 0.95):7.2f}")


if __name__ == "__main__":
    main()
