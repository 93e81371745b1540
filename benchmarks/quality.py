"""Fits facekit's unified quality score on degraded photos of LFW's View 1, and reports its worth.

    python benchmarks/quality.py fit --data ../shared/lfw --work /tmp/copies
    python benchmarks/quality.py report --data ../shared/lfw --work /tmp/copies

`fit` uses the people of pairsDevTrain and writes facekit/face/quality_fit.json; `report` uses those
of pairsDevTest, whom the fit has not seen.  Every photo is taken as it is (copy 0) and degraded
(copies 1, 2, ...), see benchmarks/degradations.py; a degraded copy is compared with the person's
other photos as they are.  --work keeps what was embedded, so that a second run only scores.
A copy in which the detector finds no face, or another one, is counted as not found.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from degradations import degraded
from numpy.typing import NDArray

from facekit.enums import FacePolicy
from facekit.errors import FacekitError
from facekit.evaluation.metrics.discard import error_versus_discard
from facekit.evaluation.metrics.error_rates import threshold_at_fmr
from facekit.evaluation.protocols.lfw import Protocol, find_lfw, read_protocol
from facekit.face.measures import Measures, measures
from facekit.face.quality_fit import FIT_FILE, features, standardized, unified_score
from facekit.model.store import find
from facekit.photo.decode import load_picture
from facekit.pipeline.locate import LocateOptions
from facekit.pipeline.pipeline import Pipeline, PipelineOptions
from facekit.types import Face

FMR = 1e-3
SEED = 1
SHARES = (0.0, 0.05, 0.1, 0.2, 0.3)
_NEAR = 0.35  # of the face's width: how far its center may lie from that of the photo as it is
_SAVE_EVERY = 100
_RIDGE = 5.0


@dataclass
class Copies:
    """The copies of one list's photos in which the right face was found."""

    people: NDArray[np.str_]
    paths: NDArray[np.str_]
    copies: NDArray[np.int_]
    ways: NDArray[np.str_]
    vectors: NDArray[np.float32]
    measures: list[Measures]
    not_found: Counter[str]

    @property
    def is_degraded(self) -> NDArray[np.bool_]:
        return self.copies > 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("task", choices=("fit", "report"))
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--model", default="sface")
    parser.add_argument("--detector", default="mtcnn")
    parser.add_argument("--copies", type=int, default=1)
    parser.add_argument("--photos", type=int, default=10**6, help="at most so many of the list")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    options.work.mkdir(parents=True, exist_ok=True)
    protocol = Protocol.DEVTRAIN if options.task == "fit" else Protocol.DEVTEST
    copies = embedded(protocol, options)
    print(json.dumps((fit if options.task == "fit" else report)(copies, options), indent=1))


def chosen(protocol: Protocol, options: argparse.Namespace) -> Iterator[tuple[str, str, int]]:
    """Yields person, path and copy of the people with two photos or more, in a random order."""
    of_person: dict[str, list[str]] = {}
    for photo in read_protocol(find_lfw(options.data), protocol).photos:
        of_person.setdefault(str(photo.person), []).append(photo.path)
    several = sorted(name for name, paths in of_person.items() if len(paths) > 1)
    order = np.random.default_rng(0).permutation(several)
    photos = [(str(name), path) for name in order for path in of_person[name][:8]]
    for person, path in photos[: options.photos]:
        for copy in range(options.copies + 1):
            yield person, path, copy


def embedded(protocol: Protocol, options: argparse.Namespace) -> Copies:
    """Reads what --work has, embeds the rest, and adds it."""
    file = options.work / f"{protocol.value}_{options.model}_{options.detector}.npz"
    rows: dict[tuple[str, int], dict[str, Any]] = {}
    if file.exists():
        stored = dict(np.load(file))
        for at, key in enumerate(
            zip(stored["path"].tolist(), stored["copy"].tolist(), strict=True)
        ):
            rows[key] = {name: column[at] for name, column in stored.items()}
    wanted = list(chosen(protocol, options))
    missing = [one for one in wanted if one[1:] not in rows]
    photos_dir = find_lfw(options.data).photos_dir
    pipeline = Pipeline(
        find(options.model),
        options=PipelineOptions(
            LocateOptions(face_policy=FacePolicy.CENTER, detector=options.detector), threads=1
        ),
    )
    size = pipeline.model.card.output_size
    for number, (person, path, copy) in enumerate(missing, 1):
        pixels, way = degraded(load_picture(photos_dir / path).pixels, path, copy, seed=SEED)
        nothing = (np.zeros(shape, np.float32) for shape in (4, (5, 2), size))
        (box, marks, vector), score = nothing, 0.0
        is_found = False
        try:
            (located,) = pipeline.locate([pixels])
            (face,) = located.selected
            (vector,) = pipeline.embedder.embed(pipeline.crop(located))
            box, marks, score = face.box_xyxy, face.landmarks_xy, face.score
            is_found = True
        except FacekitError as error:
            print(f"copy {copy} of {path}, {way}: {error}", file=sys.stderr)
        columns = ("person", "path", "copy", "way", "score", "box", "landmarks", "vector", "width",
                   "is_found")  # fmt: skip
        values = (person, path, copy, way, score, box, marks, vector, pixels.shape[1], is_found)
        rows[path, copy] = dict(zip(columns, values, strict=True))
        if number % _SAVE_EVERY == 0 or number == len(missing):
            print(f"{number} of {len(missing)}", file=sys.stderr)
            kept: dict[str, Any] = {
                name: np.array([row[name] for row in rows.values()]) for name in columns
            }
            np.savez(file, **kept)
    return joined([rows[path, copy] for _, path, copy in wanted], photos_dir)


def joined(rows: list[dict[str, Any]], photos_dir: Path) -> Copies:
    clean = {str(row["path"]): row for row in rows if row["copy"] == 0 and row["is_found"]}
    right = [row for row in rows if is_right(row, clean.get(str(row["path"])))]
    lost = Counter(str(row["way"]) if "+" not in str(row["way"]) else "two" for row in rows)
    lost.subtract(str(row["way"]) if "+" not in str(row["way"]) else "two" for row in right)
    return Copies(
        people=np.array([row["person"] for row in right]),
        paths=np.array([row["path"] for row in right]),
        copies=np.array([row["copy"] for row in right]),
        ways=np.array([row["way"] for row in right]),
        vectors=np.array([row["vector"] for row in right], np.float32),
        measures=[remeasured(row, photos_dir) for row in right],
        not_found=+lost,
    )


def remeasured(row: dict[str, Any], photos_dir: Path) -> Measures:
    path, copy = str(row["path"]), int(row["copy"])
    pixels, _ = degraded(load_picture(photos_dir / path).pixels, path, copy, seed=SEED)
    face = Face(row["box"].astype(np.float32), row["landmarks"].astype(np.float32), row["score"])
    found = measures(pixels, face)
    assert found is not None
    return found


def is_right(row: dict[str, Any], clean: dict[str, Any] | None) -> bool:
    """Whether the face is the one of the photo as it is: its center lies where it should."""
    if clean is None or not row["is_found"]:
        return False
    here, there = (one["box"].reshape(2, 2).mean(0) / one["width"] for one in (row, clean))
    width = (clean["box"][2] - clean["box"][0]) / clean["width"]
    return bool(np.abs(here - there).max() < _NEAR * width)


def trials(copies: Copies, *, is_degraded: bool) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Returns probes and references, (N,) and (N,): a copy, and any other photo as it is."""
    probes = np.flatnonzero(copies.is_degraded == is_degraded)
    references = np.flatnonzero(~copies.is_degraded)
    rows, columns = np.meshgrid(probes, references, indexing="ij")
    others = copies.paths[rows] != copies.paths[columns]
    if not is_degraded:  # each pair once
        others &= rows < columns
    return rows[others], columns[others]


def fit(copies: Copies, options: argparse.Namespace) -> dict[str, Any]:
    """Predicts how alike a copy and its own photo are, then how often the copy matches others."""
    from sklearn.linear_model import LogisticRegression, Ridge

    table = [features(one) for one in copies.measures]
    values = np.array([list(row.values()) for row in table])
    mean, deviation = values.mean(0), values.std(0)
    scaled = standardized(values, mean, deviation)
    own = {path: at for at, path in enumerate(copies.paths) if copies.copies[at] == 0}
    originals = copies.vectors[[own[path] for path in copies.paths]]
    alike = (copies.vectors * originals).sum(1)
    is_degraded = copies.is_degraded
    ridge = Ridge(alpha=_RIDGE).fit(scaled[is_degraded], alike[is_degraded])
    utility = ridge.predict(scaled)
    matched, weights = [], []
    for degraded_ones in (True, False):
        probes, references = trials(copies, is_degraded=degraded_ones)
        scores = (copies.vectors[probes] * copies.vectors[references]).sum(1)
        same = copies.people[probes] == copies.people[references]
        if degraded_ones:
            threshold = threshold_at_fmr(scores[~same], FMR)
        matched.append(np.column_stack([probes[same], scores[same] >= threshold]))
    outcomes = np.concatenate(matched)
    counts = np.bincount(outcomes[:, 0], minlength=len(copies.paths))
    weights = 1 / counts[outcomes[:, 0]]  # every copy counts once, however many photos it meets
    logistic = LogisticRegression(C=1e6).fit(
        utility[outcomes[:, 0], None], outcomes[:, 1], sample_weight=weights
    )
    slope, offset = float(logistic.coef_[0, 0]), float(logistic.intercept_[0])
    linear, square = np.split(ridge.coef_ * slope, 2)
    stored = {
        "made_by": "python benchmarks/quality.py fit --data LFW --work DIR "
        f"--model {options.model} --detector {options.detector} "
        f"--copies {options.copies} --photos {options.photos}",
        "photos": len(own),
        "degraded_copies": int(is_degraded.sum()),
        "offset": round(offset + slope * float(ridge.intercept_), 5),
        "features": {
            name: {
                "mean": round(float(mean[at]), 5),
                "deviation": round(float(deviation[at]), 5),
                "weight": round(float(linear[at]), 5),
                "square_weight": round(float(square[at]), 5),
            }
            for at, name in enumerate(table[0])
        },
    }
    FIT_FILE.write_text(json.dumps(stored, indent=1) + "\n")
    return {key: stored[key] for key in ("photos", "degraded_copies")}


def report(copies: Copies, options: argparse.Namespace) -> dict[str, Any]:
    unified = np.array([unified_score(one) for one in copies.measures])
    scores_of = {
        "unified_score": unified,
        "detector's score": np.array([one.score for one in copies.measures]),
        "sharpness": np.array([one.sharpness for one in copies.measures]),
        "-|yaw|": -np.abs([one.yaw_degrees for one in copies.measures]),
        "eye distance": np.array([one.eye_distance_px for one in copies.measures]),
    }
    told: dict[str, Any] = {"model": options.model, "detector": options.detector}
    for name, is_degraded in (("degraded", True), ("as they are", False)):
        probes, references = trials(copies, is_degraded=is_degraded)
        scores = (copies.vectors[probes] * copies.vectors[references]).sum(1)
        same = copies.people[probes] == copies.people[references]
        threshold = float(threshold_at_fmr(scores[~same], FMR))
        chosen = unified[copies.is_degraded == is_degraded]
        told[name] = {
            "probes": len(chosen),
            "genuine_pairs": int(same.sum()),
            "impostor_pairs": int((~same).sum()),
            "threshold_similarity": round(threshold, 4),
            "fnmr_after_discarding": {
                which: {
                    f"{point.discard_share:g}": round(point.fnmr, 4)
                    for point in error_versus_discard(
                        scores, same, np.column_stack([quality[probes], quality[references]]),
                        threshold=threshold, shares=SHARES,
                    )
                }
                for which, quality in scores_of.items()
            },
            "unified_score_quantiles": {
                f"{share:g}": round(float(np.quantile(chosen, share)), 1)
                for share in (0, 0.01, 0.05, 0.25, 0.5, 0.75, 1)
            },
            "by_unified_score": bins(unified[probes[same]], scores[same] >= threshold),
        }  # fmt: skip
    told["not_found"] = dict(copies.not_found)
    return told


def bins(quality: NDArray[np.float64], matched: NDArray[np.bool_]) -> list[dict[str, Any]]:
    """How many pairs really match, by what the score says: it is a percentage."""
    edges = (0, 10, 30, 50, 70, 80, 90, 95, 98, 100.01)
    inside = [(low, (quality >= low) & (quality < high)) for low, high in pairwise(edges)]
    return [
        {"from": low, "pairs": int(here.sum()), "mean_score": round(float(quality[here].mean()), 1),
         "match_percent": round(100 * float(matched[here].mean()), 1)}
        for low, here in inside if here.any()
    ]  # fmt: skip


if __name__ == "__main__":
    main()
