"""One rule for exit codes over lists, in every command: the first failure, else no, else yes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from facekit.cli import cli
from facekit.cli.render.output import exit_with
from facekit.errors import FacekitError, ImageError, NoFaceError

DATA = Path(__file__).parents[1] / "data"
NO_FACE, UNREADABLE = NoFaceError.exit_code, ImageError.exit_code


@pytest.mark.parametrize(
    ("failures", "answer", "code"),
    [
        ((), True, 0),
        ((), False, 1),
        ((NoFaceError("n"),), True, NO_FACE),
        ((NoFaceError("n"),), False, NO_FACE),
        ((ImageError("i"), NoFaceError("n")), False, UNREADABLE),
    ],
)
def test_the_rule(failures: Sequence[FacekitError], answer: bool, code: int) -> None:
    with pytest.raises(SystemExit) as ended:
        exit_with(failures, answer=answer)
    assert ended.value.code == code


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """By a word: two photos of one person, one of another, one without a face, one damaged."""
    folder = tmp_path_factory.mktemp("photos")
    cv2.imwrite(str(folder / "gray.png"), np.full((100, 100, 3), 128, np.uint8))
    (folder / "damaged.jpg").write_bytes(b"damaged")
    return {
        "obama": str(DATA / "obama.jpg"),
        "obama2": str(DATA / "obama2.jpg"),
        "biden": str(DATA / "biden.jpg"),
        "gray": str(folder / "gray.png"),
        "damaged": str(folder / "damaged.jpg"),
    }


def code_of(*arguments: object) -> int:
    return CliRunner().invoke(cli, [*map(str, arguments)]).exit_code


@pytest.mark.model
@pytest.mark.parametrize(
    ("pairs", "code"),
    [
        ([("obama", "obama2")], 0),
        ([("obama", "obama2"), ("obama", "biden")], 1),
        ([("obama", "biden"), ("obama", "damaged")], UNREADABLE),
        ([("obama", "obama2"), ("gray", "obama"), ("damaged", "biden")], NO_FACE),
        ([("damaged", "biden"), ("gray", "obama")], UNREADABLE),
    ],
)
def test_pairs_as_one_pair(
    pairs: list[tuple[str, str]], code: int, photos: dict[str, str], tmp_path: Path
) -> None:
    listed = tmp_path / "pairs.csv"
    listed.write_text("".join(f"{photos[a]},{photos[b]}\n" for a, b in pairs))
    assert code_of("verify", "--pairs", listed) == code
    assert code_of("verify", "--pairs", listed, "-o", tmp_path / "out.csv") == code
    if len(pairs) == 1:
        assert code_of("verify", *(photos[name] for name in pairs[0])) == code


@pytest.mark.model
@pytest.mark.parametrize(
    ("names", "code"),
    [
        (["obama", "biden"], 0),
        (["obama", "damaged"], UNREADABLE),
        (["gray", "obama", "damaged"], NO_FACE),
        (["damaged", "gray"], UNREADABLE),
    ],
)
@pytest.mark.parametrize("command", ["detect", "quality", "embed", "compare", "cluster", "enroll"])
def test_lists_of_photos(
    command: str, names: list[str], code: int, photos: dict[str, str], tmp_path: Path
) -> None:
    more = {
        "embed": ("-o", tmp_path / "out.npz"),
        "enroll": ("--gallery", tmp_path / "people.db"),
    }.get(command, ())
    person = ("Ada",) if command == "enroll" else ()
    assert code_of(command, *person, *(photos[name] for name in names), *more) == code


@pytest.mark.model
def test_a_failure_comes_before_an_unknown_face(photos: dict[str, str], tmp_path: Path) -> None:
    at = ("--gallery", tmp_path / "people.db")
    assert code_of("enroll", "Barack Obama", photos["obama"], *at) == 0
    for names, code in (
        (["obama2"], 0),
        (["obama2", "biden"], 1),
        (["biden", "damaged"], UNREADABLE),
        (["gray", "damaged", "biden"], NO_FACE),
    ):
        assert code_of("identify", *(photos[name] for name in names), *at) == code


@pytest.mark.model
def test_folders_of_people(photos: dict[str, str], tmp_path: Path) -> None:
    for number, name in enumerate(("gray", "damaged", "obama")):
        person = tmp_path / "people" / f"{number} {name}"
        person.mkdir(parents=True)
        (person / Path(photos[name]).name).symlink_to(photos[name])
    at = ("--gallery", tmp_path / "people.db", "--data", tmp_path / "people")
    assert code_of("enroll", *at) == NO_FACE
