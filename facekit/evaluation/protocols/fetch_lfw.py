"""Fetches LFW with scikit-learn's fetcher, which verifies the archives' checksums."""

from __future__ import annotations

import os
import warnings
from pathlib import Path

from facekit.enums import LfwAlignment
from facekit.errors import FetchError, StorageError
from facekit.model.fetch import offline_by_environment
from facekit.system.extras import require

N_PHOTOS, N_PEOPLE = 13_233, 5_749
"""Number of photos in LFW, in every alignment (http://vis-www.cs.umass.edu/lfw/README.txt)."""
SITE = "http://vis-www.cs.umass.edu/lfw/"


def data_home(given: Path | None) -> Path:
    """Returns scikit-learn's data home.

    This is `given`, else the folder in SCIKIT_LEARN_DATA, else ~/scikit_learn_data.
    """
    home = given or Path(os.environ.get("SCIKIT_LEARN_DATA", "~/scikit_learn_data"))
    return home.expanduser()


def fetch_lfw(home: Path, alignment: LfwAlignment, *, offline: bool = False) -> Path:
    """Fetches photos and pair lists to `home`/lfw_home, about 240 MB; returns that folder.

    Existing files are not fetched again.  Raises FetchError, whose message explains how to get the
    files by hand, if LFW cannot be fetched or `offline` forbids it.  Raises StorageError if the
    folder cannot be written, and MissingExtraError if scikit-learn or Pillow is missing.
    """
    offline = offline or offline_by_environment()
    folder = home / "lfw_home"
    if offline and not (folder / alignment.folder).is_dir():
        raise FetchError(f"LFW is not in {folder} and --offline forbids fetching it. {_by_hand()}")
    datasets = require("sklearn.datasets", extra="evaluate", needed_for="Fetching LFW")
    require("PIL", extra="evaluate", needed_for="scikit-learn's fetcher")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the fetcher warns at each retry; the last one raises
            datasets.fetch_lfw_pairs(
                subset="test",
                data_home=str(home),
                funneled=alignment is LfwAlignment.FUNNELED,
                resize=0.1,  # the fetcher also decodes 2,000 photos, which is fast at this size
                download_if_missing=not offline,
            )
    except PermissionError as error:
        raise StorageError(f"Cannot write to {folder}: {error.strerror}") from error
    except (OSError, EOFError) as error:  # URLError and a wrong checksum are OSErrors
        raise FetchError(f"LFW could not be fetched: {error}. {_by_hand()}") from error
    _require_whole(folder / alignment.folder)
    return folder


def _require_whole(photos_dir: Path) -> None:
    """Raises FetchError if photos are missing, which the fetcher does not check.

    Photos are missing e.g. after a process was killed while it unpacked them.
    """
    people = [child for child in photos_dir.iterdir() if child.is_dir()]
    n_photos = sum(len(list(person.glob("*.jpg"))) for person in people)
    if (n_photos, len(people)) != (N_PHOTOS, N_PEOPLE):
        raise FetchError(
            f"{N_PHOTOS:,} photos of {N_PEOPLE:,} people needed. {photos_dir} holds {n_photos:,} "
            f"of {len(people):,}: remove that folder and fetch again."
        )


def _by_hand() -> str:
    return (
        f"To do it by hand, take lfw.tgz (or lfw-funneled.tgz, lfw-deepfunneled.tgz), pairs.txt, "
        f"pairsDevTrain.txt and pairsDevTest.txt from {SITE} or a mirror of it, unpack the "
        "archive into a folder of your choice, put the lists beside it, and pass that folder "
        "with --data or FACEKIT_LFW."
    )
