"""Finding LFW's photos and its lists; the real ones where they are."""

from pathlib import Path

import pytest

from facekit.errors import InputError, PairListError
from facekit.evaluation.protocols.data_set import find_photos
from facekit.evaluation.protocols.lfw import Protocol, find_lfw, read_protocol


def make_photos(folder: Path) -> Path:
    photo = folder / "Ada" / "Ada_0001.jpg"
    photo.parent.mkdir(parents=True)
    photo.touch()
    return folder


@pytest.mark.parametrize("photos", [".", "lfw_funneled"])
@pytest.mark.parametrize("lists", [".", "protocol"])
def test_photos_and_lists_are_found_wherever_they_lie(
    tmp_path: Path, photos: str, lists: str
) -> None:
    photos_dir = make_photos(tmp_path / photos).resolve()
    list_file = tmp_path / lists / "pairsDevTest.txt"
    list_file.parent.mkdir(exist_ok=True)
    list_file.write_text("1\nAda\t1\t2\nAda\t1\tBob\t1\n")
    for start in {tmp_path, photos_dir}:
        lfw = find_lfw(start)
        assert lfw.photos_dir == photos_dir
        assert len(read_protocol(lfw, Protocol.DEVTEST).pairs) == 2


def test_folders_that_cannot_be_meant(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is not a folder"):
        find_lfw(tmp_path / "none")
    with pytest.raises(InputError, match="is not LFW"):
        find_lfw(tmp_path)
    make_photos(tmp_path / "lfw")
    make_photos(tmp_path / "lfw_funneled")
    with pytest.raises(InputError, match="2 times: lfw, lfw_funneled"):
        find_lfw(tmp_path)


def test_a_protocol_without_its_file(tmp_path: Path) -> None:
    with pytest.raises(PairListError, match=r"fold1 needs pairs\.txt"):
        read_protocol(find_lfw(make_photos(tmp_path)), Protocol.FOLD1)


@pytest.mark.lfw
@pytest.mark.parametrize(
    ("protocol", "published", "n_folds", "n_pairs", "n_photos"),
    [
        (Protocol.DEVTRAIN, "pairsDevTrain.txt", 1, 2200, 3443),
        (Protocol.DEVTEST, "pairsDevTest.txt", 1, 1000, 1549),
        (Protocol.VIEW2, "pairs.txt", 10, 6000, 7701),
        (Protocol.FOLD1, "pairs.txt", 1, 600, 807),
    ],
)
def test_the_published_lists_are_known_and_whole(
    lfw: Path, protocol: Protocol, published: str, n_folds: int, n_pairs: int, n_photos: int
) -> None:
    folder = find_lfw(lfw)
    pairs = read_protocol(folder, protocol)
    assert pairs.published_as == published
    assert (len(pairs.folds), len(pairs.pairs), len(pairs.photos)) == (n_folds, n_pairs, n_photos)
    assert sum(pair.same for pair in pairs.pairs) * 2 == n_pairs
    if protocol in (Protocol.DEVTRAIN, Protocol.DEVTEST):
        assert len(find_photos(pairs, [folder.photos_dir])) == n_photos
