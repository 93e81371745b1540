"""Which face, crop rule and resize filter verify best?  The table of docs/explanation/accuracy.md.

    python benchmarks/crop_sweep.py ../shared/lfw            # all variants, minutes each
    python benchmarks/crop_sweep.py ../shared/lfw "margin 24" "cubic"

Settings are chosen on DevTrain; the DevTest columns are for reporting.  TAR is over every pair
of the photos, embeddings centered by the mean of DevTrain's.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from facekit.enums import CropRule, FacePolicy, Flip, ResizeFilter
from facekit.evaluation.embeddings import EmbedSettings, embed_photos
from facekit.evaluation.metrics.all_pairs import score_all_pairs
from facekit.evaluation.metrics.error_rates import best_accuracy_threshold, error_counts
from facekit.evaluation.protocols.lfw import Protocol, find_lfw, read_protocol
from facekit.evaluation.protocols.pairs import PairList
from facekit.evaluation.scoring import PairScorer
from facekit.model.store import find
from facekit.pipeline.locate import LocateOptions
from facekit.system.processes import available_cores
from facekit.types import CropSpec, Float32Array

FMR_TARGETS = (1e-3, 1e-4, 1e-5)


@dataclass(frozen=True)
class Variant:
    """One way from a photo to an embedding."""

    face: FacePolicy = FacePolicy.CENTER
    rule: CropRule = CropRule.MARGIN
    margin_px: float = 32
    resize_filter: ResizeFilter = ResizeFilter.BILINEAR
    mirrored: bool = False

    def settings(self) -> EmbedSettings:
        return EmbedSettings(
            locate=LocateOptions(face_policy=self.face),
            crop=CropSpec(self.rule, self.margin_px, self.resize_filter),
            mirrored=self.mirrored,
        )


VARIANTS = {
    "margin 32, bilinear, central face": Variant(),
    "largest face": Variant(face=FacePolicy.LARGEST),
    "margin 16": Variant(margin_px=16),
    "margin 24": Variant(margin_px=24),
    "margin 44": Variant(margin_px=44),
    "area": Variant(resize_filter=ResizeFilter.AREA),
    "cubic": Variant(resize_filter=ResizeFilter.CUBIC),
    "similarity, five points": Variant(rule=CropRule.SIMILARITY, margin_px=0),
    "with the mirror image (twice the work)": Variant(mirrored=True),
}


def embedded(pair_list: PairList, folder: Path, variant: Variant) -> PairScorer:
    photos = [folder / photo.path for photo in pair_list.photos]
    model = find("facenet512-casia")
    found = embed_photos(photos, model, variant.settings(), workers=available_cores())
    flip = Flip.SUM if variant.mirrored else Flip.NONE
    return PairScorer(pair_list.photos, found, flip=flip)


def row(name: str, folder: Path, train: PairList, test: PairList) -> str:
    scorers = {one.name: embedded(one, folder, VARIANTS[name]) for one in (train, test)}
    mean = scorers[train.name].unit.mean(0)
    scores, same = scorers[train.name].scored(train.pairs, mean=mean)
    threshold = best_accuracy_threshold(scores, same)
    on_train = error_counts(scores, same, threshold).accuracy
    scores, same = scorers[test.name].scored(test.pairs, mean=mean)
    on_test = error_counts(scores, same, threshold).accuracy
    everyone = _tars(scorers, mean, (train, test))
    strangers = _tars(scorers, mean, (test,))
    failed = sum(int((~one.acquired).sum()) for one in scorers.values())
    return (
        f"| {name} | {on_train:.2%} | {threshold:.3f} | {on_test:.2%} | {everyone} | "
        f"{strangers} | {failed} |"
    )


def _tars(scorers: dict[str, PairScorer], mean: Float32Array, lists: tuple[PairList, ...]) -> str:
    """TAR at each FMR target over every pair of the lists' photos."""
    photos = {}
    for listed in lists:
        vectors, there = scorers[listed.name].vectors_of(listed.photos, mean=mean)
        for vector, place in zip(vectors, there, strict=True):
            photos[listed.photos[place].path] = vector, str(listed.photos[place].person)
    stacked = np.stack([vector for vector, _ in photos.values()])
    pairs = score_all_pairs(stacked, [person for _, person in photos.values()])
    tars = (pairs.counts_at(pairs.threshold_at_fmr(fmr)).tar for fmr in FMR_TARGETS)
    return " / ".join(f"{100 * tar:.1f}" for tar in tars)


def main(data: str, *wanted: str) -> None:
    folder = find_lfw(Path(data))
    train = read_protocol(folder, Protocol.DEVTRAIN)
    test = read_protocol(folder, Protocol.DEVTEST)
    print("| variant | DevTrain | threshold | DevTest | TAR all | TAR DevTest only | no face |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for name in wanted or VARIANTS:
        print(row(name, folder.photos_dir, train, test), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
