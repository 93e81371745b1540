from __future__ import annotations

import json
import re
import string
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from jsonschema import Draft202012Validator

import facekit.model.card
from facekit.enums import ClassScores, ColorOrder, CropRule, Flip, Metric, ResizeFilter
from facekit.errors import ModelMismatchError, NoOperatingPointError
from facekit.model.card import (
    EXAMPLE,
    Card,
    Quantization,
    Source,
    Task,
    bound,
    parse_card,
    read_card,
    space_of,
)
from facekit.template.calibration import (
    Calibration,
    LogisticScore,
    OperatingPoint,
    fmr_target,
)
from facekit.template.margin_rule import MarginRule
from facekit.types import CropSpec, DetectorIdentity, InputSpec, PadSpec
from tests.model.made_up_model import CARD, SHA256

PLAIN = st.text(string.ascii_letters + string.digits, min_size=1, max_size=20)
HASH = st.text("0123456789abcdef", min_size=64, max_size=64)
COUNT = st.integers(0, 10**12)
RATE = st.floats(0, 1)
INTERVAL = st.none() | st.tuples(RATE, RATE).map(lambda pair: (min(pair), max(pair)))
REAL = st.floats(-1e6, 1e6)
FMR_CURVES = st.lists(st.tuples(st.floats(-1, 1), st.floats(0, 1)), max_size=4).map(
    lambda places: tuple(
        zip(
            sorted({threshold for threshold, _ in places}),
            sorted((fmr for _, fmr in places), reverse=True),
            strict=False,
        )
    )
)
TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
POINT = st.builds(
    OperatingPoint,
    target=TEXT,
    threshold_similarity=st.floats(-1, 1),
    fmr=st.none() | RATE,
    fnmr=st.none() | RATE,
    n_genuine=COUNT,
    n_impostor=COUNT,
    fmr_ci95=INTERVAL,
    fnmr_ci95=INTERVAL,
    protocol=TEXT,
    dataset=TEXT,
    metric=st.sampled_from(Metric),
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)  # fmt: skip

SHARE, COUNT = st.floats(0, 1), st.integers(0, 99)


@st.composite
def pads(draw: st.DrawFn) -> PadSpec:
    classes = draw(st.lists(TEXT, min_size=1, max_size=4, unique=True))
    return PadSpec(
        crop_scale=draw(st.floats(1, 20)),
        classes=tuple(classes),
        bona_fide=draw(st.sampled_from(classes)),
        scores=draw(st.sampled_from(ClassScores)),
        threshold_score=draw(st.floats(0, 1)),
        threshold_source=draw(TEXT),
    )


@st.composite
def cards(draw: st.DrawFn) -> Card:
    embedding = draw(st.booleans())
    pad = None if embedding else draw(st.none() | pads())
    size = draw(st.integers(1, 6)) if embedding else 0
    finite = st.floats(width=32, allow_nan=False, allow_infinity=False)
    crop = st.builds(
        CropSpec,
        rule=st.sampled_from(CropRule),
        margin_px=st.floats(0, 1e6),
        resize_filter=st.sampled_from(ResizeFilter),
    )
    measured = [(rate, draw(st.booleans())) for rate in draw(FMR_CURVES)]
    return Card(
        name=draw(PLAIN),
        variant=draw(PLAIN),
        task=Task.EMBEDDING if embedding else Task.PAD if pad else Task.DETECTION,
        architecture=draw(TEXT),
        file_name=draw(PLAIN),
        file_sha256=draw(HASH),
        file_size_bytes=draw(COUNT),
        source=draw(st.builds(Source, TEXT, TEXT, HASH, TEXT, TEXT)),
        input=draw(
            st.builds(
                InputSpec,
                height_px=st.integers(1, 4096),
                width_px=st.integers(1, 4096),
                color_order=st.sampled_from(ColorOrder),
                mean=st.floats(-1e6, 1e6),
                std=st.floats(1e-6, 1e6),
            )
        ),
        quantization=draw(st.builds(Quantization, TEXT, TEXT, st.dictionaries(TEXT, JSON))),
        crop=draw(crop) if embedding else None,
        embedding_size=size,
        flip=draw(st.sampled_from(Flip)) if size % 2 == 0 else Flip.NONE,
        calibration=Calibration(
            embedding_mean=draw(st.none() | npst.arrays(np.float32, size, elements=finite))
            if embedding
            else None,
            operating_points=tuple(
                replace(draw(POINT), threshold_similarity=threshold, fmr=fmr)
                for (threshold, fmr), on_curve in measured
                if not on_curve
            )
            + tuple(draw(st.lists(POINT.map(lambda one: replace(one, fmr=None)), max_size=2))),
            fmr_curve=tuple(rate for rate, on_curve in measured if on_curve),
            probability=draw(
                st.none()
                | st.builds(LogisticScore, REAL, REAL, st.integers(1, 99), st.integers(0, 99))
            ),
            margin=draw(st.none() | st.builds(MarginRule, SHARE, SHARE, SHARE, *[COUNT] * 3)),
            source=draw(TEXT),
        ),
        tools=draw(st.dictionaries(TEXT, TEXT, max_size=3)),
        pad=pad,
    )


def plain() -> dict[str, Any]:
    """A card with every kind of member, as parsed JSON."""
    point = OperatingPoint("fmr=1e-3", 0.5, 1e-3, 0.05, 10, 20, (0, 0.1), (0, 0.2), "p", "d")
    card = replace(
        CARD,
        calibration=Calibration(
            embedding_mean=np.array([0.5, -0.5], np.float32),
            operating_points=(point,),
            fmr_curve=((0.1, 0.5), (0.2, 0.25)),
            probability=LogisticScore(12.0, -3.0, 5, 6),
            margin=MarginRule(0.05, 0.02, 0.6, 150, 10, 99),
        ),
    )
    detector = DetectorIdentity("mtcnn", ("ab" * 32,))
    space = space_of(card, detector=detector)
    card = replace(card, calibration=replace(card.calibration, space=space))
    parsed: dict[str, Any] = json.loads(card.to_json())
    return parsed


@given(cards())
def test_a_card_comes_back_from_json_unchanged(card: Card) -> None:
    if card.task is Task.EMBEDDING:
        card = bound(card)
    again = parse_card(json.loads(card.to_json()), origin="test")
    assert again.to_json() == card.to_json()
    for name in ("name", "task", "source", "input", "crop", "quantization", "pad"):
        assert getattr(again, name) == getattr(card, name)
    for name in ("operating_points", "fmr_curve", "probability", "source"):
        assert getattr(again.calibration, name) == getattr(card.calibration, name)
    if card.calibration.embedding_mean is None:
        assert again.calibration.embedding_mean is None
    else:
        assert again.calibration.embedding_mean is not None
        np.testing.assert_array_equal(
            again.calibration.embedding_mean, card.calibration.embedding_mean
        )


def places(value: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """The path of every member of every object, and of the first of every list."""
    found: list[tuple[str | int, ...]] = []
    if isinstance(value, dict):
        for key, inner in value.items():
            found += [(*path, key), *places(inner, (*path, key))]
    elif isinstance(value, list) and value:
        found += places(value[0], (*path, 0))
    return found


def put(raw: dict[str, Any], path: tuple[str | int, ...], value: Any) -> dict[str, Any]:
    inner: Any = raw
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = value
    return raw


PLACES = places(plain())
DELETED = object()


def test_the_places_are_all_there() -> None:
    assert {("name",), ("input", "std"), ("calibration", "operating_points", 0, "fmr_ci95")} < set(
        PLACES
    )


@pytest.mark.parametrize("path", PLACES, ids=lambda path: ".".join(map(str, path)))
def test_a_member_of_the_wrong_type_is_named(path: tuple[str | int, ...]) -> None:
    with pytest.raises(ModelMismatchError, match=rf"here.*\b{path[-1]}\b"):
        parse_card(put(plain(), path, object()), origin="here")


OPTIONAL = (
    ("pad",),
    ("quality",),
    ("detector",),
    ("flip",),
    *(("calibration", name) for name in ("margin", "space", "others")),
)
REQUIRED = [path for path in PLACES if path not in OPTIONAL]


@pytest.mark.parametrize("path", REQUIRED, ids=lambda path: ".".join(map(str, path)))
def test_a_missing_member_is_named(path: tuple[str | int, ...]) -> None:
    raw = plain()
    inner: Any = raw
    for step in path[:-1]:
        inner = inner[step]
    del inner[path[-1]]
    with pytest.raises(ModelMismatchError, match=rf"{path[-1]} is missing"):
        parse_card(raw, origin="here")


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("schema_version", 2, "another facekit"),
        ("name", "../toy", "name must be of letters"),
        ("name", "", "name must be of letters"),
        ("variant", "a/b", "variant must be"),
        ("file_name", ".hidden", "file_name must be"),
        ("file_name", "a\\b", "file_name must be"),
        ("file_sha256", SHA256.upper(), "file_sha256 must be a sha256"),
        ("file_size_bytes", True, "file_size_bytes must be an integer"),
        ("task", "training", "task must be one of embedding, detection, quality, attack-detection"),
        ("input.height_px", 0, "sides must be 1 to 8192 pixels"),
        ("input.width_px", 2**44, "sides must be 1 to 8192 pixels"),
        ("input.std", 0, "std positive"),
        ("input.std", 1e-300, "numbers of at most 1e\\+30"),
        ("input.mean", 1e300, "numbers of at most 1e\\+30"),
        ("input.mean", float("nan"), "input.mean must be finite"),
        ("input.mean", 10**400, "input.mean must be finite"),
        ("crop", None, "needs a crop rule"),
        ("crop.margin_px", -1, "margin_px must not be negative"),
        ("crop.resize_filter", "best", "nearest, bilinear"),
        ("embedding_size", 3, "embedding_mean must be of shape"),
        ("calibration.embedding_mean", [1, 1e300], "embedding_mean must be finite"),
        ("calibration.embedding_mean", [1, "2"], "embedding_mean.1 must be a number"),
        (
            "calibration.operating_points.0.threshold_similarity",
            1.5,
            "threshold_similarity lies in -1..1",
        ),
        ("calibration.operating_points.0.fmr", 2, "fmr lies in 0..1"),
        ("calibration.operating_points.0.n_impostor", -1, "n_impostor must not be negative"),
        ("calibration.operating_points.0.fnmr_ci95", [0.2, 0.1], "lower one first"),
        ("calibration.operating_points.0.metric", "hamming", "metric must be one of"),
    ],
)
def test_a_value_that_cannot_be_meant_is_named(path: str, value: object, said: str) -> None:
    steps = tuple(int(step) if step.isdigit() else step for step in path.split("."))
    with pytest.raises(ModelMismatchError, match=said):
        parse_card(put(plain(), steps, value), origin="here")


@pytest.mark.parametrize("raw", [None, [], 3, "card"])
def test_a_card_is_an_object(raw: object) -> None:
    with pytest.raises(ModelMismatchError, match="card must be an object"):
        parse_card(raw, origin="here")


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[" * 200_000], ids=range(4))
def test_a_damaged_file_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "toy.json"
    path.write_bytes(content)
    with pytest.raises(ModelMismatchError, match=r"toy\.json cannot be read"):
        read_card(path)


def test_an_absent_card_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelMismatchError, match=r"No card toy\.json beside the model"):
        read_card(tmp_path / "toy.json")


def test_operating_point_by_target() -> None:
    card = parse_card(plain(), origin="test")
    assert card.calibration.operating_point("fmr=1e-3").threshold_similarity == 0.5
    with pytest.raises(NoOperatingPointError, match=r"it has: fmr=1e-3\. Pass --threshold"):
        card.calibration.operating_point("fmr=1e-4")


@pytest.mark.parametrize(
    ("fmr", "target"), [(1e-3, "fmr=1e-3"), (0.01, "fmr=1e-2"), (2.5e-4, "fmr=2.5e-4")]
)
def test_a_rate_is_written_as_its_target(fmr: float, target: str) -> None:
    assert fmr_target(fmr) == target


def test_a_card_from_before_mirror_images_has_none() -> None:
    raw = plain()
    del raw["flip"]
    card = parse_card(raw, origin="here")
    assert (card.flip, card.output_size) == (Flip.NONE, card.embedding_size)


def test_a_template_of_two_vectors_is_twice_the_nets_output() -> None:
    card = parse_card(put(plain(), ("flip",), "concat"), origin="here")
    assert (card.embedding_size, card.output_size) == (2, 1)
    assert parse_card(put(plain(), ("flip",), "sum"), origin="here").output_size == 2


def test_half_a_vector_is_refused() -> None:
    raw = put(put(plain(), ("flip",), "concat"), ("embedding_size",), 3)
    raw["calibration"] |= {"embedding_mean": None, "space": None}
    with pytest.raises(ModelMismatchError, match="must be even"):
        parse_card(raw, origin="here")


def test_a_card_from_before_spaces_says_that_it_was_measured_with_its_own_file() -> None:
    raw = plain()
    del raw["calibration"]["space"]
    card = parse_card(raw, origin="here")
    assert card.calibration.space == space_of(card, detector=None)


def test_a_calibration_of_another_file_is_bound_to_the_one_with_the_same_embeddings() -> None:
    card = parse_card(plain(), origin="here")
    copied = bound(replace(card, variant="onnx-fp32", file_sha256="12" * 32))
    assert copied.calibration.space is not None
    assert card.calibration.space is not None
    assert copied.calibration.space.detector == card.calibration.space.detector
    assert copied.calibration.space.model == "toy:onnx-fp32"
    assert copied.calibration.space.model_sha256 == "12" * 32


def test_a_calibration_whose_space_names_another_mean_is_refused() -> None:
    with pytest.raises(ModelMismatchError, match="mean_sha256"):
        parse_card(put(plain(), ("calibration", "space", "mean_sha256"), "0" * 64), origin="here")


SCHEMA = json.loads(
    Path(facekit.model.card.__file__).with_name("card.schema.json").read_text(encoding="utf-8")
)
VALIDATOR = Draft202012Validator(SCHEMA)

PAD = {
    "crop_scale": 2.7,
    "classes": ["attack", "bona_fide"],
    "bona_fide": "bona_fide",
    "scores": "logits",
    "threshold_score": 0.5,
    "threshold_source": "made up",
}


@pytest.mark.parametrize(
    ("member", "value", "said"),
    [
        ("crop_scale", 0.5, "crop_scale lies in 1..20"),
        ("classes", [], "must be one of classes"),
        ("bona_fide", "live", "must be one of classes"),
        ("scores", "numbers", "scores must be one of probabilities, logits"),
        ("threshold_score", 1.5, "threshold_score lies in 0..1"),
        ("threshold_source", None, "threshold_source must be a string"),
    ],
)
def test_what_a_detector_of_attacks_cannot_mean_is_named(
    member: str, value: object, said: str
) -> None:
    raw = plain() | {"task": "attack-detection", "crop": None, "embedding_size": 0}
    raw["calibration"] = json.loads(json.dumps(Calibration().to_dict()))
    assert parse_card(raw | {"pad": PAD}, origin="here").pad is not None
    with pytest.raises(ModelMismatchError, match=said):
        parse_card(raw | {"pad": PAD | {member: value}}, origin="here")


@pytest.mark.parametrize("task", ["embedding", "attack-detection"])
def test_only_a_detector_of_attacks_has_its_members(task: str) -> None:
    raw = plain() | {"task": task} | ({"pad": PAD} if task == "embedding" else {})
    with pytest.raises(ModelMismatchError, match="attack-detection needs pad, and no other"):
        parse_card(raw, origin="here")
    assert not VALIDATOR.is_valid(raw)


def test_the_schema_is_a_valid_one_and_describes_every_member() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    assert VALIDATOR.is_valid(json.loads(EXAMPLE.read_bytes()))
    assert set(SCHEMA["properties"]) == set(json.loads(EXAMPLE.read_bytes()))
    for name, member in SCHEMA["properties"].items():
        assert member["description"].endswith("."), name


@given(cards())
def test_every_card_is_as_the_schema_says(card: Card) -> None:
    if card.task is Task.EMBEDDING:
        card = bound(card)
    assert not list(VALIDATOR.iter_errors(json.loads(card.to_json())))


OTHER_VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 3),
    st.sampled_from([0.5, -0.5, 1e9 + 0.5]),
    st.sampled_from(["", "none", "rgb", "a/b", "x", SHA256, SHA256.upper(), SHA256 + "\n", "x\n"]),
    st.lists(st.integers(0, 1), max_size=3),
    st.builds(dict),
)
TOGETHER = re.compile(
    "embedding_mean must be|mean_sha256|lower one first|rising thresholds|rise with the threshold|"
    "at most its target|fitted on pairs"
)
"""What only parse_card says: a schema does not compare members with each other"""


@settings(max_examples=250)
@given(st.sampled_from(PLACES), st.just(DELETED) | OTHER_VALUES)
def test_a_broken_card_is_refused_by_both_or_by_none(
    path: tuple[str | int, ...], value: object
) -> None:
    raw = plain()
    if value is DELETED:
        inner: Any = raw
        for step in path[:-1]:
            inner = inner[step]
        del inner[path[-1]]
    else:
        put(raw, path, value)
    by_schema = not VALIDATOR.is_valid(raw)
    said = ""
    try:
        parse_card(raw, origin="here")
    except ModelMismatchError as error:
        said = str(error)
    assert bool(said) == by_schema or TOGETHER.search(said), (said, path, value)


def test_all_that_is_wrong_is_told_at_once() -> None:
    raw = plain()
    put(raw, ("name",), None)
    put(raw, ("input", "std"), "128")
    del raw["input"]["mean"]
    put(raw, ("crop", "rule"), "box")
    put(raw, ("calibration", "operating_points", 0, "fmr"), "low")
    put(raw, ("calibration", "space", "size"), None)
    put(raw, ("tools",), [])
    with pytest.raises(ModelMismatchError) as caught:
        parse_card(raw, origin="mine.json")
    assert str(caught.value).splitlines() == [
        "Card mine.json is not valid: ",
        "  card.name must be a string. Received: null",
        "  card.input.mean is missing",
        '  card.input.std must be a number. Received: "128"',
        '  card.crop.rule must be one of margin, similarity, none. Received: "box"',
        '  card.calibration.operating_points[0].fmr must be a number. Received: "low"',
        "  card.calibration.space.size must be an integer. Received: null",
        "  card.tools must be an object. Received: []",
    ]


@given(st.dictionaries(st.sampled_from(PLACES), OTHER_VALUES, max_size=6))
def test_whatever_is_wrong_in_many_places_ends_in_one_message(
    changes: dict[tuple[str | int, ...], object],
) -> None:
    raw = plain()
    for path, value in changes.items():
        with suppress(TypeError, KeyError, IndexError):  # a member of what was replaced before
            put(raw, path, value)
    with suppress(ModelMismatchError):
        parse_card(raw, origin="here")
