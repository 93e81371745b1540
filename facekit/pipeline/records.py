"""The pipeline's records; `to_dict()` of each is the JSON that the command line writes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from facekit.enums import MeasuredBy, Metric
from facekit.face.liveness import PadResult
from facekit.face.quality import FaceQuality, rate_faces
from facekit.photo.decode import Picture
from facekit.runtime.delegates import DeviceUse
from facekit.template.calibration import LogisticScore, OperatingPoint
from facekit.template.match import Decision
from facekit.template.metrics import distance
from facekit.template.threshold import ScoreMeaning, Threshold
from facekit.template.wording import marked, prior_text
from facekit.types import CropSpec, Face, Float32Array, UInt8Array


@dataclass(frozen=True, slots=True, eq=False)
class LocatedPicture:
    """A photo, its faces by descending score, and the selected faces."""

    picture: Picture
    faces: tuple[Face, ...]
    selected: tuple[Face, ...]

    @property
    def qualities(self) -> tuple[FaceQuality, ...]:
        """The quality of each selected face, measured anew at each access in about 1 ms a face."""
        return rate_faces(self.picture.pixels, self.selected)

    def to_dict(self) -> dict[str, Any]:
        """Returns the photo's name and size, and the selected faces with their quality."""
        height, width = self.picture.pixels.shape[:2]
        return {
            "photo": self.picture.name,
            "width_px": width,
            "height_px": height,
            "face_count": len(self.faces),
            "faces": [
                {**face.to_dict(), "quality": quality.to_dict()}
                for face, quality in zip(self.selected, self.qualities, strict=True)
            ],
        }

    def __repr__(self) -> str:
        return (
            f"LocatedPicture({self.picture.name!r}, {len(self.faces)} faces, "
            f"selected={self.selected!r})"
        )


@dataclass(frozen=True, slots=True)
class FaceOrigin:
    """The origin of an embedding: a face of a photo, or a row of an embedding file."""

    photo: str
    """Name of the photo; for a row, as stored in the embedding file."""
    photo_sha256: str
    face: int
    """Index among the photo's selected faces, from 0."""
    row: int | None = None
    """Number of the row in the embedding file, from 1; None for a photo."""

    def to_dict(self) -> dict[str, Any]:
        return {"photo": self.photo, "face": self.face, "row": self.row}


@dataclass(frozen=True, slots=True, eq=False)
class EmbeddedPicture:
    """One side of a comparison: a photo's selected faces, or the rows of an embedding file."""

    name: str
    photo_sha256: str
    face_count: int | None
    """None if no detector was run: for a crop, or an embedding file."""
    faces: tuple[Face | None, ...]
    """(N,) the selected faces; each is None without detection."""
    qualities: tuple[FaceQuality | None, ...]
    """(N,) the quality of each selected face; None without detection."""
    crops: UInt8Array
    """(N, H, W, 3) RGB; (0, ...) from an embedding file."""
    embeddings: Float32Array
    """(N, D) of unit length."""
    origins: tuple[FaceOrigin, ...]
    """(N,) the origin of each embedding."""
    pixels: UInt8Array | None = None
    """(H, W, 3) RGB; None from an embedding file."""
    others: tuple[Face, ...] = ()
    """Faces of the photo that were not selected."""

    def to_dict(self) -> dict[str, Any]:
        """Returns the embeddings as lists of numbers, without pixels."""
        return {
            "photo": self.name,
            "photo_sha256": self.photo_sha256 or None,
            "face_count": self.face_count,
            "embeddings": self.embeddings.tolist(),
        }

    def __repr__(self) -> str:
        return (
            f"EmbeddedPicture({self.name!r}, faces={self.faces!r}, "
            f"embeddings={self.embeddings.shape})"
        )


@dataclass(frozen=True, slots=True, eq=False)
class Verification:
    """The decision whether the faces of `a` and `b` are of one person; true if they are."""

    a: EmbeddedPicture
    b: EmbeddedPicture
    best_pair: tuple[int, int]
    """Indices of the most similar faces of a and of b, which decide."""
    comparison_count: int
    """Faces of a times faces of b; with more comparisons, a false match is more probable."""
    decision: Decision
    threshold: Threshold
    metric: Metric
    """Metric in which distances are shown; it does not change the decision."""
    meaning: ScoreMeaning
    """Error rate and probability according to the model's card."""
    score_to_probability: LogisticScore | None
    """Function that computed `meaning.probability`; None if the card has no such function."""
    model: str
    """ "name:variant" of the embedding model."""
    model_sha256: str
    crop: CropSpec
    """The crop rule that was used; NONE without detection."""
    detector: str | None
    """Name of the detector; None without detection."""
    device: DeviceUse
    """Device of the embedding net."""
    timings_ms: dict[str, float]
    """Wall time of each stage of this call."""
    liveness: tuple[PadResult, PadResult] | None = None
    """What a presentation attack detector says of both faces; it does not change the decision."""

    def __bool__(self) -> bool:
        return self.decision.same

    @property
    def matched(self) -> tuple[FaceOrigin, FaceOrigin]:
        """The origins of the two embeddings that decide."""
        row, column = self.best_pair
        return self.a.origins[row], self.b.origins[column]

    @property
    def deciding(self) -> tuple[tuple[EmbeddedPicture, int], tuple[EmbeddedPicture, int]]:
        """Both photos, each with the index of its face that decides."""
        row, column = self.best_pair
        return (self.a, row), (self.b, column)

    @property
    def measured_by(self) -> MeasuredBy | None:
        """Who measured the threshold, error rate and probability; None if the card gave none."""
        return self.threshold.measured_by or self.meaning.measured_by

    @property
    def threshold_source(self) -> str:
        """Origin of the threshold, and that the figures are not facekit's if they are not."""
        return marked(self.threshold.origin, self.measured_by)

    @property
    def distance(self) -> float:
        """Distance of the pair that decides, in `metric`."""
        return distance(self.decision.similarity, self.metric)

    @property
    def threshold_distance(self) -> float:
        """Largest distance of a match, in `metric`."""
        return distance(self.threshold.similarity, self.metric)

    def to_dict(self) -> dict[str, Any]:
        """Returns a superset of the keys of deepface's verify(), each with deepface's meaning.

        Deviations: numbers are not rounded to two decimals, and `model` contains the variant.
        """
        pictures = dict(zip(("img1", "img2"), self.deciding, strict=True))
        faces = {key: _rated_face(picture, index) for key, (picture, index) in pictures.items()}
        origins = dict(zip(pictures, self.matched, strict=True))
        probability = self.meaning.probability
        return {
            "verified": self.decision.same,
            "distance": self.distance,
            "threshold": self.threshold_distance,
            "model": self.model,
            "detector_backend": self.detector or "skip",
            "similarity_metric": self.metric.value,
            "facial_areas": {
                key: facial_area(picture.faces[index]) for key, (picture, index) in pictures.items()
            },
            "time": round(sum(self.timings_ms.values()) / 1e3, 4),
            "similarity": self.decision.similarity,
            "threshold_similarity": self.threshold.similarity,
            "threshold_source": self.threshold_source,
            "measured_by": self.measured_by and self.measured_by.value,
            "fmr_at_threshold": _error_rates(self.threshold.point),
            "fmr_at_most": self.meaning.fmr_at_most,
            "probability": probability,
            "probability_meaning": None
            if probability is None
            else probability_meaning(self.score_to_probability),
            "comparison_count": self.comparison_count,
            "matched": {key: origin.to_dict() for key, origin in origins.items()},
            "photo": {key: picture.name for key, (picture, _) in pictures.items()},
            "photo_sha256": {key: origin.photo_sha256 or None for key, origin in origins.items()},
            "face_count": {key: picture.face_count for key, (picture, _) in pictures.items()},
            "faces": faces,
            "liveness": self.liveness
            and dict(zip(pictures, (one.to_dict() for one in self.liveness), strict=True)),
            "model_sha256": self.model_sha256,
            "crop": str(self.crop),
            "timings_ms": {stage: round(spent, 3) for stage, spent in self.timings_ms.items()},
            **self.device.to_dict(),
        }

    def __repr__(self) -> str:
        relation = ">=" if self.decision.same else "<"
        return (
            f"Verification({'same' if self.decision.same else 'different'}, similarity "
            f"{self.decision.similarity:.4f} {relation} {self.threshold.similarity:.4f}, "
            f"{self.a.name!r}, {self.b.name!r})"
        )


def embedded_picture(
    located: LocatedPicture, crops: UInt8Array, vectors: Float32Array, *, detected: bool
) -> EmbeddedPicture:
    """Joins a located photo with its crops (N, H, W, 3) and their embeddings (N, D).

    `detected`: False if no detector was run; the only crop then has no face.
    """
    picture = located.picture
    chosen = {id(face) for face in located.selected}
    return EmbeddedPicture(
        name=picture.name,
        photo_sha256=picture.sha256,
        face_count=len(located.faces) if detected else None,
        faces=located.selected if detected else (None,),
        qualities=located.qualities if detected else (None,),
        crops=crops,
        embeddings=vectors,
        origins=tuple(
            FaceOrigin(picture.name, picture.sha256, face) for face in range(len(vectors))
        ),
        pixels=picture.pixels,
        others=tuple(face for face in located.faces if id(face) not in chosen),
    )


def probability_meaning(logistic: LogisticScore | None) -> str | None:
    """Describes the pairs for which a probability holds, and the pairs of the fit."""
    if logistic is None:
        return None
    n_pairs = logistic.n_genuine + logistic.n_impostor
    return f"of the same person, {prior_text(logistic)}; fitted on {n_pairs:,} pairs"


def _error_rates(point: OperatingPoint | None) -> dict[str, Any] | None:
    if point is None:
        return None
    rates = ("fmr", "fmr_ci95", "n_impostor", "fnmr", "fnmr_ci95", "n_genuine")
    return {name: getattr(point, name) for name in ("target", *rates, "protocol", "dataset")}


def _rated_face(picture: EmbeddedPicture, index: int) -> dict[str, Any] | None:
    face, quality = picture.faces[index], picture.qualities[index]
    if face is None or quality is None:
        return None
    return {**face.to_dict(), "quality": quality.to_dict()}


def facial_area(face: Face | None) -> dict[str, Any] | None:
    """Returns a face in deepface's form; None for None.

    Box and eyes are whole pixels, and the eyes are named left and right as the person has them.
    """
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
