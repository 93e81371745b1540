"""Makes facekit/conversion/quantize/activation_ranges/MODEL.json from LFW.

    python -m tests.networks.make_activation_ranges sface LFW_FOLDER

One photo of each of 1,000 people of pairsDevTrain, none of whom is in pairsDevTest; deep-funneled
photos, the most central face; for a detector the whole photos.  What is kept are two numbers a
layer and rule, no picture.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

from facekit.conversion.crops import SEED, photo_crops, sample_across_people
from facekit.conversion.pictures import photo_pictures
from facekit.conversion.quantize import ranges as calibration
from facekit.conversion.quantize.histograms import activation_histograms
from facekit.conversion.quantize.quantized_model import static_content
from facekit.conversion.quantize.range_rules import compute_ranges
from facekit.conversion.quantize.ranges import StoredRanges
from facekit.enums import FacePolicy, RangeRule
from facekit.evaluation.protocols.lfw import Protocol, find_lfw, read_protocol
from facekit.model.card import Task
from facekit.model.store import find
from facekit.photo.limits import DEFAULT_LIMITS
from facekit.pipeline.locate import LocateOptions
from facekit.system.files import write_atomically

PEOPLE = 1000
RULES = tuple(rule for rule in RangeRule if rule is not RangeRule.ENTROPY)
"""entropy is for comparison with other tools' files, and measured when asked for"""


def main(name: str, folder: Path) -> None:
    lfw = find_lfw(folder)
    people = read_protocol(lfw, Protocol.DEVTRAIN).photos
    chosen = sample_across_people(
        [lfw.photos_dir / photo.path for photo in people], PEOPLE, seed=SEED
    )
    listed = Path("devtrain.txt")
    listed.write_text("".join(f"{photo}\n" for photo in chosen))
    model = find(name)
    title = f"{PEOPLE:,} people of LFW's pairsDevTrain ({lfw.name}), a photo each"
    if model.card.task is Task.DETECTION:
        title += ", made smaller and larger, and moved"
        cropped = photo_pictures(listed, model.card, count=PEOPLE, limits=DEFAULT_LIMITS)
    else:
        locate = LocateOptions(face_policy=FacePolicy.CENTER)
        cropped = photo_crops(listed, model, locate, count=PEOPLE)
    listed.unlink()
    histograms = activation_histograms(static_content(model), model.card.input, cropped.images)
    made = StoredRanges(
        source_sha256=model.card.source.sha256,
        origin=replace(cropped.origin, title=title),
        by_rule={rule: compute_ranges(histograms, rule) for rule in RULES},
    )
    path = Path(calibration.__file__).with_name("activation_ranges") / f"{name}.json"
    write_atomically(path, made.to_json().encode())


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
