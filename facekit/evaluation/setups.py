"""Setups: how photos become scores and which threshold applies, for facekit and other systems."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum

from facekit.enums import ColorOrder, CropRule, Flip, Profile, ResizeFilter
from facekit.evaluation.embeddings import EmbedSettings
from facekit.evaluation.metrics.error_rates import ChooseThreshold, best_accuracy_threshold
from facekit.evaluation.metrics.folds import facenet_grid_threshold
from facekit.model.card import Card
from facekit.model.store import InstalledModel
from facekit.types import CropSpec, Float32Array, InputSpec

NXP_TRIM_PX = 45
"""img[45:-45, 45:-45]: 160 of LFW's 250 pixels (eIQ model zoo v1.2, facenet512/evaluate.py)"""
NXP_SIMILARITY = 1 - 0.6
"""the same file's fixed cosine distance 0.6"""
SPHEREFACE_SIMILARITY = 0.41
"""MLPerf's SphereFace20 accuracy script, a cosine"""
_FACENET_CROP = CropSpec(CropRule.MARGIN, 32.0, ResizeFilter.BILINEAR)
"""align_dataset_mtcnn.py with --image_size 160 --margin 32 (facenet wiki, Validate on LFW)"""


class Centering(str, Enum):
    """The mean embedding that is subtracted before vectors are compared."""

    CARD = "card"
    TRAINING = "training"
    """Mean of the pairs that the threshold is chosen on (facenet's subtract_mean)."""
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Setup:
    """The settings of one column of the report, besides the model."""

    settings: EmbedSettings
    flip: Flip = Flip.NONE
    centering: Centering = Centering.CARD
    choose: ChooseThreshold = best_accuracy_threshold
    fixed_similarity: float | None = None
    """A fixed threshold, a cosine similarity; None if it is chosen on other pairs."""
    name: str = ""
    """Distinguishes this column from others of the same model."""
    cards_own: bool = False
    """True if the thresholds in the model's card hold for these vectors."""

    def described(self, model: InstalledModel) -> str:
        """Returns all settings that change the scores, in one line."""
        spec = self.settings.input or model.card.input
        crop = self.settings.crop_of(model)
        if self.settings.trim_px:
            cropped = f"center of the photo, {self.settings.trim_px} px cut off each side"
        elif crop.rule is CropRule.NONE:
            cropped = f"the whole photo, {crop.resize_filter.value}"
        else:
            cropped = (
                f"{crop.rule.value} crop, {crop.margin_px:g} px, {crop.resize_filter.value}, "
                f"{self.settings.locate.face_policy.value} face by "
                f"{self.settings.locate_for(model).detector_name}"
            )
        mirror = {
            Flip.NONE: "",
            Flip.CONCAT: ", mirror image concatenated",
            Flip.SUM: ", mirror image added",
        }[self.flip]
        return (
            f"{spec.color_order.value.upper()} (x - {spec.mean:g}) / {spec.std:g}, {cropped}"
            f"{mirror}, {self._centered(model)}"
        )

    def card_means(self, card: Card) -> tuple[Float32Array | None, Float32Array | None]:
        """Returns the card's mean twice: as subtracted from each view, and from the template.

        One of the two is None.  The mean in a card without mirror images is that of single views
        and
        holds for both views; that in a card with mirror images is that of templates.
        """
        mean = card.calibration.embedding_mean if self.centering is Centering.CARD else None
        if card.flip is Flip.NONE:
            return mean, None
        return None, mean if self.flip is card.flip else None

    def _centered(self, model: InstalledModel) -> str:
        if self.centering is Centering.TRAINING:
            return "centered by the training pairs' mean"
        if any(mean is not None for mean in self.card_means(model.card)):
            return "centered by the card's mean"
        return "not centered"


@dataclass(frozen=True, slots=True)
class SetupOptions:
    """The user's options; with None, the profile decides, or else the model's card."""

    settings: EmbedSettings
    """Without mirror images, trimming and input, which flip and profile set."""
    flip: Flip | None = None
    subtract_mean: bool = False


DEFAULT_PROTOCOL: dict[Profile | None, str] = {
    None: "devtest",
    Profile.FACENET: "view2",
    Profile.NXP: "devtest",
    Profile.SPHEREFACE: "fold1",
    Profile.VASTAI: "view2",
}

_PROFILE_FLIP = {
    Profile.FACENET: Flip.CONCAT,
    Profile.NXP: Flip.NONE,
    Profile.SPHEREFACE: Flip.CONCAT,
    Profile.VASTAI: Flip.NONE,
}


def setups_for(
    profile: Profile | None, model: InstalledModel, options: SetupOptions
) -> tuple[Setup, ...]:
    """Returns one setup for each column of the report."""
    card = model.card
    own = _flipped(
        Setup(options.settings),
        options.flip or (card.flip if profile is None else _PROFILE_FLIP[profile]),
    )
    own = replace(
        own,
        centering=Centering.TRAINING if options.subtract_mean else Centering.CARD,
        cards_own=options.settings.crop in (None, card.crop)
        and card.calibration.detector in (None, options.settings.locate_for(model).detector_name)
        and not options.subtract_mean
        and own.flip is card.flip,
    )
    if profile is None:
        return (own,)
    columns: dict[Profile, Callable[[Setup, SetupOptions, Card], tuple[Setup, ...]]] = {
        Profile.FACENET: _facenet,
        Profile.NXP: _nxp,
        Profile.SPHEREFACE: _sphereface,
        Profile.VASTAI: _vastai,
    }
    return tuple(replace(setup, cards_own=False) for setup in columns[profile](own, options, card))


def _flipped(setup: Setup, flip: Flip) -> Setup:
    return replace(
        setup, flip=flip, settings=replace(setup.settings, mirrored=flip is not Flip.NONE)
    )


def _facenet(own: Setup, _options: SetupOptions, _card: Card) -> tuple[Setup, ...]:
    """validate_on_lfw.py as the wiki runs it: cosine, mirror images, mean subtracted.

    Its grid of thresholds is that of squared L2, on vectors of unit length.
    """
    return (
        replace(
            own,
            settings=replace(own.settings, crop=own.settings.crop or _FACENET_CROP),
            centering=Centering.TRAINING,
            choose=facenet_grid_threshold,
        ),
    )


def _nxp(own: Setup, _options: SetupOptions, card: Card) -> tuple[Setup, ...]:
    """The fixed distance and BGR x/255 of the recipe, and facekit's ways on the same crops."""
    plain = replace(
        own, centering=Centering.NONE, settings=replace(own.settings, trim_px=NXP_TRIM_PX)
    )
    theirs = replace(
        plain,
        settings=replace(
            plain.settings,
            input=InputSpec(card.input.height_px, card.input.width_px, ColorOrder.BGR, 0.0, 255.0),
        ),
    )
    return (
        replace(theirs, name="NXP's input, distance 0.6", fixed_similarity=NXP_SIMILARITY),
        replace(plain, name="own input, distance 0.6", fixed_similarity=NXP_SIMILARITY),
        replace(theirs, name="NXP's input"),
        replace(plain, name="own input"),
    )


def _sphereface(own: Setup, _options: SetupOptions, _card: Card) -> tuple[Setup, ...]:
    """The model's crops, with the mirror images, the cosine and the threshold 0.41 of the
    script."""
    return (
        replace(
            own,
            name="SphereFace20's 0.41",
            centering=Centering.NONE,
            fixed_similarity=SPHEREFACE_SIMILARITY,
        ),
        replace(own, name="own threshold"),
    )


def _vastai(own: Setup, options: SetupOptions, _card: Card) -> tuple[Setup, ...]:
    """facenet's evaluate without mirror images, as in VastModelZOO and ixrt; nearest resize."""
    crop = own.settings.crop or replace(_FACENET_CROP, resize_filter=ResizeFilter.NEAREST)
    return (
        replace(
            own,
            settings=replace(own.settings, crop=crop),
            centering=Centering.TRAINING if options.subtract_mean else Centering.NONE,
            choose=facenet_grid_threshold,
        ),
    )
