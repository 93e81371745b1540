"""Opens labeled photos, whatever holds them: LFW, folders, .bin files, pair lists."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from facekit.errors import InputError, PairListError, UsageError
from facekit.evaluation.protocols.lfw import Protocol, find_lfw, locate_data, read_protocol
from facekit.evaluation.protocols.pairs import Pair, PairList, Photo, read_pairs
from facekit.evaluation.protocols.people import pairs_of_people
from facekit.photo.bin_file import SUFFIX as BIN_SUFFIX
from facekit.photo.bin_file import PackedPairs, read_packed_pairs
from facekit.photo.reading import PhotoFile

_FOLDS = 10
"""insightface's verification.py scores a .bin file by ten folds of consecutive pairs."""


@dataclass(frozen=True, slots=True)
class DataSet:
    """Labeled photos, and the pairs of them to compare."""

    name: str
    """The name of the photos: their folder's or file's."""
    pair_list: PairList
    files: Mapping[str, PhotoFile]
    """Where each photo of the list is, by its path in the list."""
    protocol: Protocol | None = None
    """None for a list of the user and a .bin file."""
    are_crops: bool = False
    """True if the photos are crops of one face each already, as in a .bin file."""

    @property
    def is_lfw_list(self) -> bool:
        """True if the pairs are one of LFW's own lists, as far as its file name says."""
        return self.protocol not in (None, Protocol.FOLDERS)

    def files_of(self, photos: Sequence[Photo]) -> list[PhotoFile]:
        """Returns where the photos are."""
        return [self.files[photo.path] for photo in photos]


def open_data_set(
    source: Path | None,
    *,
    protocol: str | None = None,
    lfw_protocol: Protocol = Protocol.DEVTEST,
    photos_dir: Path | None = None,
) -> DataSet:
    """Opens labeled photos.

    `source` is one of these; None means LFW where scikit-learn's fetcher stores it:
    - a folder: LFW if it has LFW's names, scored by `lfw_protocol` unless `protocol` names another;
      else a folder for each person, or AgeDB's photos, which `pairs_of_people` pairs;
    - a .bin file of insightface; the photos are crops, and ten folds are made of the pairs if each
      has pairs of both kinds;
    - a pair list, whose photos are looked for in its folder, then in `photos_dir`, then among the
      photos of the LFW in `photos_dir`.
    Raises UsageError for an unknown protocol and for one beside a file, InputError if there are no
    photos, and PairListError if a list is missing or not valid, or lists a missing photo.
    """
    if source is not None and not source.is_dir():
        if protocol is not None:
            raise UsageError(f"--protocol is for a folder of photos; {source} is a file.")
        return (
            _packed(source) if source.suffix.lower() == BIN_SUFFIX else _listed(source, photos_dir)
        )
    known = {one.value: one for one in Protocol}
    if protocol is not None and protocol not in known:
        raise UsageError(f"--protocol is one of {', '.join(known)}. Received: {protocol!r}")
    folder = locate_data(source)
    if protocol is None:
        chosen = lfw_protocol if _is_lfw(folder) else Protocol.FOLDERS
    else:
        chosen = known[protocol]
    return _people(folder) if chosen is Protocol.FOLDERS else lfw_list(folder, chosen)


def lfw_list(folder: Path, protocol: Protocol) -> DataSet:
    """Opens one of LFW's lists.

    Raises the errors of `find_lfw`, `read_protocol` and `find_photos`.
    """
    lfw = find_lfw(folder)
    pair_list = read_protocol(lfw, protocol)
    files = find_photos(pair_list, [lfw.photos_dir])
    return DataSet(lfw.name, pair_list, files, protocol)


def find_photos(pairs: PairList, folders: Sequence[Path]) -> dict[str, Path]:
    """Returns the file of each photo of the list, in the first of `folders` that has it.

    Raises PairListError with the first missing photo's line and the number of missing photos.
    """
    found: dict[str, Path] = {}
    missing: set[str] = set()
    for photo in pairs.photos:
        paths = (folder / photo.path for folder in folders)
        # not Path.is_file, which raises OSError for a name that is too long
        path = next((path for path in paths if os.path.isfile(path)), None)
        if path is None:
            missing.add(photo.path)
        else:
            found[photo.path] = path
    if not missing:
        return found
    affected = [pair for pair in pairs.pairs if {pair.a.path, pair.b.path} & missing]
    first = affected[0]
    name = first.a.path if first.a.path in missing else first.b.path
    raise PairListError(
        f"{pairs.name}, line {first.line}: no photo {name} in {' or '.join(map(str, folders))}. "
        f"Missing in all: {len(missing)} of {len(pairs.photos)} photos, in {len(affected)} of "
        f"{len(pairs.pairs)} pairs. Pass the folder that holds them with --data."
    )


def _is_lfw(folder: Path) -> bool:
    with suppress(InputError):
        return bool(find_lfw(folder))
    return False


def _people(folder: Path) -> DataSet:
    pair_list = pairs_of_people(folder)
    files = {photo.path: folder / photo.path for photo in pair_list.photos}
    return DataSet(folder.resolve().name, pair_list, files, Protocol.FOLDERS)


def _listed(path: Path, photos_dir: Path | None) -> DataSet:
    pair_list = read_pairs(path)
    folders = [path.resolve().parent]
    if photos_dir is not None:
        folders.append(photos_dir)
        with suppress(InputError):
            folders.append(find_lfw(photos_dir).photos_dir)
    return DataSet(folders[-1].resolve().name, pair_list, find_photos(pair_list, folders))


def _packed(path: Path) -> DataSet:
    packed = read_packed_pairs(path)
    photos = [Photo(photo.name, None) for photo in packed.photos]
    pairs = [
        Pair(photos[2 * index], photos[2 * index + 1], same, index + 1)
        for index, same in enumerate(packed.same)
    ]
    folds = tuple(tuple(pairs[index] for index in fold) for fold in _consecutive_folds(packed))
    return DataSet(
        path.stem,
        PairList(path.name, folds, packed.md5),
        {photo.name: photo for photo in packed.photos},
        are_crops=True,
    )


def _consecutive_folds(packed: PackedPairs) -> list[list[int]]:
    """Returns the pairs of ten folds, as scikit-learn's KFold divides them without shuffling.

    Returns one fold if one of the ten would lack genuine or impostor pairs.
    """
    folds = [fold.tolist() for fold in np.array_split(np.arange(len(packed.same)), _FOLDS)]
    if all({packed.same[index] for index in fold} == {True, False} for fold in folds):
        return folds
    return [list(range(len(packed.same)))]
