"""Which pairs, which photos, and where the threshold comes from."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from facekit.errors import FacekitError, InputError, PairListError, UsageError
from facekit.evaluation.protocols.data_set import open_data_set
from facekit.evaluation.protocols.plan import Plan, ThresholdOrigin, open_plan
from facekit.photo.reading import read_bytes

TRAIN = "1\nAda\t1\t2\nAda\t1\tBob\t1\n"
TEST = "1\nBob\t1\t2\nBob\t2\tEva\t1\n"
TEN = "2\t1\nAda\t1\t2\nAda\t1\tBob\t1\nBob\t1\t2\nBob\t2\tEva\t1\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Names of an LFW of five photos; nothing here decodes them."""
    for name, number in (("Ada", 1), ("Ada", 2), ("Bob", 1), ("Bob", 2), ("Eva", 1)):
        photo = tmp_path / "lfw" / name / f"{name}_{number:04d}.jpg"
        photo.parent.mkdir(parents=True, exist_ok=True)
        photo.write_bytes(b"")
    for name, text in (("pairsDevTrain", TRAIN), ("pairsDevTest", TEST), ("pairs", TEN)):
        (tmp_path / f"{name}.txt").write_text(text)
    return tmp_path


def plan(
    source: Path,
    protocol: str | None = None,
    *,
    photos_dir: Path | None = None,
    limit: int | None = None,
) -> Plan:
    data_set = open_data_set(source, protocol=protocol, photos_dir=photos_dir)
    return open_plan(data_set, data=source, limit=limit)


@pytest.mark.parametrize(
    ("protocol", "origin", "training", "n_photos"),
    [
        ("devtest", ThresholdOrigin.OTHER_LIST, "pairsDevTrain.txt", 5),
        ("devtrain", ThresholdOrigin.SAME_PAIRS, None, 3),
        ("view1", ThresholdOrigin.OTHER_FOLDS, None, 5),
        ("view2", ThresholdOrigin.OTHER_FOLDS, None, 5),
        ("fold1", ThresholdOrigin.OTHER_LIST, "pairsDevTrain.txt", 3),
    ],
)
def test_where_the_threshold_of_each_protocol_comes_from(
    folder: Path, protocol: str, origin: ThresholdOrigin, training: str | None, n_photos: int
) -> None:
    made = plan(folder, protocol)
    assert made.origin is origin
    assert (made.training.name if made.training else None) == training
    assert len(made.photos) == n_photos
    assert all(path.is_file() for path in made.paths() if isinstance(path, Path))
    assert len(made.paths()) == n_photos


def test_view1_is_both_lists_and_not_a_published_one_here(folder: Path) -> None:
    made = plan(folder, "view1").pair_list
    assert made.name == "pairsDevTrain.txt + pairsDevTest.txt"
    assert [len(fold) for fold in made.folds] == [2, 2]
    assert made.published_as is None


def test_a_list_of_ones_own_takes_the_cards_threshold(folder: Path, tmp_path: Path) -> None:
    text = "a,b,same\nAda/Ada_0001.jpg,Ada/Ada_0002.jpg,1\n"
    beside, elsewhere = folder / "lfw" / "own.csv", tmp_path / "lists" / "own.csv"
    elsewhere.parent.mkdir()
    for own in (beside, elsewhere):
        own.write_text(text)
    for source, photos_dir in ((beside, None), (elsewhere, folder / "lfw"), (elsewhere, folder)):
        made = plan(source, photos_dir=photos_dir)
        assert made.origin is ThresholdOrigin.CARD
        assert len(made.photos) == 2
        assert made.dataset == "lfw"
        assert made.paths()[0] == folder / "lfw" / "Ada" / "Ada_0001.jpg"
    assert plan(folder / "pairsDevTest.txt", photos_dir=folder).origin is ThresholdOrigin.CARD


def test_a_photo_beside_the_list_is_meant_before_one_in_the_named_folder(tmp_path: Path) -> None:
    for name in ("near/x.jpg", "far/x.jpg", "far/y.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "near" / "list.csv").write_text("a;b;same\nx.jpg;y.jpg;1\n")
    made = plan(tmp_path / "near" / "list.csv", photos_dir=tmp_path / "far")
    assert made.paths() == [tmp_path / "near" / "x.jpg", tmp_path / "far" / "y.jpg"]
    (tmp_path / "far" / "y.jpg").unlink()
    with pytest.raises(PairListError, match=r"line 2: no photo y\.jpg in .*near or .*far\."):
        plan(tmp_path / "near" / "list.csv", photos_dir=tmp_path / "far")


def test_folders_need_no_list_and_no_names_like_lfws(tmp_path: Path) -> None:
    for name in ("Ada/x.png", "Ada/y.JPG", "Bob/z.jpg", "Bob/notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    for protocol in (None, "folders"):
        made = plan(tmp_path, protocol)
        assert (made.origin, made.protocol) == (ThresholdOrigin.CARD, "folders")
        assert made.paths() == [tmp_path / name for name in ("Ada/x.png", "Ada/y.JPG", "Bob/z.jpg")]
    (tmp_path / "Ada" / "Ada_0001.jpg").write_bytes(b"")
    for protocol in (None, "devtest"):  # names like LFW's mean LFW, unless folders are asked for
        with pytest.raises(PairListError, match="--protocol folders"):
            plan(tmp_path, protocol)
    assert len(plan(tmp_path, "folders").photos) == 4


def packed(folder: Path, same: list[bool]) -> Path:
    path = folder / "made.bin"
    photos = [str(index).encode() for index in range(2 * len(same))]
    path.write_bytes(pickle.dumps((photos, same)))
    return path


def test_a_bin_file_has_ten_folds_as_scikit_learn_makes_them(tmp_path: Path) -> None:
    model_selection = pytest.importorskip("sklearn.model_selection", reason="evaluate extra")
    same = [index % 3 == 0 for index in range(47)]
    made = plan(packed(tmp_path, same))
    assert (made.origin, made.dataset, made.are_crops) == (
        ThresholdOrigin.OTHER_FOLDS,
        "made",
        True,
    )
    expected = [held.tolist() for _, held in model_selection.KFold(10).split(same)]
    assert [[pair.line - 1 for pair in fold] for fold in made.pair_list.folds] == expected
    assert [pair.same for pair in made.pair_list.pairs] == same
    assert made.pair_list.pairs[3].b.path == "made.bin#00007"
    assert read_bytes(made.files["made.bin#00007"]) == b"7"


def test_a_bin_file_whose_folds_would_lack_a_kind_has_one(tmp_path: Path) -> None:
    made = plan(packed(tmp_path, [True] * 20 + [False] * 20))
    assert (made.origin, len(made.pair_list.folds)) == (ThresholdOrigin.CARD, 1)
    with pytest.raises(UsageError, match="--protocol is for a folder"):
        plan(packed(tmp_path, [True]), "devtest")


def test_a_limit_takes_the_first_of_each_kind_and_says_so(folder: Path) -> None:
    (folder / "pairsDevTest.txt").write_text(
        "2\nBob\t1\t2\nAda\t1\t2\nBob\t2\tEva\t1\nAda\t1\tEva\t1\n"
    )
    made = plan(folder, "devtest", limit=1)
    assert [(pair.line, pair.same) for pair in made.pair_list.pairs] == [(2, True), (4, False)]
    assert not made.pair_list.complete
    assert made.pair_list.name == "pairsDevTest.txt, the first 1 of each kind"
    assert plan(folder, "devtest", limit=2).pair_list.complete


@pytest.mark.parametrize(
    ("damage", "error", "message"),
    [
        ({"pairsDevTest.txt": b"1\nBob\t1\t2\nBob\t2\tEva\t7\n"}, PairListError,
         r"line 3: no photo Eva/Eva_0007\.jpg .* 1 of 3 photos, in 1 of 2 pairs"),
        ({"pairsDevTest.txt": b"x\nBob\t1\t2\n"}, PairListError, "line 1: a header"),
        ({"pairsDevTest.txt": b"1\nBob\t1\t2\nBob\t2\tE\xffva\t1\n"}, PairListError,
         "line 3: UTF-8"),
        ({"pairsDevTest.txt": b"2\nBob\t1\t2\nBob\t2\t1\nBob\t2\tEva\t1\nAda\t1\tEva\t1\n"},
         PairListError, "line 3: this pair stands in line 2"),
        ({"pairsDevTrain.txt": b"1\nAda\t1\t9\nAda\t1\tBob\t1\n"}, PairListError,
         "pairsDevTrain.txt, line 2: no photo"),
    ],
    ids=["missing photo", "header", "not UTF-8", "duplicate", "missing training photo"],
)  # fmt: skip
def test_a_bad_list_is_an_error_with_its_line(
    folder: Path, damage: dict[str, bytes], error: type[FacekitError], message: str
) -> None:
    for name, content in damage.items():
        (folder / name).write_bytes(content)
    with pytest.raises(error, match=message):
        plan(folder, "devtest")


def test_a_folder_that_is_not_lfw(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is not LFW"):
        plan(tmp_path, "devtest")


def test_a_protocol_that_is_neither_known_nor_a_file(folder: Path) -> None:
    with pytest.raises(UsageError, match="devtrain, devtest, view1, view2, fold1"):
        plan(folder, "dev-test")
