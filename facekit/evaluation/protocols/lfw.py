"""Finds Labeled Faces in the Wild on disk, and the pair list of each protocol.

Each of LFW's alignments (original, funneled, deep-funneled) has the layout `Name/Name_0001.jpg`.
Archives unpack the photos' folders directly or under one folder; pair lists are beside the photos'
folders or in `protocol/`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from functools import reduce
from pathlib import Path

from facekit.errors import InputError, PairListError
from facekit.evaluation.protocols.fetch_lfw import SITE, data_home
from facekit.evaluation.protocols.pairs import PairList, read_pairs

_ONE_PHOTO = "one photo is filed as {} and as {}"
_OTHER_PERSON = "reported to show {}"

WRONG_LABELS = {
    "Bart_Hendricks/Bart_Hendricks_0001.jpg": _ONE_PHOTO.format("Bart_Hendricks", "Ricky_Ray"),
    "Ricky_Ray/Ricky_Ray_0001.jpg": _ONE_PHOTO.format("Bart_Hendricks", "Ricky_Ray"),
    "Carlos_Beltran/Carlos_Beltran_0001.jpg": _ONE_PHOTO.format("Carlos_Beltran", "Raul_Ibanez"),
    "Raul_Ibanez/Raul_Ibanez_0001.jpg": _ONE_PHOTO.format("Carlos_Beltran", "Raul_Ibanez"),
    "Janica_Kostelic/Janica_Kostelic_0001.jpg": _OTHER_PERSON.format("Anja Paerson"),
    "Michael_Schumacher/Michael_Schumacher_0008.jpg": _OTHER_PERSON.format("Rubens Barrichello"),
    "Recep_Tayyip_Erdogan/Recep_Tayyip_Erdogan_0004.jpg": _OTHER_PERSON.format("Abdullah Gul"),
}
"""Photos that LFW's users report as wrongly labeled; the list is not complete.

The photos are scored with the list's label, as LFW's rules require.
"""


class Protocol(str, Enum):
    """The pairs to score.  View 1 is for development, View 2 for reporting."""

    DEVTRAIN = "devtrain"
    """View 1, pairsDevTrain.txt: 1,100 genuine and 1,100 impostor pairs."""
    DEVTEST = "devtest"
    """View 1, pairsDevTest.txt: 500 genuine and 500 impostor pairs."""
    VIEW1 = "view1"
    """Both lists of View 1 as two folds; each fold is scored with the other fold's threshold."""
    VIEW2 = "view2"
    """View 2, pairs.txt: 10 folds of 300 genuine and 300 impostor pairs."""
    FOLD1 = "fold1"
    """The first fold of View 2, which MLPerf's SphereFace20 test uses."""
    FOLDERS = "folders"
    """The user's photos in one folder per person; people.py chooses the pairs."""

    @property
    def file_names(self) -> tuple[str, ...]:
        return {
            Protocol.DEVTRAIN: ("pairsDevTrain.txt",),
            Protocol.DEVTEST: ("pairsDevTest.txt",),
            Protocol.VIEW1: ("pairsDevTrain.txt", "pairsDevTest.txt"),
            Protocol.FOLDERS: (),
        }.get(self, ("pairs.txt",))


@dataclass(frozen=True, slots=True)
class LfwFolder:
    photos_dir: Path
    """The folder that contains one folder per person."""
    protocol_dirs: tuple[Path, ...]
    """Folders that are searched for pair lists, in this order."""

    @property
    def name(self) -> str:
        """The name of the photos' folder, which names the alignment, e.g. "lfw-deepfunneled"."""
        return self.photos_dir.name


def locate_data(given: Path | None) -> Path:
    """Returns `given`, or if it is None the folder in which scikit-learn's fetcher stores LFW.

    Raises InputError, whose message explains how to get LFW, if the latter folder does not exist.
    """
    if given is not None:
        return given
    folder = data_home(None) / "lfw_home"
    if not folder.is_dir():
        raise InputError(
            "Photos of LFW are needed. Pass their folder with --data or FACEKIT_LFW (photos as "
            "Name/Name_0001.jpg, pairs.txt and the other lists beside them or in protocol/), or "
            f"run: facekit data fetch lfw. Looked in {folder}."
        )
    return folder


def find_lfw(folder: Path) -> LfwFolder:
    """Finds LFW's photos in `folder`, or in the only folder of photos directly below `folder`.

    Raises InputError if there are no photos, or several folders of photos.
    """
    if not folder.is_dir():
        raise InputError(f"A folder with LFW's photos needed. {folder} is not a folder.")
    folder = folder.resolve()
    if _holds_people(folder):
        found = [folder]
    else:
        found = [child for child in sorted(folder.iterdir()) if _holds_people(child)]
    if not found:
        raise InputError(
            f"{folder} is not LFW: no photo Name/Name_0001.jpg in it or in a folder right below it."
        )
    if len(found) > 1:
        names = ", ".join(child.name for child in found)
        raise InputError(f"{folder} holds LFW {len(found)} times: {names}. Pass one of them.")
    photos_dir = found[0]
    homes = dict.fromkeys((folder, photos_dir, photos_dir.parent))
    return LfwFolder(
        photos_dir, tuple(folder for home in homes for folder in (home, home / "protocol"))
    )


def read_protocol(lfw: LfwFolder, protocol: Protocol) -> PairList:
    """Reads the protocol's list.  Raises PairListError if the file is missing or not valid.

    The caller reports whether the file is the published one: `published_as`.
    """
    lists = [_read_list(lfw, name, protocol) for name in protocol.file_names]
    pairs = reduce(PairList.joined, lists)
    return pairs.only_fold(1) if protocol is Protocol.FOLD1 else pairs


def _read_list(lfw: LfwFolder, file_name: str, protocol: Protocol) -> PairList:
    for folder in lfw.protocol_dirs:
        if (folder / file_name).is_file():
            return read_pairs(folder / file_name)
    looked_in = ", ".join(map(str, lfw.protocol_dirs))
    raise PairListError(
        f"Protocol {protocol.value} needs {file_name}. Looked in {looked_in}. "
        f"It is published at {SITE} (for photos of your own, a folder a person, pass --protocol "
        "folders)."
    )


def _holds_people(folder: Path) -> bool:
    return folder.is_dir() and any(
        (child / f"{child.name}_0001.jpg").is_file() for child in folder.iterdir()
    )
