"""Which group a photo or a person is in: tables, what does not fit, and the common threshold."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from facekit.errors import InputError, PairListError
from facekit.evaluation.embeddings import EmbedSettings
from facekit.evaluation.groups import common_threshold, measure_groups
from facekit.evaluation.protocols.groups import GroupTable, read_groups
from facekit.evaluation.protocols.plan import ThresholdOrigin
from facekit.evaluation.setups import Setup
from facekit.template.calibration import Calibration
from tests.evaluation.made_up_photos import embeddings, photo
from tests.model.made_up_model import CARD

PHOTOS = [photo(person, number) for person in range(40) for number in range(3)]
GROUPS = GroupTable("g.csv", {f"Person_{n:03d}": "ab"[n % 2] for n in range(40)})


def read(tmp_path: Path, text: str) -> GroupTable:
    path = tmp_path / "groups.csv"
    path.write_text(text)
    return read_groups(path)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("person,group\nAda,x\nBob,y\n", {"Ada": "x", "Bob": "y"}),
        ("Identity;Age;Group\n Ada ;9; x\n\nBob;8;\n", {"Ada": "x"}),  # a blank group is none
        ("image_path\tcategory\n", None),
        ("file\tcategory\na/1.jpg\tx\n", {"a/1.jpg": "x"}),
        ("img1,img2,label,group\n1,2,1,x\n2,3,0,x\n", dict.fromkeys("123", "x")),
    ],
)  # fmt: skip
def test_tables_by_any_of_the_usual_names(
    tmp_path: Path, text: str, expected: dict[str, str] | None
) -> None:
    if expected is None:
        with pytest.raises(PairListError, match="line 1: a header such as photo,group"):
            read(tmp_path, text)
    else:
        assert read(tmp_path, text).group_of == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("person,group\nAda,x\nAda,y\n", "line 3: Ada is in the group 'x' by line 2 already.*'y'"),
        ("person,group\nAda\n", "line 2: 2 cells needed.*Received: 1"),
        ("person,group\n,x\n", "line 2: a photo or a person needed"),
        ("person,name,group\nAda,Ada,x\n", "line 1: a header.*'person,name,group'"),
        ("person,group\nAda,\n", "line 1: at least one group"),
        ("Ada,x\n", "line 1: a header such as"),
        ('person,group\n"Ada,x\n', "not CSV"),
    ],
)
def test_a_fault_is_told_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(PairListError, match=rf"groups\.csv, {message}|{message}"):
        read(tmp_path, text)


def test_a_photo_has_the_group_of_its_path_else_of_its_person() -> None:
    by_path = GroupTable("g.csv", {PHOTOS[0].path: "a", PHOTOS[1].path: "a", "Person_001": "b"})
    assigned = by_path.assigned(PHOTOS)
    assert assigned == {one.path: "ab"[n // 3] for n, one in enumerate(PHOTOS[:6]) if n != 2}


def test_what_has_no_group_and_who_is_not_there_are_named() -> None:
    table = GroupTable("g.csv", {**GROUPS.group_of, "Nobody": "a"})
    photos = [*PHOTOS, photo(50, 1)]
    without, unknown = table.notes(photos, table.assigned(photos))
    assert without.startswith("1 of 121 photos have no group in g.csv")
    assert "Person_050/Person_050_0001.jpg" in without
    assert unknown == "g.csv names 1 photos or people that are not in the data: Nobody."


def test_a_person_in_two_groups_and_one_group_alone_are_refused() -> None:
    mixed = GroupTable("g.csv", {PHOTOS[0].path: "a", PHOTOS[1].path: "b"})
    with pytest.raises(
        InputError, match=r"Person_000 is in 'a' by .*0000.jpg and in 'b' by .*0001"
    ):
        mixed.assigned(PHOTOS)
    with pytest.raises(
        InputError, match=r"Received: none, of 0 of 120 photos.*such as Person_000/"
    ):
        GroupTable("g.csv", {"Nobody": "a"}).assigned(PHOTOS)


def test_the_threshold_is_the_cards_where_it_applies() -> None:
    card = replace(CARD, calibration=Calibration(fmr_curve=((0.3, 0.01), (0.6, 0.001))))
    setup = Setup(EmbedSettings(), cards_own=True)
    folds = ((0.4, 0.5), ThresholdOrigin.OTHER_FOLDS)
    found = common_threshold(setup, card, *folds)
    assert (found.similarity, found.origin, found.target) == (
        0.6, ThresholdOrigin.CARD, "fmr=1e-3",
    )  # fmt: skip
    bare = replace(CARD, calibration=Calibration())
    for own, chosen in ((replace(setup, cards_own=False), card), (setup, bare)):
        other = common_threshold(own, chosen, *folds)
        assert (other.similarity, other.origin, other.target) == (
            0.45, ThresholdOrigin.OTHER_FOLDS, None,
        )  # fmt: skip


def test_photos_without_a_group_are_not_compared() -> None:
    group_of = GroupTable("g.csv", {f"Person_{n:03d}": "ab"[n % 2] for n in range(30)})
    setup = Setup(EmbedSettings())
    threshold = common_threshold(setup, CARD, (0.5,), ThresholdOrigin.OTHER_LIST)
    vectors = embeddings(PHOTOS).vectors[:, 0]
    found = measure_groups(vectors, PHOTOS, group_of.assigned(PHOTOS), threshold)
    assert found.rates.people_count == {"a": 15, "b": 15}
    assert sum(one.comparison_count for one in (*found.rates.fnmr, *found.rates.fmr)) == 90 * 89 / 2
