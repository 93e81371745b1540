"""Chooses the pairs to score and the pairs for the threshold, and finds the photos of both."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from facekit.evaluation.protocols.data_set import DataSet, lfw_list
from facekit.evaluation.protocols.lfw import Protocol, locate_data
from facekit.evaluation.protocols.pairs import PairList, Photo
from facekit.photo.reading import PhotoFile


class ThresholdOrigin(str, Enum):
    """The origin of the threshold with which pairs are decided."""

    OTHER_FOLDS = "other-folds"
    """Each fold has the best threshold of the other folds."""
    OTHER_LIST = "other-list"
    """The best threshold of another list, e.g. pairsDevTrain for pairsDevTest."""
    CARD = "card"
    """An operating point of the model's card."""
    FIXED = "fixed"
    """A threshold fixed by the protocol or the user."""
    SAME_PAIRS = "same-pairs"
    """The best threshold of the scored pairs themselves; reports mark the accuracy as too high."""


@dataclass(frozen=True, slots=True)
class Plan:
    """An evaluation's pairs and photos, independent of models."""

    protocol: str
    dataset: str
    """The name of the photos."""
    pair_list: PairList
    files: Mapping[str, PhotoFile]
    """Where each photo of both lists is, by its path in the list."""
    origin: ThresholdOrigin
    """OTHER_FOLDS, OTHER_LIST, CARD or SAME_PAIRS.

    CARD is replaced by SAME_PAIRS if the card's threshold does not apply or is missing.
    """
    training: PairList | None
    """The list from which the threshold is chosen; None if there is no other list for it."""
    are_crops: bool = False
    """True if the photos are crops of one face each already."""

    @property
    def photos(self) -> tuple[Photo, ...]:
        """The photos of both lists, each once, sorted by path."""
        if self.training is None or self.training is self.pair_list:
            return self.pair_list.photos
        by_path = {photo.path: photo for photo in (*self.training.photos, *self.pair_list.photos)}
        return tuple(by_path[path] for path in sorted(by_path))

    def paths(self) -> list[PhotoFile]:
        """Returns the files of `photos`, in that order."""
        return [self.files[photo.path] for photo in self.photos]


def open_plan(data_set: DataSet, *, data: Path | None, limit: int | None = None) -> Plan:
    """Plans the evaluation of a data set; opens the list from which its threshold is chosen.

    `data`: the folder of LFW, of which only pairsDevTest and a single fold need another list.
    `limit` is the maximum number of pairs of each kind that are used from every fold of both lists;
    None means all pairs.  Raises the errors of `lfw_list`.
    """
    known, pair_list = data_set.protocol, data_set.pair_list
    training: DataSet | None = None
    if known in (Protocol.DEVTEST, Protocol.FOLD1):
        origin = ThresholdOrigin.OTHER_LIST
        training = lfw_list(locate_data(data), Protocol.DEVTRAIN)
    elif len(pair_list.folds) > 1:
        origin = ThresholdOrigin.OTHER_FOLDS
    elif known is Protocol.DEVTRAIN:
        origin = ThresholdOrigin.SAME_PAIRS
    else:
        origin = ThresholdOrigin.CARD
    other = None if training is None else training.pair_list
    return Plan(
        protocol=known.value if known else "own list",
        dataset=data_set.name,
        pair_list=pair_list if limit is None else pair_list.first(limit),
        files={**(training.files if training else {}), **data_set.files},
        origin=origin,
        training=other if other is None or limit is None else other.first(limit),
        are_crops=data_set.are_crops,
    )
