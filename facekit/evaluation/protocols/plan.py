"""Chooses the pairs to score and the pairs for the threshold, and finds the photos of both."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from facekit.errors import UsageError
from facekit.evaluation.protocols.lfw import (
    LfwFolder,
    Protocol,
    find_lfw,
    locate_data,
    read_protocol,
)
from facekit.evaluation.protocols.pairs import PairList, Photo, read_pairs, require_photos
from facekit.evaluation.protocols.people import pairs_of_people


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
    pair_list: PairList
    folder: LfwFolder
    origin: ThresholdOrigin
    """OTHER_FOLDS, OTHER_LIST, CARD or SAME_PAIRS.

    CARD is replaced by SAME_PAIRS if the card's threshold does not apply or is missing.
    """
    training: PairList | None
    """The list from which the threshold is chosen; None if there is no other list for it."""

    @property
    def photos(self) -> tuple[Photo, ...]:
        """The photos of both lists, each once, sorted by path."""
        if self.training is None or self.training is self.pair_list:
            return self.pair_list.photos
        by_path = {photo.path: photo for photo in (*self.training.photos, *self.pair_list.photos)}
        return tuple(by_path[path] for path in sorted(by_path))

    def paths(self) -> list[Path]:
        """The files of `photos`, in that order."""
        return [self.folder.photos_dir / photo.path for photo in self.photos]


def open_list(
    *, data: Path | None, protocol: str, pairs_file: Path | None
) -> tuple[PairList, LfwFolder, Protocol | None]:
    """Opens a pair list and finds its photos; returns (list, photos' folder, LFW's protocol).

    `protocol` is a value of Protocol, or the path of a pair list; `pairs_file` replaces `protocol`.
    Photos of a list of the user are searched in `data`, or beside the list if `data` is None.  For
    such a list, the returned protocol is None.
    Raises UsageError if `protocol` is neither, InputError if LFW or the folder of photos is not
    found, and PairListError if the list is missing or not valid, or lists a missing photo.
    """
    known = {one.value: one for one in Protocol}
    if pairs_file is None and protocol == Protocol.FOLDERS.value:
        photos_dir = locate_data(data)
        return pairs_of_people(photos_dir), LfwFolder(photos_dir.resolve(), ()), Protocol.FOLDERS
    if pairs_file is None and protocol in known:
        folder = find_lfw(locate_data(data))
        pair_list = read_protocol(folder, known[protocol])
        require_photos(pair_list, folder.photos_dir)
        return pair_list, folder, known[protocol]
    path = pairs_file or Path(protocol)
    if pairs_file is None and not path.is_file():
        raise UsageError(
            f"--protocol is one of {', '.join(known)}, or the path of a pair list. "
            f"Received: {protocol!r}, which is no file."
        )
    pair_list = read_pairs(path)
    if data is None:
        folder = LfwFolder(path.resolve().parent, ())
    else:
        folder = LfwFolder(data, ()) if path.suffix.lower() == ".csv" else find_lfw(data)
    require_photos(pair_list, folder.photos_dir)
    return pair_list, folder, None


def open_plan(
    *, data: Path | None, protocol: str, pairs_file: Path | None, limit: int | None
) -> Plan:
    """Opens a list as `open_list` does, and the list from which the threshold is chosen.

    `limit` is the maximum number of pairs of each kind that are used from every fold of both lists;
    None means all pairs.  Raises the errors of `open_list`.
    """
    pair_list, folder, known = open_list(data=data, protocol=protocol, pairs_file=pairs_file)
    training: PairList | None = None
    if known in (Protocol.DEVTEST, Protocol.FOLD1):
        origin = ThresholdOrigin.OTHER_LIST
        training = read_protocol(folder, Protocol.DEVTRAIN)
        require_photos(training, folder.photos_dir)
    elif len(pair_list.folds) > 1:
        origin = ThresholdOrigin.OTHER_FOLDS
    elif known is Protocol.DEVTRAIN:
        origin = ThresholdOrigin.SAME_PAIRS
    else:
        origin = ThresholdOrigin.CARD
    if limit is not None:
        pair_list = pair_list.first(limit)
        training = training.first(limit) if training is not None else None
    return Plan(known.value if known else "own list", pair_list, folder, origin, training)
