"""Whether a card's threshold at an FMR keeps to that FMR on photos of people it has not seen.

    python benchmarks/fmr_kept.py --data ../shared/lfw --model facenet512-casia sface \
        [--fmr 1e-3 5e-4 2e-4] [--detector mtcnn yunet]

The cards that ship were measured on every pair of pairsDevTrain's photos.  Here the same models
embed pairsDevTest's photos, of other people, and every pair of two people is counted that matches
at the threshold of `facekit verify --fmr RATE`.  The interval is binomial and takes pairs as
independent, which pairs with a photo in common are not: the true one is wider.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from facekit.enums import FacePolicy
from facekit.evaluation.embeddings import PhotoCropper, embed_photos
from facekit.evaluation.metrics.all_pairs import score_all_pairs
from facekit.evaluation.metrics.intervals import binomial_ci95
from facekit.evaluation.protocols.lfw import Protocol, find_lfw, read_protocol
from facekit.evaluation.scoring import PairScorer
from facekit.tasks.evaluate import embed_settings, installed_for
from facekit.tasks.open_pipeline import PipelineRequest
from facekit.template.threshold import card_threshold


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", nargs="+", required=True)
    parser.add_argument("--detector", nargs="+", default=[None])
    parser.add_argument("--fmr", nargs="+", type=float, default=[1e-3, 5e-4, 2e-4])
    options = parser.parse_args()

    print("| model | detector | FMR asked for | on the card | threshold | measured here | 95 % |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for model in options.model:
        for detector in options.detector:
            for row in rows(options.data, model, detector, options.fmr):
                print(f"| {' | '.join(row)} |")


def rows(data: Path, model: str, detector: str | None, rates: list[float]) -> list[list[str]]:
    request = PipelineRequest(model=model, detector=detector, face=FacePolicy.CENTER)
    installed = installed_for(request)
    settings = embed_settings(installed.card, request)
    lfw = find_lfw(data)
    photos = read_protocol(lfw, Protocol.DEVTEST).photos
    embeddings = embed_photos(
        [lfw.photos_dir / photo.path for photo in photos], installed, settings
    )
    card, space = installed.card, PhotoCropper(installed, settings).pipeline.space
    calibration = card.calibration.for_detector(detector or card.detector)
    scorer = PairScorer(photos, embeddings, flip=card.flip)
    vectors, used = scorer.vectors_of(photos, mean=calibration.embedding_mean)
    pairs = score_all_pairs(vectors, [str(photos[row].person) for row in used])
    found = []
    for rate in rates:
        chosen = card_threshold(calibration, space, fmr=rate)
        counts = pairs.counts_at(chosen.similarity)
        low, high = binomial_ci95(counts.false_matches, counts.n_impostor)
        on_card = None if chosen.point is None else chosen.point.fmr
        found.append(
            [
                f"{card.name}:{card.variant}",
                detector or card.detector,
                f"{rate:g}",
                "-" if on_card is None else f"{on_card:.3g}",
                f"{chosen.similarity:.4f}",
                f"{counts.fmr:.3g} ({counts.false_matches:,} of {counts.n_impostor:,})",
                f"{low:.2g} to {high:.2g}",
            ]
        )
    return found


if __name__ == "__main__":
    main()
