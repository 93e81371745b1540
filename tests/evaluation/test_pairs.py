"""Pair lists, hand-written, and each way in which one can be wrong."""

from pathlib import Path

import pytest

from facekit.errors import PairListError
from facekit.evaluation.protocols.pairs import (
    Pair,
    Photo,
    read_pairs,
)

TWO_FOLDS = "2\t1\nAda\t1\t2\nAda\t1\tBob\t3\nCy\t10\t4\nBob\t3\tCy\t4\n"
ONE_FOLD = "1\nAda\t1\t2\nAda\t1\tBob\t3\n"


def write(folder: Path, text: str | bytes, name: str = "list.txt") -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_folds_and_photos_in_file_order(tmp_path: Path) -> None:
    pairs = read_pairs(write(tmp_path, TWO_FOLDS))
    ada1, ada2 = Photo("Ada/Ada_0001.jpg", "Ada"), Photo("Ada/Ada_0002.jpg", "Ada")
    bob3 = Photo("Bob/Bob_0003.jpg", "Bob")
    cy4, cy10 = Photo("Cy/Cy_0004.jpg", "Cy"), Photo("Cy/Cy_0010.jpg", "Cy")
    assert pairs.folds == (
        (Pair(ada1, ada2, True, 2), Pair(ada1, bob3, False, 3)),
        (Pair(cy10, cy4, True, 4), Pair(bob3, cy4, False, 5)),
    )
    assert pairs.photos == (ada1, ada2, bob3, cy4, cy10)
    assert pairs.published_as is None
    assert pairs.only_fold(2).pairs == pairs.folds[1]
    with pytest.raises(PairListError, match="folds 1 to 2"):
        pairs.only_fold(3)


def test_windows_line_ends_and_byte_order_mark(tmp_path: Path) -> None:
    plain = read_pairs(write(tmp_path, ONE_FOLD))
    windows = read_pairs(write(tmp_path, b"\xef\xbb\xbf" + ONE_FOLD.replace("\n", "\r\n").encode()))
    assert windows.folds == plain.folds
    assert windows.md5 != plain.md5  # of the bytes as they are


def test_names_beyond_ascii(tmp_path: Path) -> None:
    pairs = read_pairs(write(tmp_path, "1\nZoë\t1\t2\nZoë\t1\tÅsa\t1\n"))
    assert pairs.photos[0].path == "Zoë/Zoë_0001.jpg"


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("", 1, "a header needed"),
        ("Ada\t1\t2\n", 1, "a header needed"),
        ("0\nAda\t1\t2\n", 1, "a header needed"),
        ("1 1\nAda\t1\t2\nAda\t1\tBob\t3\n", 1, "a header needed"),
        ("1\nAda\t1\t2\n", 2, "ends here, after 1 of the 2 pairs"),
        (ONE_FOLD + "Ada\t1\t2\n", 4, "a line more than the 2 pairs"),
        (ONE_FOLD + "\n", 4, "a line more than the 2 pairs"),
        ("1\nAda 1 2\nAda\t1\tBob\t3\n", 2, "separated by tabs"),
        ("1\nAda\t1\tBob\t3\nAda\t1\t2\n", 2, "name, number, number separated"),
        ("1\nAda\t1\t2\nAda\t1\t3\n", 3, "name, number, name, number separated"),
        ("1\nAda\t1\t2\nAda\t1\tAda\t3\n", 3, "two different people"),
        ("1\nAda\t1\t1\nAda\t1\tBob\t3\n", 2, "two photos needed"),
        ("1\nAda\t0\t1\nAda\t1\tBob\t3\n", 2, "1 to 9999 needed. Received: '0'"),
        ("1\nAda\t1\t12345\nAda\t1\tBob\t3\n", 2, "1 to 9999 needed"),
        ("1\nAda\t1\t²\nAda\t1\tBob\t3\n", 2, "1 to 9999 needed"),
        ("1\n../Ada\t1\t2\nAda\t1\tBob\t3\n", 2, "name of a person's folder"),
        ("1\nAda \t1\t2\nAda\t1\tBob\t3\n", 2, "name of a person's folder"),
        ("2\nAda\t1\t2\nAda\t2\t1\nA\t1\tB\t3\nA\t1\tC\t3\n", 3, "stands in line 2 already"),
        ("1\tx\nAda\t1\t2\n", 1, "a header needed"),
        (b"1\nAda\t1\t2\nAda\t1\tB\xffb\t3\n", 3, "UTF-8 text needed, received byte 0xff"),
    ],
)
def test_a_fault_in_an_lfw_list_is_named_with_its_line(
    tmp_path: Path, text: str | bytes, line: int, reason: str
) -> None:
    path = write(tmp_path, text)
    with pytest.raises(PairListError) as caught:
        read_pairs(path)
    assert str(caught.value).startswith(f"{path}, line {line}: ")
    assert reason in str(caught.value)


def test_a_csv_list_may_name_people_or_not(tmp_path: Path) -> None:
    text = 'a,b,same,person_a,person_b\n"x, 1.jpg",y.jpg,1,ada,ada\ny.jpg,z.png,No,ada,bob\n'
    pairs = read_pairs(write(tmp_path, text, "list.CSV"))
    assert pairs.pairs == (
        Pair(Photo("x, 1.jpg", "ada"), Photo("y.jpg", "ada"), True, 2),
        Pair(Photo("y.jpg", "ada"), Photo("z.png", "bob"), False, 3),
    )
    anonymous = read_pairs(write(tmp_path, "same,b,a\ntrue,y,x\n", "list.csv"))
    assert anonymous.pairs == (Pair(Photo("x", None), Photo("y", None), True, 2),)


@pytest.mark.parametrize(
    "text",
    [
        "img1,img2,label\nx,y,1\ny,z,0\n",
        "Image_1;Image_2;is_same\nx;y;True\ny;z;False\n",
        "photo a\tphoto b\tmatch\nx\ty\tyes\ny\tz\tno\n",
        "score;FILE1;file-2;same\n0,3;x;y;1\n0,1;y;z;0\n",
        "\r\na,b,same\r\n\r\n x , y , 1 \r\ny,z,0",
    ],
)
def test_a_header_may_have_any_of_the_usual_names_and_separators(tmp_path: Path, text: str) -> None:
    pairs = read_pairs(write(tmp_path, text, "list.txt")).pairs
    assert [(pair.a.path, pair.b.path, pair.same) for pair in pairs] == [
        ("x", "y", True),
        ("y", "z", False),
    ]


def test_people_suffice_to_tell_pairs_apart_and_groups_are_kept(tmp_path: Path) -> None:
    text = "path1,path2,id1,id2,group\nx,y,ada,ada,old\nx,z,ada,bob,\n"
    assert read_pairs(write(tmp_path, text, "list.csv")).pairs == (
        Pair(Photo("x", "ada"), Photo("y", "ada"), True, 2, "old"),
        Pair(Photo("x", "ada"), Photo("z", "bob"), False, 3),
    )


def test_of_facekits_own_report_the_first_models_lines_are_read_by_folds(tmp_path: Path) -> None:
    text = "model,fold,line,a,b,same,similarity,called_same\n"
    lines = ("2,9,x,y,1,0.7,1", "1,3,y,z,0,0.1,0")
    text += "".join(f"{model},{line}\n" for model in ("one", "two") for line in lines)
    pairs = read_pairs(write(tmp_path, text, "pairs.csv"))
    assert [[pair.a.path for pair in fold] for fold in pairs.folds] == [["x"], ["y"]]
    cameras = "model,a,b,same\none,x,y,1\ntwo,y,z,0\n"  # a column that means something else
    assert len(read_pairs(write(tmp_path, cameras, "own.csv")).pairs) == 2


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("", 1, "a header needed: of a table such as a,b,same"),
        ("x.jpg,y.jpg\n", 1, "a header needed: of a table such as a,b,same"),
        ("a,b\nx,y\n", 2, "or the people as `person_a` and `person_b`"),
        ("a,b,person_a,person_b\nx,y,ada,\n", 2, "or the people as"),
        ("a,b,same\n", 1, "at least one pair"),
        ("a,b,same\nx,y\n", 2, "3 cells needed, as the header has. Received: 2"),
        ("a,b,same\nx,y,1,1\n", 2, "3 cells needed, as the header has. Received: 4"),
        ("a,img1,b,same\nx,x,y,1\n", 1, "'a' and 'img1' both name the column a"),
        ("a,b,same,x,x\na,b,1,,\n", 1, "each column is named once"),
        ("a,b,same\nx,y,1\n,y,1\n", 3, "two paths"),
        ("a,b,same\nx,y,maybe\n", 2, "as `same`. Received: 'maybe'"),
        ("a,b,same\nx,y,1\ny,x,1\n", 3, "stands in line 2 already"),
        ("a,b,same\nx,x,1\n", 2, "two photos needed"),
        ("a,b,same,person_a,person_b\nx,y,1,ada,bob\n", 2, "contradicts"),
        ("a,b,same,person_a,person_b\nx,y,1,ada,ada\nx,z,1,bob,bob\n", 3, "x is of ada"),
        ('a,b,same\n"x"y,z,1\n', 2, "not CSV"),
    ],
)
def test_a_fault_in_a_csv_list_is_named_with_its_line(
    tmp_path: Path, text: str, line: int, reason: str
) -> None:
    path = write(tmp_path, text, "list.csv")
    with pytest.raises(PairListError) as caught:
        read_pairs(path)
    assert str(caught.value).startswith(f"{path}, line {line}: ")
    assert reason in str(caught.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(PairListError, match="cannot be read: No such file"):
        read_pairs(tmp_path / "none.txt")
