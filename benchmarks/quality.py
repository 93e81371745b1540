"""Fits facekit's unified quality score on degraded photos of LFW's View 1, and reports its worth.

    python benchmarks/quality.py fit --data ../shared/lfw --work /tmp/copies
    python benchmarks/quality.py report --data ../shared/lfw --work /tmp/copies
    python benchmarks/quality.py time --data ../shared/lfw --photos 100

`fit` uses the people of pairsDevTrain and writes facekit/face/quality_fit.json; `report` uses those
of pairsDevTest, whom the fit has not seen.  Every photo is taken as it is (copy 0) and degraded
(copies 1, 2, ...), see benchmarks/degradations.py; a degraded copy is compared with the person's
other photos as they are.  --work keeps what was embedded, so that a second run only scores.
A copy in which the detector finds no face, or another one, is counted as not found.

Shares that are left out are shares of the genuine pairs, by the lower quality of their two photos,
as ISO/IEC 29794-1:2024 has it.  "own photo" in a report is no quality score: it is how alike the
copy and its own photo as it is are to the model itself, which nobody knows beforehand.  It shows
about how much any quality score of single photos could tell.
"""

from __future__ import annotations

import argparse
import functools
import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from degradations import degraded, severity_of
from numpy.typing import NDArray

from facekit.enums import FacePolicy
from facekit.errors import FacekitError
from facekit.evaluation.metrics.discard import error_versus_discard
from facekit.evaluation.metrics.error_rates import threshold_at_fmr
from facekit.evaluation.protocols.lfw import Protocol, find_lfw, read_protocol
from facekit.face.measures import Measures, measures
from facekit.face.quality import rate_faces
from facekit.face.quality_fit import FIT_FILE, features, standardized, unified_score
from facekit.model.store import InstalledModel, find
from facekit.photo.decode import load_picture
from facekit.pipeline.locate import LocateOptions, Locator
from facekit.pipeline.pipeline import Pipeline, PipelineOptions
from facekit.types import Face

FMR = 1e-3
SEED = 1
SHARES = (0.0, 0.05, 0.1, 0.2, 0.3)
_NEAR = 0.35  # of the face's width: how far its center may lie from that of the photo as it is
_SAVE_EVERY = 200
_MILD = 0.5
_VECTOR = "vector_"
_RIDGE = 5.0


@dataclass
class Copies:
    """The copies of one list's photos in which the right face was found."""

    people: NDArray[np.str_]
    paths: NDArray[np.str_]
    copies: NDArray[np.int_]
    ways: NDArray[np.str_]
    vectors: dict[str, NDArray[np.float32]]
    """Of each model."""
    measures: list[Measures]
    not_found: Counter[str]

    @property
    def is_degraded(self) -> NDArray[np.bool_]:
        return self.copies > 0

    @property
    def is_mild(self) -> NDArray[np.bool_]:
        """Degraded with less than half of the severity, in the first way of two."""
        drawn = zip(self.paths.tolist(), self.copies.tolist(), strict=True)
        found = [copy > 0 and severity_of(path, copy, seed=SEED) < _MILD for path, copy in drawn]
        return np.array(found)

    def alike(self, model: str) -> NDArray[np.float32]:
        """The similarity of each copy and its own photo as it is."""
        own = {path: at for at, path in enumerate(self.paths) if self.copies[at] == 0}
        vectors = self.vectors[model]
        return np.asarray((vectors * vectors[[own[path] for path in self.paths]]).sum(1))


@dataclass
class Outcomes:
    """The genuine pairs of probes with references, and the threshold at FMR 1e-3."""

    probes: NDArray[np.intp]
    references: NDArray[np.intp]
    scores: NDArray[np.float32]
    threshold_similarity: float
    impostor_pairs: int

    @property
    def matched(self) -> NDArray[np.bool_]:
        return self.scores >= self.threshold_similarity

    def of(self, chosen: NDArray[np.bool_]) -> Outcomes:
        """The pairs whose probe is among those; the threshold stays."""
        here = chosen[self.probes]
        return replace(
            self,
            probes=self.probes[here],
            references=self.references[here],
            scores=self.scores[here],
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("task", choices=("fit", "report", "time"))
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, default=Path("copies"))
    parser.add_argument("--model", nargs="+", default=["sface", "facenet512-casia"])
    parser.add_argument("--detector", default="mtcnn")
    parser.add_argument("--copies", type=int, default=1)
    parser.add_argument("--photos", type=int, default=10**6, help="at most so many of the list")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    if options.task == "time":
        print(json.dumps(timed(options), indent=1))
        return
    options.work.mkdir(parents=True, exist_ok=True)
    protocol = Protocol.DEVTRAIN if options.task == "fit" else Protocol.DEVTEST
    copies = embedded(protocol, options)
    print(json.dumps((fit if options.task == "fit" else report)(copies, options), indent=1))


def timed(options: argparse.Namespace) -> dict[str, Any]:
    """Measures the processor time that rating takes on one thread, and that of finding faces.

    Medians over the photos of the least of three times each, because other work on the machine
    slows them down.
    """
    locator = Locator(options=LocateOptions(FacePolicy.CENTER, options.detector))
    photos_dir = find_lfw(options.data).photos_dir
    wanted = [path for _, path, copy in chosen(Protocol.DEVTEST, options) if copy == 0]
    pictures = [load_picture(photos_dir / path).pixels for path in wanted]
    spent: dict[str, list[float]] = {"detector_ms": [], "rating_ms": []}
    located = locator.locate(pictures[:1])
    rate_faces(located[0].picture.pixels, located[0].selected)  # what is loaded once
    for pixels in pictures:
        (found,) = locator.locate([pixels])
        steps: dict[str, Callable[[], object]] = {
            "detector_ms": functools.partial(locator.locate, [pixels]),
            "rating_ms": functools.partial(rate_faces, pixels, found.selected),
        }
        for name, step in steps.items():
            times = []
            for _ in range(3):
                start = time.process_time()
                step()
                times.append(1e3 * (time.process_time() - start))
            spent[name].append(min(times))
    medians = {name: round(float(np.median(found)), 2) for name, found in spent.items()}
    return {"faces": len(pictures), **medians}


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
    file = options.work / f"{protocol.value}_{'_'.join(options.model)}_{options.detector}.npz"
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
    locate = LocateOptions(face_policy=FacePolicy.CENTER, detector=options.detector)
    pipelines = [
        Pipeline(find(model), options=PipelineOptions(locate, threads=1)) for model in options.model
    ]
    for number, (person, path, copy) in enumerate(missing, 1):
        pixels, way = degraded(load_picture(photos_dir / path).pixels, path, copy, seed=SEED)
        row: dict[str, Any] = {
            "person": person, "path": path, "copy": copy, "way": way, "width": pixels.shape[1],
            "is_found": False, "score": 0.0, "box": np.zeros(4, np.float32),
            "landmarks": np.zeros((5, 2), np.float32),
        }  # fmt: skip
        row |= {_column(one): np.zeros(one.card.output_size, np.float32) for one in
                (pipeline.model for pipeline in pipelines)}  # fmt: skip
        try:
            (located,) = pipelines[0].locate([pixels])
            (face,) = located.selected
            row |= {"box": face.box_xyxy, "landmarks": face.landmarks_xy, "score": face.score}
            for pipeline in pipelines:
                (vector,) = pipeline.embedder.embed(pipeline.crop(located))
                row[_column(pipeline.model)] = vector
            row["is_found"] = True
        except FacekitError as error:
            print(f"copy {copy} of {path}, {way}: {error}", file=sys.stderr)
        rows[path, copy] = row
        if number % _SAVE_EVERY == 0 or number == len(missing):
            print(f"{number} of {len(missing)}", file=sys.stderr)
            kept: dict[str, Any] = {
                name: np.array([one[name] for one in rows.values()]) for name in row
            }
            np.savez(file, **kept)
    return joined([rows[path, copy] for _, path, copy in wanted], photos_dir)


def _column(model: InstalledModel) -> str:
    return f"{_VECTOR}{model.card.name}"


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
        vectors={
            name.removeprefix(_VECTOR): np.array([row[name] for row in right], np.float32)
            for name in rows[0]
            if name.startswith(_VECTOR)
        },
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


def outcomes(copies: Copies, model: str, *, is_degraded: bool) -> Outcomes:
    probes, references = trials(copies, is_degraded=is_degraded)
    vectors = copies.vectors[model]
    scores = (vectors @ vectors.T)[probes, references]
    same = copies.people[probes] == copies.people[references]
    threshold = float(threshold_at_fmr(scores[~same], FMR))
    return Outcomes(probes[same], references[same], scores[same], threshold, int((~same).sum()))


def fit(copies: Copies, options: argparse.Namespace) -> dict[str, Any]:
    """Predicts how alike a copy and its own photo are, then how often the copy matches others.

    How alike they are is the mean over the models, each in its standard deviations.
    """
    from sklearn.linear_model import LogisticRegression, Ridge

    table = [features(one) for one in copies.measures]
    values = np.array([list(row.values()) for row in table])
    mean, deviation = values.mean(0), values.std(0)
    scaled = standardized(values, mean, deviation)
    is_degraded = copies.is_degraded
    targets = [copies.alike(model)[is_degraded] for model in copies.vectors]
    target = np.mean([(one - one.mean()) / one.std() for one in targets], axis=0)
    ridge = Ridge(alpha=_RIDGE).fit(scaled[is_degraded], target)
    utility = ridge.predict(scaled)
    pairs, weights = [], []
    for model in copies.vectors:
        of_copies = outcomes(copies, model, is_degraded=True)
        as_they_are = outcomes(copies, model, is_degraded=False)
        for found in (of_copies, as_they_are):  # at the threshold of the degraded copies
            pairs.append(
                np.column_stack([found.probes, found.scores >= of_copies.threshold_similarity])
            )
            counts = np.bincount(found.probes, minlength=len(copies.paths))
            # Every copy counts once, however many photos it meets.
            weights.append(1 / counts[found.probes])
    matched = np.concatenate(pairs)
    logistic = LogisticRegression(C=1e6).fit(
        utility[matched[:, 0], None], matched[:, 1], sample_weight=np.concatenate(weights)
    )
    slope, offset = float(logistic.coef_[0, 0]), float(logistic.intercept_[0])
    linear, square = np.split(ridge.coef_ * slope, 2)
    stored = {
        "made_by": "python benchmarks/quality.py fit --data LFW --work DIR "
        f"--model {' '.join(options.model)} --detector {options.detector} "
        f"--copies {options.copies} --photos {options.photos}",
        "photos": int((~is_degraded).sum()),
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
    told: dict[str, Any] = {
        "detector": options.detector,
        "unified_score_quantiles": {
            name: {
                f"{share:g}": round(float(np.quantile(unified[chosen], share)), 1)
                for share in (0, 0.01, 0.05, 0.25, 0.5, 0.75, 1)
            }
            for name, chosen in (
                ("degraded", copies.is_degraded),
                ("as they are", ~copies.is_degraded),
            )
        },
        "not_found": dict(copies.not_found),
    }
    by_measure = {
        "unified_score": unified,
        "detector's score": np.array([one.score for one in copies.measures]),
        "sharpness": np.array([one.sharpness for one in copies.measures]),
    }
    for model in copies.vectors:
        of_copies = outcomes(copies, model, is_degraded=True)
        told[model] = {
            "degraded": worth(of_copies, {**by_measure, "own photo": copies.alike(model)}),
            "mildly degraded": worth(
                of_copies.of(copies.is_mild), {**by_measure, "own photo": copies.alike(model)}
            ),
            "as they are": worth(outcomes(copies, model, is_degraded=False), by_measure),
            "by_way": by_way(of_copies, copies, unified),
            "by_unified_score": bins(unified[of_copies.probes], of_copies.matched),
        }
    return told


def worth(found: Outcomes, by_measure: dict[str, NDArray[Any]]) -> dict[str, Any]:
    """Returns the FNMR after each share of the pairs was left out, by each measure."""
    pairs = np.column_stack([found.probes, found.references])
    return {
        "probes": len(np.unique(found.probes)),
        "genuine_pairs": len(found.scores),
        "impostor_pairs": found.impostor_pairs,
        "threshold_similarity": round(found.threshold_similarity, 4),
        "fnmr_after_discarding": {
            name: {
                f"{point.discard_share:g}": round(point.fnmr, 4)
                for point in error_versus_discard(
                    found.scores, np.ones(len(pairs), bool), measure[pairs],
                    threshold=found.threshold_similarity, shares=SHARES,
                )
            }
            for name, measure in by_measure.items()
        },
    }  # fmt: skip


def by_way(found: Outcomes, copies: Copies, unified: NDArray[np.float64]) -> dict[str, Any]:
    """Returns the FNMR of each way of degrading before and after a fifth of its pairs went."""
    told = {}
    ways = np.array(["two" if "+" in way else str(way) for way in copies.ways])
    for way in np.unique(ways[found.probes]).tolist():
        points = worth(found.of(ways == way), {"unified_score": unified})
        rates = points["fnmr_after_discarding"]["unified_score"]
        told[way] = {"pairs": points["genuine_pairs"], "0": rates["0"], "0.2": rates["0.2"]}
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
