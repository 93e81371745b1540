"""Training from scratch on 20 people of LFW's View 1, and a kill in the middle of it.

    python benchmarks/train_small.py --lfw ../shared/lfw --work /tmp/small
    python benchmarks/train_small.py --lfw ../shared/lfw --work /tmp/small --kill

The 20 people with most photos here (among equals the last by name) are aligned by their landmarks
and trained on with the configuration small-arcface, by both architectures.  Printed are the last
epoch's loss, the share of held-out photos that are classified rightly (by the head; by the nearest
of the people's mean embeddings, each of a photo and its mirror image), and the minutes.  With
--kill a short run is killed (SIGKILL) in the middle of an epoch, resumed, and its curve compared
with that of a run that was left alone.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from facekit.enums import Architecture
from facekit.evaluation.protocols.lfw import find_lfw
from facekit.model.card import embedder_of
from facekit.model.store import find
from facekit.photo.decode import read_image
from facekit.photo.sources import list_people
from facekit.runtime.litert import LiteRtNet
from facekit.template.match import unit_length
from facekit.training.dataset.epoch import PhotoSet, split
from facekit.training.request import resumed
from facekit.types import Float32Array, UInt8Array

PEOPLE = 20
RUNS = {
    Architecture.INCEPTION_RESNET_V1: (("--size", "182", "--margin", "22"), ()),
    Architecture.SPHEREFACE20: ((), ("--rate", "5e-4")),
}
"""how crops by landmarks are made for each, and how its run differs from the configuration"""
FACEKIT = (sys.executable, "-m", "facekit")
KILL_STEPS = 8  # an epoch of the run that is killed in its middle


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--lfw", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--architecture", type=Architecture, action="append")
    parser.add_argument("--epochs", type=int, help="instead of the configuration's")
    parser.add_argument("--kill", action="store_true")
    chosen = parser.parse_args()
    people = chosen.work / "people"
    names = link_people(chosen.lfw, people)
    print(f"{PEOPLE} people: {', '.join(names)}")
    for architecture in chosen.arch or RUNS:
        data = aligned(people, chosen.work, architecture)
        if chosen.kill:
            kill(data, chosen.work, architecture)
        else:
            scratch(data, chosen.work, architecture, chosen.epochs)


def link_people(lfw: Path, into: Path) -> list[str]:
    """Links to the folders of the people with most photos; their names."""
    folders = [folder for folder in find_lfw(lfw).photos_dir.iterdir() if folder.is_dir()]
    folders.sort(key=lambda folder: (len(list(folder.glob("*.jpg"))), folder.name), reverse=True)
    into.mkdir(parents=True, exist_ok=True)
    for folder in folders[:PEOPLE]:
        if not (into / folder.name).exists():
            (into / folder.name).symlink_to(folder)
    return sorted(folder.name for folder in folders[:PEOPLE])


def aligned(people: Path, work: Path, architecture: Architecture) -> Path:
    options, _run = RUNS[architecture]
    output = work / f"crops-{architecture.value}"
    subprocess.run(
        [
            *FACEKIT,
            "align-dataset",
            "--data",
            str(people),
            "-o",
            str(output),
            "--crop",
            "similarity",
            *options,
        ],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return output


def scratch(data: Path, work: Path, architecture: Architecture, epochs: int | None) -> None:
    start = time.perf_counter()
    output = work / f"run-{architecture.value}"
    extra = ["--epochs", str(epochs)] if epochs else []
    told = subprocess.run(
        [*_command(data, output, architecture), *extra, "--json"],
        check=True,
        stdout=subprocess.PIPE,
    )
    result = json.loads(told.stdout)
    print(
        f"{architecture.value}: loss {result['epoch_loss']:.3f}, "
        f"{result['held_out_accuracy']:.0%} of {result['held_out_photo_count']} held-out photos by "
        f"the head, {by_means(output):.0%} by means, {result['photo_count']} photos, "
        f"{(time.perf_counter() - start) / 60:.1f} minutes"
    )


def by_means(output: Path) -> float:
    """0..1: held-out photos whose own person's mean embedding is the nearest."""
    request = resumed(output)
    model = find(str(output / f"{request.name}_float32.tflite"))
    embedder = embedder_of(LiteRtNet(model.path), model.card)
    height, width = model.card.input.height_px, model.card.input.width_px

    def embedded(photos: PhotoSet) -> Float32Array:
        crops = np.stack([center(read_image(path), height, width) for path in photos.paths])
        return unit_length(embedder.embed_views(crops, mirrored=True).sum(1))

    training, held = split(list_people(request.data), request.config)
    known = embedded(training)
    means = np.stack([known[training.labels == label].mean(0) for label in range(PEOPLE)])
    nearest = (embedded(held) @ unit_length(means).T).argmax(1)
    return float((nearest == held.labels).mean())


def center(pixels: UInt8Array, height_px: int, width_px: int) -> UInt8Array:
    top, left = (pixels.shape[0] - height_px) // 2, (pixels.shape[1] - width_px) // 2
    return pixels[top : top + height_px, left : left + width_px]


def kill(data: Path, work: Path, architecture: Architecture) -> None:
    """One epoch of a few small batches, killed after the checkpoint in its middle."""
    short = ["--epochs", "1", "--batch-size", "4", "--setting", f"steps_per_epoch={KILL_STEPS}",
             "--setting", f"checkpoint_steps={KILL_STEPS // 2}", "--held-out", "0"]  # fmt: skip
    whole, killed = (work / f"{name}-{architecture.value}" for name in ("whole", "killed"))
    subprocess.run([*_command(data, whole, architecture), *short], check=True)
    with subprocess.Popen([*_command(data, killed, architecture), *short]) as process:
        while process.poll() is None and not list((killed / "checkpoints").glob("step-*.npz")):
            time.sleep(0.05)
        os.kill(process.pid, signal.SIGKILL)
    at = max(path.stem for path in (killed / "checkpoints").glob("step-*.npz"))
    subprocess.run([*FACEKIT, "train", "-o", str(killed), "--resume"], check=True)
    curves = [(folder / "curve.jsonl").read_bytes() for folder in (whole, killed)]
    models = [next(folder.glob("*.tflite")).read_bytes() for folder in (whole, killed)]
    print(
        f"{architecture.value}: killed after {at}; curve "
        f"{'equal' if curves[0] == curves[1] else 'DIFFERENT'}, "
        f"model {'equal' if models[0] == models[1] else 'DIFFERENT'} byte for byte"
    )


def _command(data: Path, output: Path, architecture: Architecture) -> list[str]:
    return [
        *FACEKIT, "train", "--data", str(data), "--config", "small-arcface",
        "--architecture", architecture.value, *RUNS[architecture][1], "-o", str(output),
    ]  # fmt: skip


if __name__ == "__main__":
    main()
