"""How much of 20 people a linear classifier tells from photos that it has not seen.

    python benchmarks/gradient_baseline.py CROPS

A yardstick for train_small.py, whose crops of 128 x 112 it takes (WORK/crops-sphereface20):
histograms of oriented gradients (Dalal and Triggs 2005, "Histograms of Oriented Gradients for Human
Detection") and a linear support vector machine, each photo with its mirror image.  Nothing is
learnt from other people.  Printed are the share of photos that are classified rightly with each
left out in turn, and with those held out that training holds out, for its first five seeds.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np
from sklearn.model_selection import LeaveOneOut
from sklearn.svm import LinearSVC

from facekit.photo.decode import read_image
from facekit.photo.sources import list_people
from facekit.training.config_file import read_config
from facekit.training.dataset.epoch import split
from facekit.types import Float32Array, UInt8Array

HEIGHT_PX, WIDTH_PX, CELL_PX, BINS = 112, 96, 8, 9
SEEDS = 5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("crops", type=Path, help="of align-dataset --crop similarity")
    crops = parser.parse_args().crops
    people = list_people(crops)
    paths = [photo for person in people for photo in person.photos]
    labels = np.repeat(range(len(people)), [len(person.photos) for person in people])
    features = np.stack([both_views(read_image(path)) for path in paths])

    right = [
        classified(features, labels, known, unseen)[0]
        for known, unseen in LeaveOneOut().split(features)
    ]
    print(f"each of {len(paths)} photos left out in turn: {np.mean(right):.1%}")
    row = {path: place for place, path in enumerate(paths)}
    for seed in range(SEEDS):
        training, held = split(people, read_config("small-arcface", {"seed": seed}))
        known, unseen = (np.array([row[path] for path in own.paths]) for own in (training, held))
        share = classified(features, labels, known, unseen).mean()
        print(f"seed {seed}: {share:.0%} of {len(unseen)} held-out photos")


def classified(
    features: Float32Array, labels: np.ndarray, known: np.ndarray, unseen: np.ndarray
) -> np.ndarray:
    """(unseen,) whether the machine that was trained on `known` is right."""
    machine = LinearSVC(C=1.0, random_state=0)
    machine.fit(features[known].reshape(-1, features.shape[-1]), np.repeat(labels[known], 2))
    scores = machine.decision_function(features[unseen].reshape(-1, features.shape[-1]))
    found = scores.reshape(len(unseen), 2, -1).sum(1).argmax(1)
    return np.asarray(found == labels[unseen])


def both_views(crop: UInt8Array) -> Float32Array:
    """(2, D) unit length: of the crop's center and its mirror image."""
    top, left = (crop.shape[0] - HEIGHT_PX) // 2, (crop.shape[1] - WIDTH_PX) // 2
    gray = cv2.cvtColor(crop[top : top + HEIGHT_PX, left : left + WIDTH_PX], cv2.COLOR_RGB2GRAY)
    gray = cv2.createCLAHE(2.0, (4, 4)).apply(gray)
    return np.stack([histograms(np.asarray(view)) for view in (gray, cv2.flip(gray, 1))])


def histograms(gray: np.ndarray) -> Float32Array:
    """(H, W) -> (D,) unit length; cells in blocks of two by two, each block of unit length."""
    x = gray.astype(np.float32)
    dx, dy = (cv2.Sobel(x, -1, *order, ksize=1) for order in ((1, 0), (0, 1)))
    strength = np.sqrt(np.hypot(dx, dy))
    place = np.arctan2(dy, dx) / np.pi * BINS % BINS  # a gradient and its opposite are one
    lower, share = place.astype(int) % BINS, place % 1
    cells = np.zeros((HEIGHT_PX // CELL_PX, WIDTH_PX // CELL_PX, BINS), np.float32)
    row, column = np.indices(gray.shape) // CELL_PX
    np.add.at(cells, (row, column, lower), strength * (1 - share))
    np.add.at(cells, (row, column, (lower + 1) % BINS), strength * share)
    blocks = np.concatenate(
        [cells[:-1, :-1], cells[1:, :-1], cells[:-1, 1:], cells[1:, 1:]], axis=-1
    )
    blocks /= np.linalg.norm(blocks, axis=-1, keepdims=True) + 1e-3
    return np.asarray(blocks.ravel() / np.linalg.norm(blocks), np.float32)


if __name__ == "__main__":
    main()
