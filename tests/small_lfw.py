"""An LFW of a dozen photos, made of the three in tests/data, and a home for its embeddings."""

from __future__ import annotations

import os
import time
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from facekit.model.store import home

FACELESS = "Nobody/Nobody_0001.jpg"


def make_small_lfw(folder: Path, data: Path) -> Path:
    """Photos in folder/lfw, and pairsDevTrain.txt and pairsDevTest.txt beside it.

    devtrain: 12 pairs without a fault.  devtest: 4 and 4 pairs, of which one impostor pair is one
    person under two names (mirrored, so that the files differ), and one genuine pair holds a
    photo without a face.
    """
    obama, obama2, biden = (_shrunk(data / f"{name}.jpg") for name in ("obama", "obama2", "biden"))
    sources = {
        "Barack_Obama": (obama, obama2, _darker(obama), _darker(obama2)),
        "Joe_Biden": (biden, _darker(biden), _nearer(biden), _nearer(_darker(biden))),
        "Barack_Mirrored": (obama[:, ::-1], obama2[:, ::-1]),
        "Nobody": (np.full((250, 250, 3), 128, np.uint8), obama[:100]),
    }
    for name, photos in sources.items():
        (folder / "lfw" / name).mkdir(parents=True)
        for number, photo in enumerate(photos, 1):
            cv2.imwrite(str(folder / "lfw" / name / f"{name}_{number:04d}.jpg"), photo)
    genuine = [f"Barack_Obama\t{a}\t{b}" for a, b in ((1, 2), (1, 3), (2, 4))]
    genuine += [f"Joe_Biden\t{a}\t{b}" for a, b in ((1, 2), (1, 3), (2, 4))]
    impostor = [
        f"Barack_Obama\t{a}\tJoe_Biden\t{b}"
        for a, b in ((1, 1), (2, 1), (1, 2), (3, 3), (4, 4), (2, 3))
    ]
    _write(folder / "pairsDevTrain.txt", genuine, impostor)
    _write(
        folder / "pairsDevTest.txt",
        ["Barack_Obama\t1\t4", "Barack_Obama\t3\t4", "Joe_Biden\t3\t4", "Nobody\t1\t2"],
        [
            "Barack_Obama\t1\tJoe_Biden\t3",
            "Barack_Obama\t2\tJoe_Biden\t4",
            "Barack_Mirrored\t1\tJoe_Biden\t1",
            "Barack_Mirrored\t1\tBarack_Obama\t1",
        ],
    )
    return folder


def home_of_its_own(folder: Path) -> Path:
    """A FACEKIT_HOME with the models of the present one and a cache of its own."""
    folder.mkdir(parents=True)
    (folder / "models").symlink_to(home().absolute() / "models")
    return folder


def noise_photos(folder: Path, n: int) -> list[Path]:
    """Small PNG files without a face, each another; for what needs many photos."""
    random = np.random.default_rng(0)
    paths = [folder / f"{number:03d}.png" for number in range(n)]
    for path in paths:
        cv2.imwrite(str(path), random.integers(0, 256, (40, 40, 3), np.uint8))
    return paths


def group_is_gone(group: int, *, within_s: float = 20.0) -> bool:
    """Whether a process group has no process any more."""
    end = time.monotonic() + within_s
    while time.monotonic() < end:
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.05)
    return False


def _write(path: Path, genuine: list[str], impostor: list[str]) -> None:
    assert len(genuine) == len(impostor)
    path.write_text("\n".join([str(len(genuine)), *genuine, *impostor]) + "\n")


def _shrunk(path: Path) -> NDArray[np.uint8]:
    photo = cv2.imread(str(path))
    assert photo is not None
    scale = 300 / max(photo.shape[:2])
    small = cv2.resize(photo, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.uint8)


def _darker(photo: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return (photo * 0.7).astype(np.uint8)


def _nearer(photo: NDArray[np.uint8]) -> NDArray[np.uint8]:
    height, width = photo.shape[:2]
    return photo[: height * 7 // 8, width // 16 : -width // 16]
