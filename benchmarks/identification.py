"""Closed-set and open-set identification on LFW's View 1, through a real gallery.

    python benchmarks/identification.py --data ../shared/lfw [--protocol devtest] [--workers 2]

Closed set: of everybody with two photos or more, the first is enrolled, the others are probes;
rank-1 is the share of probes whose own person comes first.  Open set: half of these people are
enrolled, the photos of all others are unknown; FNIR at the threshold that really lets 1 % of
them in, and FPIR at the threshold for which 1 % is predicted.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import tempfile
from collections import defaultdict
from pathlib import Path

import numpy as np

from facekit.evaluation.embeddings import EmbedSettings, embed_photos
from facekit.evaluation.metrics.intervals import binomial_ci95
from facekit.evaluation.protocols.lfw import Protocol, find_lfw, read_protocol
from facekit.gallery.identify import Identification, default_threshold, identify
from facekit.gallery.records import Template, now_utc
from facekit.gallery.sqlite.gallery import SqliteGallery, create_sqlite
from facekit.model.card import Card, space_of
from facekit.model.registry import DEFAULT_MODEL
from facekit.model.store import find
from facekit.template.match import centered
from facekit.types import Float32Array

SEED = 1
FPIR = 0.01


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--protocol", type=Protocol, default=Protocol.DEVTEST)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()

    lfw = find_lfw(options.data)
    photos = read_protocol(lfw, options.protocol).photos
    model = find(DEFAULT_MODEL)
    embedded = embed_photos(
        [lfw.photos_dir / photo.path for photo in photos],
        model,
        EmbedSettings(),
        workers=options.workers,
    )
    of_person: dict[str, list[Float32Array]] = defaultdict(list)
    for photo, vector, error in zip(photos, embedded.vectors[:, 0], embedded.errors, strict=True):
        if not error:
            mean = model.card.calibration.embedding_mean
            of_person[str(photo.person)].append(centered(vector[None], mean)[0])
    print(
        json.dumps(
            {
                "protocol": options.protocol.value,
                "photos": len(photos),
                "not_acquired": int((~embedded.acquired).sum()),
                "people": len(of_person),
                "closed_set": closed_set(of_person, model.card),
                "open_set": open_set(of_person, model.card),
            },
            indent=1,
        )
    )


def closed_set(people: dict[str, list[Float32Array]], card: Card) -> dict[str, object]:
    several = {name: vectors for name, vectors in people.items() if len(vectors) > 1}
    probes = [(name, vector) for name, vectors in several.items() for vector in vectors[1:]]
    answers = answered({name: v[:1] for name, v in several.items()}, probes, card, 0.0)
    right = sum(
        answer.candidates[0].name == name for (name, _), answer in zip(probes, answers, strict=True)
    )
    return {
        "enrolled": len(several),
        "probes": len(probes),
        "rank1": right / len(probes),
        "rank1_ci95": binomial_ci95(right, len(probes)),
    }


def open_set(people: dict[str, list[Float32Array]], card: Card) -> dict[str, object]:
    several = sorted(name for name, vectors in people.items() if len(vectors) > 1)
    known = set(np.random.default_rng(SEED).permutation(several)[: len(several) // 2].tolist())
    mated = [(name, vector) for name in sorted(known) for vector in people[name][1:]]
    strange = [(name, v) for name, vs in people.items() if name not in known for v in vs]
    enrolled = {name: people[name][:1] for name in known}
    threshold = default_threshold(
        card.calibration, space_of(card, detector=None), comparisons=len(known)
    )
    mated_answers = answered(enrolled, mated, card, threshold.similarity)
    strange_answers = answered(enrolled, strange, card, threshold.similarity)
    best = np.array([answer.candidates[0].similarity for answer in strange_answers])
    own = np.array(
        [
            answer.candidates[0].similarity if answer.candidates[0].name == name else -1.0
            for (name, _), answer in zip(mated, mated_answers, strict=True)
        ]
    )
    allowed = int(FPIR * len(best))
    at_real = float(np.sort(best)[::-1][allowed]) + 1e-6
    false_positives = int((best >= threshold.similarity).sum())
    misses = int((own < threshold.similarity).sum())
    return {
        "enrolled": len(known),
        "mated_probes": len(mated),
        "unknown_probes": len(strange),
        "fnir_at_real_fpir_1_percent": float((own < at_real).mean()),
        "its_threshold_similarity": at_real,
        "predicted_fpir_at_most": threshold.predicted_fpir,
        "real_fpir_at_predicted": false_positives / len(best),
        "real_fpir_ci95": binomial_ci95(false_positives, len(best)),
        "fnir_at_predicted": misses / len(own),
        "fnir_ci95": binomial_ci95(misses, len(own)),
        "threshold_similarity": threshold.similarity,
        "threshold_source": threshold.source,
    }


def answered(
    enrolled: dict[str, list[Float32Array]],
    probes: list[tuple[str, Float32Array]],
    card: Card,
    threshold_similarity: float,
) -> list[Identification]:
    space, mean = space_of(card, detector=None), card.calibration.embedding_mean
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "gallery.db"
        create_sqlite(path)
        with SqliteGallery(path) as gallery:
            for name, vectors in enrolled.items():
                templates = [_template(name, vector) for vector in vectors]
                gallery.add(name, templates, space, mean=mean)
            return identify(
                gallery,
                np.stack([vector for _, vector in probes]),
                space,
                threshold_similarity=threshold_similarity,
            )


def _template(name: str, vector: Float32Array) -> Template:
    sha256 = hashlib.sha256(vector.tobytes()).hexdigest()
    return Template(name, sha256, None, None, now_utc(), vector)


if __name__ == "__main__":
    main()
