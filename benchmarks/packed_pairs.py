"""A .bin file of pairsDevTest's crops beside the photos that they were cut from.

    python benchmarks/packed_pairs.py --data ../shared/lfw --model sface --detector yunet

Both hold the 1,000 pairs of pairsDevTest in ten folds of 50 genuine and 50 impostor pairs, and each
fold has the threshold of the nine others.  Of the photos the model's detector finds the faces; the
crops are used whole.  They are JPEG, as in insightface's files.
"""

from __future__ import annotations

import argparse
import json
import pickle
import tempfile
from pathlib import Path

from facekit.enums import FacePolicy
from facekit.errors import NoFaceError
from facekit.evaluation.embeddings import PhotoCropper
from facekit.evaluation.protocols.data_set import DataSet, lfw_list
from facekit.evaluation.protocols.lfw import Protocol
from facekit.evaluation.protocols.pairs import Pair
from facekit.photo.write import jpeg_bytes
from facekit.tasks.evaluate import EvaluationData, embed_settings, evaluate, installed_for
from facekit.tasks.open_pipeline import PipelineRequest

FOLDS = 10


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", default="facenet512-casia")
    parser.add_argument("--detector", default=None)
    args = parser.parse_args()
    request = PipelineRequest(args.model, detector=args.detector, face=FacePolicy.CENTER)
    data_set = lfw_list(args.data, Protocol.DEVTEST)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        kept, packed = write_packed(folder / "devtest.bin", data_set, request)
        table = write_table(folder / "devtest.csv", kept)
        photos = next(iter(data_set.files.values()))
        assert isinstance(photos, Path)
        report = evaluate(
            [request], EvaluationData((table, packed), photos_dir=photos.parents[1]), workers=1
        )
        first, second = (one.models[0] for one in report.data_sets)
        differences = [
            abs(a.similarity - b.similarity)
            for a, b in zip(first.pairs, second.pairs, strict=True)
            if a.similarity is not None and b.similarity is not None
        ]
        found = {
            "model": first.model.full_name,
            "pairs": len(kept),
            "photos": first.accuracy_failures_wrong.value,
            "crops": second.accuracy_failures_wrong.value,
            "crop profile": second.model.profile,
            "mean similarity difference": sum(differences) / len(differences),
            "max similarity difference": max(differences),
            "bin bytes": packed.stat().st_size,
        }
    print(json.dumps(found, indent=1))


def write_packed(
    path: Path, data_set: DataSet, request: PipelineRequest
) -> tuple[list[Pair], Path]:
    """Returns the pairs in ten folds of both kinds, without those of a photo without a face."""
    model = installed_for(request)
    cropper = PhotoCropper(model, embed_settings(model.card, request))
    crops: dict[str, bytes] = {}
    for photo in data_set.pair_list.photos:
        try:
            crops[photo.path] = jpeg_bytes(cropper.crop(data_set.files[photo.path])[0])
        except NoFaceError as error:
            print(f"left out: {error}")
    pairs = [one for one in data_set.pair_list.pairs if {one.a.path, one.b.path} <= crops.keys()]
    genuine, impostor = ([one for one in pairs if one.same is same] for same in (True, False))
    size = min(len(genuine), len(impostor)) // FOLDS
    ordered = [
        pair
        for fold in range(FOLDS)
        for kind in (genuine, impostor)
        for pair in kind[fold * size : (fold + 1) * size]
    ]
    photos = [crops[photo.path] for pair in ordered for photo in (pair.a, pair.b)]
    path.write_bytes(pickle.dumps((photos, [pair.same for pair in ordered])))
    return ordered, path


def write_table(path: Path, pairs: list[Pair]) -> Path:
    size = len(pairs) // FOLDS
    lines = [
        f"{one.a.path};{one.b.path};{int(one.same)};{index // size + 1}"
        for index, one in enumerate(pairs)
    ]
    path.write_text("\n".join(("img1;img2;same;fold", *lines)))
    return path


if __name__ == "__main__":
    main()
