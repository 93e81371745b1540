"""Fine-tuning the default model on LFW's pairsDevTrain: which settings, and what they bring.

    python benchmarks/fine_tune.py --lfw ../shared/lfw --work /tmp/tuning
    facekit eval-lfw --data ../shared/lfw --subtract-mean --all-pairs --model facenet512-casia \\
        --model /tmp/tuning/share-0.1/share-0.1_float32.tflite

Nobody of pairsDevTest is touched by the first command.  Of DevTrain's people with several photos,
every third is kept for choosing and the others with three photos or more are trained on.  For each
setting and for the model itself are printed: TAR at FMR 1e-2, 1e-3 and 1e-4 over every pair of the
kept people's crops, embeddings centered by their mean, and the minutes.  Training the head alone
would leave the model as it is, so it has no line.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from facekit.evaluation.metrics.all_pairs import score_all_pairs
from facekit.evaluation.protocols.lfw import LfwFolder, Protocol, find_lfw, read_protocol
from facekit.model.card import embedder_of
from facekit.model.store import find
from facekit.photo.decode import read_image
from facekit.photo.sources import PersonFolder, list_people
from facekit.runtime.litert import LiteRtNet
from facekit.template.match import unit_length

START = "facenet512-casia"
SIZE_PX, MARGIN_PX = 182, 54  # the center of 160 px has the model's own 32
FMR_TARGETS = (1e-2, 1e-3, 1e-4)
SETTINGS = {
    "share-0.01": ("finetune.net_rate_share=0.01",),
    "share-0.1": ("finetune.net_rate_share=0.1",),
    "share-0.1-softmax": ("finetune.net_rate_share=0.1", "loss=softmax", "finetune.head_epochs=1"),
    "share-1": ("finetune.net_rate_share=1",),
}
FACEKIT = (sys.executable, "-m", "facekit")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--lfw", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--setting", choices=SETTINGS, action="append")
    parser.add_argument("--epochs", type=int, default=1)
    chosen = parser.parse_args()
    aligned = align(find_lfw(chosen.lfw), chosen.work)
    kept, trained = parted(aligned, chosen.work / "trained-on")
    print(f"{_counted(trained)} to train on, {_counted(kept)} to choose by")
    print("| setting | TAR at FMR 1e-2 / 1e-3 / 1e-4 | minutes |\n| --- | --- | --- |")
    print(f"| {START} as it is | {tars(START, kept)} | |", flush=True)
    for name in chosen.setting or SETTINGS:
        output = chosen.work / name
        start = time.perf_counter()
        changes = [word for change in SETTINGS[name] for word in ("--setting", change)]
        subprocess.run(
            [
                *FACEKIT, "train", "--data", str(chosen.work / "trained-on"), "--start-from", START,
                "--config", "finetune", "--epochs", str(chosen.epochs), "--batch-size", "30",
                *changes, "-o", str(output),
            ],
            check=True,
            stdout=subprocess.DEVNULL,
        )  # fmt: skip
        minutes = (time.perf_counter() - start) / 60
        model = str(output / f"{name}_float32.tflite")
        print(f"| {name} | {tars(model, kept)} | {minutes:.1f} |", flush=True)


def align(lfw: LfwFolder, work: Path) -> Path:
    """Crops of every photo that pairsDevTrain lists."""
    photos = read_protocol(lfw, Protocol.DEVTRAIN).photos
    links = work / "devtrain"
    for photo in photos:
        link = links / photo.path
        link.parent.mkdir(parents=True, exist_ok=True)
        if not link.exists():
            link.symlink_to(lfw.photos_dir / photo.path)
    aligned = work / "aligned"
    subprocess.run(
        [*FACEKIT, "align-dataset", "--data", str(links), "-o", str(aligned),
         "--margin", str(MARGIN_PX), "--size", str(SIZE_PX), "--face", "center"],
        check=True,
        stdout=subprocess.DEVNULL,
    )  # fmt: skip
    return aligned


def parted(aligned: Path, trained_on: Path) -> tuple[list[PersonFolder], list[PersonFolder]]:
    """People to choose settings by, and people to train on, to whom links are made."""
    several = [person for person in list_people(aligned) if len(person.photos) >= 2]
    kept = several[::3]
    trained = [one for one in several if one not in kept and len(one.photos) >= 3]
    trained_on.mkdir(parents=True, exist_ok=True)
    for person in trained:
        if not (trained_on / person.name).exists():
            (trained_on / person.name).symlink_to(aligned.absolute() / person.name)
    if not (trained_on / "align.json").exists():
        (trained_on / "align.json").symlink_to(aligned.absolute() / "align.json")
    return kept, trained


def tars(model: str, people: list[PersonFolder]) -> str:
    """Over every pair of the crops' centers, in percent."""
    found = find(model)
    embedder = embedder_of(LiteRtNet(found.path), found.card)
    side = found.card.input.height_px
    first = (SIZE_PX - side) // 2
    inner = slice(first, first + side)
    vectors, names = [], []
    for person in people:
        crops = np.stack([read_image(photo)[inner, inner] for photo in person.photos])
        vectors.append(embedder.embed_uncentered(crops))
        names += [person.name] * len(crops)
    stacked = np.concatenate(vectors)
    pairs = score_all_pairs(unit_length(stacked - stacked.mean(0)), names)
    found_tars = (pairs.counts_at(pairs.threshold_at_fmr(fmr)).tar for fmr in FMR_TARGETS)
    return " / ".join(f"{100 * tar:.1f}" for tar in found_tars)


def _counted(people: list[PersonFolder]) -> str:
    return f"{sum(len(one.photos) for one in people)} photos of {len(people)} people"


if __name__ == "__main__":
    main()
