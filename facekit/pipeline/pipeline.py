"""Runs the stages of face verification in order; no other module depends on the order.

photo -> faces -> crops -> embeddings -> similarity -> decision
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from facekit.enums import CropRule, FacePolicy, Metric
from facekit.errors import ImageError, ModelMismatchError
from facekit.face.align import crop_faces, whole_picture
from facekit.model.card import Card, Task, embedder_of, space_of
from facekit.model.store import InstalledModel
from facekit.photo.reading import PictureSource
from facekit.pipeline.embedding_file import from_embedding_file, is_embedding_file
from facekit.pipeline.locate import LocateOptions, Locator, Once, Stopwatch
from facekit.pipeline.records import (
    EmbeddedPicture,
    LocatedPicture,
    Verification,
    embedded_picture,
)
from facekit.reporter import SILENT, Reporter
from facekit.runtime.delegates import (
    AcceleratorRequest,
    DeviceUse,
    OpenedNet,
    device_use,
    open_net,
)
from facekit.runtime.litert import default_threads
from facekit.template.embedder import Embedder
from facekit.template.match import decide, similarity_matrix
from facekit.template.space import TemplateSpace
from facekit.template.threshold import Threshold, ThresholdChoice, score_meaning
from facekit.types import CropSpec, Float32Array, UInt8Array


@dataclass(frozen=True, slots=True)
class PipelineOptions:
    """How photos become embeddings; the defaults are the model card's."""

    locate: LocateOptions = field(default_factory=LocateOptions)
    detect: bool = True
    """False means that the photos are face crops already."""
    crop: CropSpec | None = None
    """None means the rule in the model's card."""
    threads: int | None = None
    """Threads of the embedding net; None means the number of cores this process may use."""
    accelerator: AcceleratorRequest = field(default_factory=AcceleratorRequest)
    """Accelerator of the embedding net; see LocateOptions for the detector's."""


class Pipeline:
    """A detector and an embedder, each loaded at first use.

    Threads may share a pipeline: each net runs one call at a time, everything else in parallel.
    """

    def __init__(
        self,
        model: InstalledModel,
        *,
        options: PipelineOptions | None = None,
        reporter: Reporter = SILENT,
    ) -> None:
        """`reporter` receives the time of each stage.

        Raises ModelMismatchError if `model` is not an embedding model, UsageError for settings
        that the detector does not have.
        """
        own = model.card.crop
        if model.card.task is not Task.EMBEDDING or own is None:
            raise ModelMismatchError(
                f"An embedding model is needed. Model {model.card.name} ({model.card.variant}) is "
                f"for {model.card.task.value}."
            )
        self.options = _with_detector(options or PipelineOptions(), model.card)
        calibration = model.card.calibration.for_detector(self.options.locate.detector_name)
        self.model = InstalledModel(replace(model.card, calibration=calibration), model.path)
        """The model, with the calibration for the detector in use if the card has one."""
        self._card_crop = own
        self.stopwatch = Stopwatch(reporter)
        self._locator = Locator(options=self.options.locate, stopwatch=self.stopwatch)
        self._opened = Once(self._open)
        self._embedder = Once(self._new_embedder)
        if self.options.detect:
            self.crop_spec = self.options.crop or own
        else:
            self.crop_spec = CropSpec(CropRule.NONE, 0.0, own.resize_filter)

    @property
    def embedder(self) -> Embedder:
        """Returns the embedder.  Raises ModelMismatchError if the card does not fit the model."""
        if self._embedder.is_taken:
            return self._embedder.get()
        with self.stopwatch.stage("load"):
            return self._embedder.get()

    @property
    def opened(self) -> OpenedNet:
        """Returns the embedding net and the device that it runs on.

        Raises AcceleratorError if the net does not run on the requested device, and the other
        errors of `open_net`.
        """
        return self._opened.get()

    @property
    def model_name(self) -> str:
        """The embedding model's "name:variant"."""
        return self.model.card.full_name

    @property
    def device_use(self) -> DeviceUse:
        """The device of the embedding net, which is opened if an accelerator is requested."""
        request = self.options.accelerator
        opened = self.opened if request.requests_accelerator else None
        return device_use(self.model.path, request, opened)

    def selecting(self, policy: FacePolicy) -> Pipeline:
        """Returns a pipeline that selects faces by `policy` and shares all networks with this
        one."""
        other = copy.copy(self)
        locate = replace(self.options.locate, face_policy=policy)
        other.options = replace(self.options, locate=locate)
        other._locator = self._locator.selecting(policy)
        return other

    def load(self) -> None:
        """Loads all networks now, not at their first use.

        Raises ModelMissingError or ModelMismatchError.
        """
        _ = self.embedder
        if self._detects:
            _ = self._locator.detector

    def locate(self, sources: Sequence[PictureSource]) -> list[LocatedPicture]:
        """Returns photos with their selected faces; without faces if the crop rule needs none.

        Raises ImageError, NoFaceError or AmbiguousFaceError, which name the photo.
        """
        if self._detects:
            return self._locator.locate(sources)
        return [LocatedPicture(picture, (), ()) for picture in self._locator.read(sources)]

    def crop(self, located: LocatedPicture) -> UInt8Array:
        """Returns (N, H, W, 3) RGB uint8 crops of the model's input size, one per selected face.

        Without detection, the photo is the only crop.  Raises ImageError for faces that cannot be
        cropped, such as those whose landmarks all coincide.
        """
        spec = self.model.card.input
        pixels = located.picture.pixels
        if not self._detects:
            return whole_picture(
                pixels, self.crop_spec, height_px=spec.height_px, width_px=spec.width_px
            )
        try:
            return crop_faces(
                pixels,
                located.selected,
                self.crop_spec,
                height_px=spec.height_px,
                width_px=spec.width_px,
            )
        except ValueError as error:
            raise ImageError(f"{located.picture.name}: {error}") from error

    def embed(self, sources: Sequence[PictureSource]) -> list[EmbeddedPicture]:
        """Embeds photos at unit length, all crops in one batch.

        A path that ends in .npz, .csv or .jsonl is read as an embedding file of this model.
        Raises the errors of `locate`, and EmbeddingFileError, ModelMismatchError or
        AmbiguousFaceError for an embedding file.
        """
        pictures = [source for source in sources if not is_embedding_file(source)]
        if pictures and default_threads() > 1:
            # Packing the embedding net's weights takes as long as finding a face, so a second core
            # does it at the same time.
            self._embedder.begin()
        located = self.locate(pictures)
        with self.stopwatch.stage("align"):
            crops = [self.crop(one) for one in located]
        vectors = self._embed_crops(crops)
        embedded = iter(
            [
                embedded_picture(one, crop, vector, detected=self._detects)
                for one, crop, vector in zip(located, crops, vectors, strict=True)
            ]
        )
        return [
            self._from_file(Path(str(source))) if is_embedding_file(source) else next(embedded)
            for source in sources
        ]

    def verify(
        self,
        a: PictureSource,
        b: PictureSource,
        *,
        threshold: Threshold | float | None = None,
        metric: Metric = Metric.COSINE,
        min_similarity: float | None = None,
        fmr: float | str | None = None,
    ) -> Verification:
        """Compares two photos or embedding files.

        With FacePolicy.ALL, the most similar pair of faces decides.
        `threshold`: a Threshold made by `threshold()`, or the largest distance of a match, in
        `metric`.  `min_similarity`: the smallest cosine similarity of a match, -1..1.  `fmr`: the
        card's threshold at this false match rate, 0..1, or "best-accuracy".  At most one of the
        three may be set; if none is set, the card's threshold at FMR 1e-3 decides.
        A Threshold takes precedence over the others.  `metric`: the metric of the distances shown,
        and of a `threshold` that is a number.
        Raises the errors of `embed` and `threshold`.
        """
        if not isinstance(threshold, Threshold):
            threshold = self.threshold(ThresholdChoice(threshold, metric, min_similarity, fmr))
        self.stopwatch.milliseconds = {}
        embedded_a, embedded_b = self.embed([a, b])
        return self._compared(embedded_a, embedded_b, threshold, metric)

    def threshold(self, choice: ThresholdChoice | None = None) -> Threshold:
        """Returns the threshold that `choice` specifies; None means the card's default.

        Raises UsageError, and NoOperatingPointError if the card has no such threshold.
        """
        choice = choice or ThresholdChoice()
        return choice.of(self.model.card.calibration, self.threshold_space)

    def compare(
        self,
        a: EmbeddedPicture,
        b: EmbeddedPicture,
        *,
        threshold: Threshold,
        metric: Metric = Metric.COSINE,
    ) -> Verification:
        """Decides whether two embedded photos show one person."""
        self.stopwatch.milliseconds = {}
        return self._compared(a, b, threshold, metric)

    def _compared(
        self, a: EmbeddedPicture, b: EmbeddedPicture, threshold: Threshold, metric: Metric
    ) -> Verification:
        card = self.model.card
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
            comparison_count=similarities.size,
            decision=decision,
            threshold=threshold,
            metric=metric,
            meaning=score_meaning(
                card.calibration,
                self.threshold_space,
                threshold_similarity=threshold.similarity,
                similarity=decision.similarity,
            ),
            score_to_probability=card.calibration.probability,
            model=self.model_name,
            model_sha256=card.file_sha256,
            crop=self.crop_spec,
            detector=None
            if self.crop_spec.rule is CropRule.NONE
            else self.options.locate.detector_name,
            device=self.device_use,
            timings_ms=dict(self.stopwatch.milliseconds),
        )

    @property
    def space(self) -> TemplateSpace:
        """The template space of this pipeline's templates.

        Raises ModelMissingError or ModelMismatchError for the detector's nets.
        """
        detector = self._locator.identity if self._detects else None
        return space_of(self.model.card, crop=self.crop_spec, detector=detector)

    @property
    def threshold_space(self) -> TemplateSpace:
        """The space whose thresholds apply; photos that are face crops are assumed to follow the
        card's crop rule."""
        return self.space if self.options.detect else replace(self.space, crop=self._card_crop)

    def _open(self) -> OpenedNet:
        threads = self.options.threads or default_threads()
        return open_net(
            self.model.path,
            request=self.options.accelerator,
            threads=threads,
            reporter=self.stopwatch.reporter,
        )

    def _new_embedder(self) -> Embedder:
        return embedder_of(self.opened.net, self.model.card)

    @property
    def _detects(self) -> bool:
        return self.crop_spec.rule is not CropRule.NONE

    def _from_file(self, path: Path) -> EmbeddedPicture:
        return from_embedding_file(
            path,
            self.model.card,
            self.space,
            several=self.options.locate.face_policy is FacePolicy.ALL,
        )

    def _embed_crops(self, crops: Sequence[UInt8Array]) -> list[Float32Array]:
        if not crops:
            return []
        embedder = self.embedder
        with self.stopwatch.stage("embed"):
            vectors = embedder.embed(np.concatenate(crops))
        return np.split(vectors, np.cumsum([len(crop) for crop in crops])[:-1])


def _with_detector(options: PipelineOptions, card: Card) -> PipelineOptions:
    """Returns the options, with the card's detector if the options name no detector."""
    detector = options.locate.detector or card.detector
    return replace(options, locate=replace(options.locate, detector=detector))
