"""Defines setups: how photos are turned into similarities, and which threshold applies.

There are setups for facekit itself and for imitations of other systems (`Profile`).
"""

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
"""Pixels that are cut off each edge of a photo, so that 160 of LFW's 250 pixels remain.

Source: img[45:-45, 45:-45] in facenet512/evaluate.py of NXP's eIQ model zoo v1.2.
"""
NXP_SIMILARITY = 1 - 0.6
"""The cosine similarity that corresponds to the fixed cosine distance 0.6 in the same file."""
SPHEREFACE_SIMILARITY = 0.41
"""The fixed threshold, a cosine similarity, of MLPerf's accuracy script for SphereFace20."""
_FACENET_CROP = CropSpec(CropRule.MARGIN, 32.0, ResizeFilter.BILINEAR)
"""The crop that facenet's align_dataset_mtcnn.py makes with --image_size 160 --margin 32.

Source: page "Validate on LFW" of facenet's wiki.
"""


class Centering(str, Enum):
    """The source of the mean embedding that is subtracted before vectors are compared."""

    CARD = "card"
    """The mean in the model's card, if there is one and it fits; see `Setup.card_means`."""
    TRAINING = "training"
    """The mean over the pairs from which the threshold is chosen (facenet's subtract_mean)."""
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Setup:
    """The settings of one column of the report, besides the model."""

    settings: EmbedSettings
    flip: Flip = Flip.NONE
    centering: Centering = Centering.CARD
    choose: ChooseThreshold = best_accuracy_threshold
    fixed_similarity: float | None = None
    """A fixed threshold as a cosine similarity.

    None if the threshold is chosen from pairs with `choose`, or taken from the model's card.
    """
    name: str = ""
    """Distinguishes this column from the other columns of the same model."""
    cards_own: bool = False
    """True if the thresholds in the model's card apply to the vectors of this setup."""

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
            f"{mirror}, {self._centered(model)}{self._runs_on}"
        )

    @property
    def _runs_on(self) -> str:
        accelerator = self.settings.locate.accelerator
        if not accelerator.requests_accelerator:
            return ""
        names = (accelerator.device and accelerator.device.value, accelerator.delegate)
        return f", on {' '.join(str(name) for name in (*names, *accelerator.providers) if name)}"

    def card_means(self, card: Card) -> tuple[Float32Array | None, Float32Array | None]:
        """Returns (mean for views, mean for templates), of which at most one is not None.

        If the card's flip is NONE, the card's mean was computed from single views; it is the mean
        for views (D,), and applies to the photo and to its mirror image.  Otherwise it was computed
        from joined templates; it is the mean for templates, (D,) or (2 D,), if this setup's flip is
        the card's.  Both are None if `centering` is not CARD, or if the card has no mean.
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
    """The user's options.

    If an option is None, the profile decides, or the model's card if the profile does not.
    """

    settings: EmbedSettings
    """`mirrored`, `trim_px` and `input` must not be set, because flip and profile decide them."""
    flip: Flip | None = None
    subtract_mean: bool = False
    """True to center by the mean of the training pairs, also if the card has a mean.

    The NXP profile, and the fixed threshold of the SphereFace profile, ignore this option.
    """


DEFAULT_PROTOCOL: dict[Profile, str] = {
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
    """Imitates facenet's validate_on_lfw.py with the options of facenet's wiki.

    These are cosine similarity, mirror images (unless the user sets another flip), and a subtracted
    training mean.  The threshold is searched on a grid of squared L2 distances of unit vectors,
    which correspond to cosine similarities.
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
    """Returns four columns on NXP's crops.

    The input is NXP's, BGR x / 255, or the model's, each with NXP's fixed distance and with a
    chosen threshold.
    """
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
    """Returns two columns with the model's crops, and mirror images unless the user sets a flip.

    The first imitates MLPerf's script: the fixed threshold 0.41, and no mean subtracted.  The
    second chooses a threshold and is centered by the card's mean or the training mean.
    """
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
    """Imitates facenet's evaluation as in VastModelZOO and ixrt.

    Crops are resized by nearest-neighbor sampling unless the user sets a crop rule, and no mirror
    images are used unless the user sets a flip.
    """
    crop = own.settings.crop or replace(_FACENET_CROP, resize_filter=ResizeFilter.NEAREST)
    return (
        replace(
            own,
            settings=replace(own.settings, crop=crop),
            centering=Centering.TRAINING if options.subtract_mean else Centering.NONE,
            choose=facenet_grid_threshold,
        ),
    )
