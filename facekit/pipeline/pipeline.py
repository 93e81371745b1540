"""The one place that knows the order of the stages.

picture -> faces -> crops -> embeddings -> similarity -> decision
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from facekit.enums import CropRule, FacePolicy
from facekit.errors import AmbiguousFaceError, EmbeddingFileError
from facekit.face.align import crop_faces, whole_picture
from facekit.model.card import embedder_of, space_of
from facekit.model.store import InstalledModel
from facekit.photo.decode import PictureSource
from facekit.pipeline.background import Background
from facekit.pipeline.locate import LocatedPicture, LocateOptions, Locator
from facekit.pipeline.stopwatch import Stopwatch
from facekit.runtime.delegates import (
    AcceleratorRequest,
    DeviceUse,
    OpenedNet,
    device_use,
    open_net,
)
from facekit.runtime.litert import default_threads
from facekit.template.embedder import Embedder
from facekit.template.file import SUFFIXES, read_embeddings
from facekit.template.match import Decision, decide, similarity_matrix
from facekit.template.space import TemplateSpace
from facekit.template.threshold import Threshold
from facekit.types import CropSpec, Face, Float32Array, UInt8Array


@dataclass(frozen=True, slots=True)
class PipelineOptions:
    """How pictures become embeddings; the defaults are the model card's."""

    locate: LocateOptions = field(default_factory=LocateOptions)
    detect: bool = True
    """False: the pictures are face crops already"""
    crop: CropSpec | None = None
    """None: the rule in the model's card"""
    threads: int | None = None
    """threads the embedding net may use; None: the cores this process may run on"""
    accelerator: AcceleratorRequest = field(default_factory=AcceleratorRequest)
    """what the embedding net runs on; the detector's nets are float32 with open sides, which no
    NPU takes, and stay on the CPU"""


@dataclass(frozen=True, slots=True, eq=False)
class EmbeddedPicture:
    """One side of a comparison: a picture's selected faces, or rows of an embedding file."""

    name: str
    photo_sha256: str
    faces_found: int | None
    """None where no detector looked: a crop, or an embedding file"""
    faces: tuple[Face | None, ...]
    """(N,) the selected faces; None for each where there is no detection"""
    crops: UInt8Array
    """(N, H, W, 3) RGB, or (0, ...) from an embedding file"""
    embeddings: Float32Array
    """(N, D) of unit length"""
    pixels: UInt8Array | None = None
    """(H, W, 3) RGB; None from an embedding file"""


@dataclass(frozen=True, slots=True, eq=False)
class Verification:
    """Are the faces of `a` and `b` of one person?"""

    a: EmbeddedPicture
    b: EmbeddedPicture
    best_pair: tuple[int, int]
    """which face of a and of b are most alike: the pair that decides"""
    comparisons: int
    """faces of a times faces of b; the chance of a false match grows with it"""
    decision: Decision
    threshold: Threshold
    timings_ms: dict[str, float]


class Pipeline:
    """Detector and embedder, each loaded at first use and kept.  Not thread-safe."""

    def __init__(self, model: InstalledModel, *, options: PipelineOptions | None = None) -> None:
        self.model = model
        self.options = options or PipelineOptions()
        self.stopwatch = Stopwatch()
        self._locator = Locator(options=self.options.locate, stopwatch=self.stopwatch)
        self._coming_embedder: Background[Embedder] | None = None
        own = model.card.crop
        assert own is not None  # an embedding card always has one
        if self.options.detect:
            self.crop_spec = self.options.crop or own
        else:
            self.crop_spec = CropSpec(CropRule.NONE, 0.0, own.resize_filter)

    @cached_property
    def embedder(self) -> Embedder:
        """Raises ModelMismatchError where the model is not as its card says."""
        with self.stopwatch.stage("load"):
            if self._coming_embedder is not None:
                return self._coming_embedder.result()
            return self._new_embedder()

    @cached_property
    def opened(self) -> OpenedNet:
        """The embedding net, and what it runs on.

        Raises AcceleratorError where that is not what was asked for, ModelMismatchError.
        """
        threads = self.options.threads or default_threads()
        return open_net(self.model.path, request=self.options.accelerator, threads=threads)

    @property
    def device_use(self) -> DeviceUse:
        """What the embedding net runs on; opens it where anything but the CPU was asked for."""
        request = self.options.accelerator
        opened = self.opened if request.is_delegated else None
        return device_use(self.model.path, request, opened)

    def load(self) -> None:
        """Loads every network that is needed, now rather than at first use.

        Raises ModelMissingError or ModelMismatchError.
        """
        _ = self.embedder
        if self._detects:
            _ = self._locator.detector

    def locate(self, sources: Sequence[PictureSource]) -> list[LocatedPicture]:
        """Pictures with their selected faces; with none where the crop rule needs none.

        Raises ImageError, NoFaceError or AmbiguousFaceError, which name the picture.
        """
        if self._detects:
            return self._locator.locate(sources)
        return [LocatedPicture(picture, (), ()) for picture in self._locator.read(sources)]

    def crop(self, located: LocatedPicture) -> UInt8Array:
        """(N, H, W, 3): the selected faces as the model wants them; N = 1 without detection."""
        spec = self.model.card.input
        pixels = located.picture.pixels
        if not self._detects:
            return whole_picture(
                pixels, self.crop_spec, height_px=spec.height_px, width_px=spec.width_px
            )
        return crop_faces(
            pixels,
            located.selected,
            self.crop_spec,
            height_px=spec.height_px,
            width_px=spec.width_px,
        )

    def embed(self, sources: Sequence[PictureSource]) -> list[EmbeddedPicture]:
        """Pictures to unit-length embeddings, all crops in one batch.

        A path that ends in .npz, .csv or .jsonl is read as an embedding file of this model.
        """
        pictures = [source for source in sources if not _is_embedding_file(source)]
        if pictures:
            self._begin_to_load()
        located = self.locate(pictures)
        with self.stopwatch.stage("align"):
            crops = [self.crop(one) for one in located]
        vectors = self._embed_crops(crops)
        embedded = iter(
            [
                _embedded(one, crop, vector, detected=self._detects)
                for one, crop, vector in zip(located, crops, vectors, strict=True)
            ]
        )
        return [
            self._from_file(Path(str(source))) if _is_embedding_file(source) else next(embedded)
            for source in sources
        ]

    def verify(self, a: PictureSource, b: PictureSource, *, threshold: Threshold) -> Verification:
        """Compares two pictures (or embedding files).  With FacePolicy.ALL the best pair decides.

        Raises what `embed` raises.
        """
        embedded_a, embedded_b = self.embed([a, b])
        return self.compare(embedded_a, embedded_b, threshold=threshold)

    def compare(
        self, a: EmbeddedPicture, b: EmbeddedPicture, *, threshold: Threshold
    ) -> Verification:
        """The decision for two pictures that are embedded already."""
        with self.stopwatch.stage("match"):
            similarities = similarity_matrix(a.embeddings, b.embeddings)
            row, column = np.unravel_index(int(similarities.argmax()), similarities.shape)
            decision = decide(
                float(similarities[row, column]), threshold_similarity=threshold.similarity
            )
        return Verification(
            a=a,
            b=b,
            best_pair=(int(row), int(column)),
            comparisons=similarities.size,
            decision=decision,
            threshold=threshold,
            timings_ms=dict(self.stopwatch.milliseconds),
        )

    @cached_property
    def space(self) -> TemplateSpace:
        """What this pipeline's templates are comparable with.

        Raises ModelMissingError or ModelMismatchError where the detector's nets are not there.
        """
        detector = self._locator.identity if self._detects else None
        return space_of(self.model.card, crop=self.crop_spec, detector=detector)

    @property
    def threshold_space(self) -> TemplateSpace:
        """The space whose thresholds hold for its templates: ready crops are taken to follow the
        card's crop rule."""
        own = self.model.card.crop
        assert own is not None  # an embedding card always has one
        return self.space if self.options.detect else replace(self.space, crop=own)

    def _begin_to_load(self) -> None:
        """Packing the embedding net's weights takes as long as finding a face: a second core can
        do it meanwhile."""
        is_new = "embedder" not in self.__dict__ and self._coming_embedder is None
        if is_new and default_threads() > 1:
            self._coming_embedder = Background(self._new_embedder)

    def _new_embedder(self) -> Embedder:
        return embedder_of(self.opened.net, self.model.card)

    @property
    def _detects(self) -> bool:
        return self.crop_spec.rule is not CropRule.NONE

    def _embed_crops(self, crops: Sequence[UInt8Array]) -> list[Float32Array]:
        if not crops:
            return []
        embedder = self.embedder
        with self.stopwatch.stage("embed"):
            vectors = embedder.embed(np.concatenate(crops))
        return np.split(vectors, np.cumsum([len(crop) for crop in crops])[:-1])

    def _from_file(self, path: Path) -> EmbeddedPicture:
        table = read_embeddings(path)
        mean = self.model.card.calibration.embedding_mean
        vectors = table.vectors_in(self.space, mean, where=str(path))
        if not len(vectors):
            raise EmbeddingFileError(f"{path}: no row has an embedding.")
        if len(vectors) > 1 and self.options.locate.face_policy is not FacePolicy.ALL:
            raise AmbiguousFaceError(
                f"{path}: one embedding needed, the file has {len(vectors)}. Pass a file with one "
                "row, or --face all to compare with every row."
            )
        size = self.model.card.input
        return EmbeddedPicture(
            name=str(path),
            photo_sha256=table.rows[0].photo_sha256,
            faces_found=None,
            faces=(None,) * len(vectors),
            crops=np.zeros((0, size.height_px, size.width_px, 3), np.uint8),
            embeddings=vectors,
        )


def _is_embedding_file(source: PictureSource) -> bool:
    return isinstance(source, (str, Path)) and Path(source).suffix.lower() in SUFFIXES


def _embedded(
    located: LocatedPicture, crops: UInt8Array, vectors: Float32Array, *, detected: bool
) -> EmbeddedPicture:
    return EmbeddedPicture(
        name=located.picture.name,
        photo_sha256=located.picture.sha256,
        faces_found=len(located.faces) if detected else None,
        faces=located.selected if detected else (None,),
        crops=crops,
        embeddings=vectors,
        pixels=located.picture.pixels,
    )
