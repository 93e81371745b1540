"""Opens presentation attack detectors, and classifies the faces that decide a verification."""

from __future__ import annotations

from dataclasses import dataclass, replace

from facekit.enums import Liveness, PadDecision
from facekit.errors import ModelMismatchError, PresentationAttackError, UsageError
from facekit.face.liveness import PadDetector, PadResult
from facekit.model.card import Task
from facekit.model.store import InstalledModel
from facekit.pipeline.records import EmbeddedPicture, Verification
from facekit.reporter import SILENT, Reporter
from facekit.runtime.delegates import AcceleratorRequest, open_net
from facekit.tasks.build import ensure_installed


@dataclass(frozen=True, slots=True)
class LivenessRequest:
    """What is done about presentation attacks, and which model detects them."""

    liveness: Liveness = Liveness.OFF
    model: str | None = None
    """Registry name, NAME:VARIANT, or a file with its card beside it; there is no default."""

    def __post_init__(self) -> None:
        """Raises UsageError if a model is missing, or named in vain."""
        is_off = self.liveness is Liveness.OFF
        if is_off and self.model is not None:
            raise UsageError("--liveness-model needs --liveness report or --liveness require.")
        if not is_off and self.model is None:
            raise UsageError(
                f"--liveness {self.liveness.value} needs a presentation attack detector, which "
                "facekit does not choose for you: --liveness-model NAME or FILE. A file needs its "
                "card beside it: facekit models card FILE --draft --pad SYSTEM. facekit models "
                "build antispoof makes one that is weak; see docs/how-to/liveness.md."
            )


def open_pad_detector(
    name: str,
    *,
    build_missing: bool = True,
    threads: int | None = None,
    reporter: Reporter = SILENT,
) -> PadDetector:
    """Opens the presentation attack detector "name", "name:variant" or a file with its card.

    Raises ModelMissingError, and ModelMismatchError for a model of another task.
    """
    model = ensure_installed(name, task=Task.PAD, build_missing=build_missing, reporter=reporter)
    return pad_detector(model, threads=threads)


def pad_detector(model: InstalledModel, *, threads: int | None = None) -> PadDetector:
    """Loads a presentation attack detector, on the CPU.

    Raises ModelMismatchError for a model of another task, or one that its card does not describe.
    """
    card = model.card
    if card.pad is None:
        raise ModelMismatchError(
            f"A presentation attack detector is needed. {card.name} ({card.variant}) is for "
            f"{card.task.value}."
        )
    net = open_net(model.path, request=AcceleratorRequest(), threads=threads or 1).net
    return PadDetector(net, spec=card.input, pad=card.pad, name=card.full_name)


def with_liveness(result: Verification, detector: PadDetector) -> Verification:
    """Returns the verification with what `detector` says of the two faces that decide."""
    a, b = (_classified(picture, index, detector) for picture, index in result.deciding)
    return replace(result, liveness=(a, b))


def require_bona_fide(result: Verification) -> None:
    """Raises PresentationAttackError for the first face that is not classified as bona fide."""
    for (picture, _), found in zip(result.deciding, result.liveness or (), strict=True):
        if found.decision is PadDecision.ATTACK:
            raise PresentationAttackError(
                f"{picture.name}: a face that is classified as bona fide is needed. Received: "
                f"bona fide score {found.bona_fide_score:.3f} by {found.model}, below "
                f"{found.threshold_score:g}: an attack, as this detector sees it. Take another "
                "photo, or pass --liveness report to compare all the same."
            )
        if found.decision is PadDecision.NON_RESPONSE:
            raise PresentationAttackError(
                f"{picture.name}: a face that {found.model} can classify is needed. Received: one "
                "of which it says nothing, such as an embedding file, a crop of --no-detect, or a "
                "face at the edge. Pass a photo in which the face is found."
            )


def _classified(picture: EmbeddedPicture, index: int, detector: PadDetector) -> PadResult:
    face = picture.faces[index]
    if picture.pixels is None or face is None:
        return detector.non_response()
    (found,) = detector.classify(picture.pixels, [face])
    return found
