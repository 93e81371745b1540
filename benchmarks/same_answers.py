"""Whether facekit answers alike with other versions of Python, NumPy, OpenCV and LiteRT.

    scripts/test-versions.sh bsp-6.1 --answers LFW    writes out/answers/bsp-6.1.json
    scripts/test-versions.sh 3.13 --answers LFW       writes out/answers/3.13.json
    python benchmarks/same_answers.py --compare out/answers/3.13.json out/answers/*.json

The answers are those of `verify` for the portraits in tests/data and, if LFW's folder is given, for
the first 150 pairs of each kind of its pairsDevTest.txt (View 1), by the default model and detector
at the threshold of its card.  --compare takes the first file for the right one, and exits 1 if the
similarity of the two portraits of one person in another differs by more than 0.01, or any decision.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import itertools
import json
import platform
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("numpy", "opencv-python-headless", "click", "ai-edge-litert", "tflite-runtime")
PORTRAITS = "obama.jpg obama2.jpg"
TOLERANCE = 0.01
PAIRS_OF_EACH_KIND = 150


def answers(lfw: Path | None) -> dict[str, Any]:
    """The versions, and what `verify` answers for each pair of photos."""
    import facekit

    portraits = itertools.combinations(sorted((ROOT / "tests" / "data").glob("*.jpg")), 2)
    pairs = {f"{a.name} {b.name}": (a, b) for a, b in portraits}
    if lfw is None:
        print("LFW was not given: portraits only", file=sys.stderr)
    else:
        pairs.update(view1_pairs(lfw))
    verified = list(facekit.verify_pairs(pairs.values(), workers=1))
    return {
        "versions": versions(),
        "pairs": {
            name: {key: one.to_dict().get(key) for key in ("similarity", "verified", "error")}
            for name, one in zip(pairs, verified, strict=True)
        },
    }


def view1_pairs(lfw: Path) -> dict[str, tuple[Path, Path]]:
    from facekit.evaluation.protocols.lfw import Protocol, find_lfw, read_protocol

    folders = find_lfw(lfw)
    chosen = read_protocol(folders, Protocol.DEVTEST).first(PAIRS_OF_EACH_KIND)
    return {
        f"{pair.a.path} {pair.b.path}": (
            folders.photos_dir / pair.a.path,
            folders.photos_dir / pair.b.path,
        )
        for pair in chosen.pairs
    }


def versions() -> dict[str, str]:
    installed = {
        one.metadata["Name"].lower().replace("_", "-"): one.version
        for one in importlib.metadata.distributions()
    }
    packages = {name: installed[name] for name in PACKAGES if name in installed}
    return {"python": platform.python_version(), **packages}


def compare(right: dict[str, Any], other: dict[str, Any]) -> tuple[str, bool]:
    """A line for people, and whether `other` answers as `right` does."""
    if right["pairs"].keys() != other["pairs"].keys():
        return "other pairs: measure both with LFW or both without", False
    both = [(answer, other["pairs"][name]) for name, answer in right["pairs"].items()]
    differences = [
        abs(a["similarity"] - b["similarity"]) for a, b in both if not (a["error"] or b["error"])
    ]
    portraits = abs(
        right["pairs"][PORTRAITS]["similarity"] - other["pairs"][PORTRAITS]["similarity"]
    )
    turned = [
        f"{name}: {a} and not {b}"
        for name, (a, b) in zip(right["pairs"], both, strict=True)
        if a["verified"] != b["verified"] or bool(a["error"]) != bool(b["error"])
    ]
    line = (
        f"portraits differ by {portraits:.4f}; of {len(both)} pairs "
        f"{sum(one > 1e-4 for one in differences)} by more than 0.0001, at most by "
        f"{max(differences):.4f}; other decisions: {len(turned)}"
    )
    return "\n    ".join([line, *turned]), portraits <= TOLERANCE and not turned


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lfw", type=Path, help="LFW's folder, with its pair lists")
    parser.add_argument("-o", "--output", type=Path, help="JSON file to write the answers to")
    parser.add_argument(
        "--compare", type=Path, nargs="+", metavar="FILE", help="the right one first"
    )
    args = parser.parse_args()
    if args.output:
        args.output.write_text(json.dumps(answers(args.lfw), indent=1) + "\n")
    elif args.compare:
        right, *others = (json.loads(path.read_text()) for path in args.compare)
        alike = True
        for path, other in zip(args.compare[1:], others, strict=True):
            line, same = compare(right, other)
            alike &= same
            print(f"{path.stem} ({', '.join(map(' '.join, other['versions'].items()))}): {line}")
        sys.exit(not alike)
    else:
        parser.error("-o or --compare is needed")


if __name__ == "__main__":
    main()
