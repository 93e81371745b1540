"""Results as JSON-ready dicts: plain Python numbers, stable names."""

from __future__ import annotations

from typing import Any

from facekit.enums import Metric
from facekit.model.registry import DETECTOR
from facekit.model.store import InstalledModel
from facekit.pipeline.locate import LocatedPicture
from facekit.pipeline.pipeline import EmbeddedPicture, Pipeline, Verification
from facekit.template.calibration import LogisticScore, OperatingPoint
from facekit.template.match import distance
from facekit.template.space import crop_text
from facekit.template.threshold import Meaning, Threshold, meaning
from facekit.types import CropSpec


def located_payload(located: LocatedPicture) -> dict[str, Any]:
    height, width = located.picture.pixels.shape[:2]
    return {
        "image": located.picture.name,
        "width_px": width,
        "height_px": height,
        "faces_found": len(located.faces),
        "faces": [face.to_dict() for face in located.selected],
    }


def verification_payload(
    result: Verification,
    *,
    model: InstalledModel,
    metric: Metric,
    crop: CropSpec,
    means: Meaning,
) -> dict[str, Any]:
    """A superset of the keys of deepface's verify(), with its meaning of each.

    Deviation: numbers are not rounded to two decimals, and `model` says the variant too.
    """
    similarity = result.decision.similarity
    sides = {"img1": (result.a, result.best_pair[0]), "img2": (result.b, result.best_pair[1])}
    return {
        "verified": result.decision.same,
        "distance": distance(similarity, metric),
        "threshold": distance(result.threshold.similarity, metric),
        "model": f"{model.card.name}:{model.card.variant}",
        "detector_backend": "skip" if crop.rule.value == "none" else DETECTOR,
        "similarity_metric": metric.value,
        "facial_areas": {key: _facial_area(side, place) for key, (side, place) in sides.items()},
        "time": round(sum(result.timings_ms.values()) / 1e3, 4),
        "similarity": similarity,
        "threshold_similarity": result.threshold.similarity,
        "threshold_source": threshold_source(result.threshold),
        "fmr_at_threshold": _error_rates(result.threshold.point),
        "fmr_at_most": means.fmr_at_most,
        "probability": means.probability,
        "probability_meaning": probability_meaning(model.card.calibration.probability)
        if means.probability is not None
        else None,
        "comparisons": result.comparisons,
        "images": {key: side.name for key, (side, _) in sides.items()},
        "photo_sha256": {key: side.photo_sha256 for key, (side, _) in sides.items()},
        "faces_found": {key: side.faces_found for key, (side, _) in sides.items()},
        "faces": {
            key: None if (face := side.faces[place]) is None else face.to_dict()
            for key, (side, place) in sides.items()
        },
        "model_sha256": model.card.file_sha256,
        "crop": crop_text(crop),
        "timings_ms": {stage: round(spent, 3) for stage, spent in result.timings_ms.items()},
    }


def meaning_of(result: Verification, pipeline: Pipeline) -> Meaning:
    """What the card says of this result's threshold and score."""
    return meaning(
        pipeline.model.card.calibration,
        pipeline.threshold_space,
        threshold_similarity=result.threshold.similarity,
        similarity=result.decision.similarity,
    )


def threshold_source(threshold: Threshold) -> str:
    """Where the threshold comes from, in a few words."""
    point = threshold.point
    if point is None:
        return "given by the user"
    return f"model card, {point.target}, {point.protocol} on {point.dataset}"


def probability_meaning(logistic: LogisticScore | None) -> str | None:
    """What a probability is one of, and on what it was fitted."""
    if logistic is None:
        return None
    n_pairs = logistic.n_genuine + logistic.n_impostor
    return (
        f"that both are one person, where {logistic.n_genuine / n_pairs:.0%} of all pairs are; "
        f"fitted on {n_pairs:,} pairs"
    )


def _error_rates(point: OperatingPoint | None) -> dict[str, Any] | None:
    if point is None:
        return None
    return {
        "target": point.target,
        "fmr": point.fmr,
        "fmr_ci95": point.fmr_ci95,
        "n_impostor": point.n_impostor,
        "fnmr": point.fnmr,
        "fnmr_ci95": point.fnmr_ci95,
        "n_genuine": point.n_genuine,
        "protocol": point.protocol,
        "dataset": point.dataset,
    }


def _facial_area(side: EmbeddedPicture, place: int) -> dict[str, Any] | None:
    """deepface's form: whole pixels, and eyes named as the person's own left and right."""
    face = side.faces[place]
    if face is None:
        return None
    x1, y1, x2, y2 = (round(value) for value in face.box_xyxy.tolist())
    viewers_left, viewers_right = (
        [round(value) for value in eye] for eye in face.landmarks_xy[:2].tolist()
    )
    return {
        "x": x1,
        "y": y1,
        "w": x2 - x1,
        "h": y2 - y1,
        "left_eye": viewers_right,
        "right_eye": viewers_left,
    }
