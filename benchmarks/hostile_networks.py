"""Counts damaged networks that crash LiteRT, and those of them that the trial lets pass.

Each mutant of a .tflite file, with a card of its own, is tried as `require_tried` tries a network
from outside.  One that passes is then used as a command uses it: by two photos, as a detector at
the sizes of a pyramid, or as an embedding network for a batch of three.  Both run in forked
processes.

    python benchmarks/hostile_networks.py tests/data/nets/open_sides.tflite --count 5000 --seed 1
    python benchmarks/hostile_networks.py mtcnn:pnet --count 1000 --seed 1
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import tempfile
import traceback
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np

from facekit.errors import FacekitError
from facekit.model.store import paths_of
from facekit.model.trial_process import try_network
from facekit.runtime.litert import LiteRtNet
from facekit.runtime.net import DYNAMIC
from facekit.runtime.packages import default_package

_PASSED, _REFUSED, _MISTAKE = 0, 3, 70
_WORDS = (b"\0\0\0\0", b"\xff\xff\xff\xff", b"\xff\xff\xff\x7f", b"\0\0\0\x80", b"\1\0\0\0")
_LONGEST_S = 60
_SIDES_PX = (480, 113, 12)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("model", help="a .tflite file, or a stored model")
    parser.add_argument("--count", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    (source, *_) = paths_of(given.model)
    content, rng = source.read_bytes(), random.Random(given.seed)
    default_package()  # imported once, for all of the forked processes
    tried: Counter[str] = Counter()
    used: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "mutant.tflite"
        item = {"path": str(path), "by_card": True}
        for _ in range(given.count):
            path.write_bytes(damaged(content, rng))
            end = ending(lambda: _REFUSED if try_network(item)["refused"] else _PASSED)
            tried[end] += 1
            if end == "passed":
                used[ending(lambda: use(path))] += 1
    print(f"{source.name}, {given.count} mutants of seed {given.seed}")
    print("tried:", dict(tried.most_common()))
    print("of those that passed, used:", dict(used.most_common()))


def damaged(content: bytes, rng: random.Random) -> bytes:
    """Returns the content with one or two changes, each of a bit or of an aligned word."""
    changed = bytearray(content)
    for _ in range(rng.choice((1, 1, 1, 2))):
        offset = rng.randrange(len(changed))
        if rng.random() < 0.5:
            changed[offset] ^= 1 << rng.randrange(8)
        else:
            start = min(offset & ~3, len(changed) - 4)
            changed[start : start + 4] = rng.choice(_WORDS)
    return bytes(changed)


def use(path: Path) -> int:
    """Runs the network as commands do; errors of facekit are answers too."""
    try:
        net = LiteRtNet(path)
        for side_px in _SIDES_PX:
            shape = [side_px if side == DYNAMIC else side for side in net.inputs[0].shape[1:]]
            for batch in (1, 3):
                net.run(np.full((batch, *shape), 0.5, np.float32))
    except FacekitError:
        return _REFUSED
    return _PASSED


def ending(work: Callable[[], int]) -> str:
    """Returns how a forked process ends that does the work."""
    child = os.fork()
    if child == 0:
        code = _MISTAKE
        try:
            silent = os.open(os.devnull, os.O_WRONLY)
            os.dup2(silent, 1)
            signal.alarm(_LONGEST_S)
            code = work()
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return signal.Signals(os.WTERMSIG(status)).name
    names = {_PASSED: "passed", _REFUSED: "refused", _MISTAKE: "another exception"}
    return names[os.WEXITSTATUS(status)]


if __name__ == "__main__":
    main()
