"""What commands print for people: one form of table and of labeled lines, in 80 columns."""

from __future__ import annotations

import ast
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from docs.commands import every_command
from facekit.cli import cli
from facekit.cli.render.table import (
    WIDTH,
    Column,
    StreamedTable,
    labeled,
    number,
    table,
    table_in_blocks,
    width_of,
    wrapped,
)
from tests.group_photo import write_group
from tests.text_tables import require_readable, rows

ROOT = Path(__file__).resolve().parents[2]
CLI_FILES = sorted((ROOT / "facekit" / "cli").rglob("*.py"))
TABLE = ROOT / "facekit" / "cli" / "render" / "table.py"


class TestTable:
    def test_columns_are_aligned_under_their_header(self) -> None:
        columns = (number("MB"), Column("NAME"), Column("PHOTO"))
        assert table(columns, [("9.5", "Ada", "a.jpg"), ("110.2", "Grace", "b.jpg")]) == [
            "   MB  NAME   PHOTO",
            "  9.5  Ada    a.jpg",
            "110.2  Grace  b.jpg",
        ]

    def test_without_rows_there_is_the_header(self) -> None:
        assert table((number("MB"), Column("NAME")), []) == ["MB  NAME"]

    def test_wide_letters_take_two_columns_and_accents_none(self) -> None:
        lines = table((Column("NAME"), Column("PHOTO")), [("写真", "a"), ("e\u0301", "b")])
        assert lines == ["NAME  PHOTO", "写真  a", "e\u0301     b"]

    def test_nothing_in_a_name_moves_the_cursor_or_begins_a_line(self) -> None:
        lines = table((Column("NAME"),), [("a\x1b[2Jb\nc\td",)])
        assert lines[1] == "a?[2Jb?c?d"
        assert labeled([("name", "a\x1b[2Jb")]) == ["name  a?[2Jb"]

    def test_a_long_last_cell_goes_on_below_itself(self) -> None:
        variants = ", ".join(f"variant-{n}" for n in range(12))
        lines = table((Column("MODEL"), Column("STORED")), [("toy", variants)], wrap_last=True)
        assert max(map(len, lines)) <= WIDTH
        assert {line.index("variant") for line in lines[1:]} == {7}
        assert " ".join(line.strip() for line in lines[1:]).endswith(variants[-40:])

    def test_a_stream_has_one_header_and_none_without_rows(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        stream = StreamedTable(number("FACE"), Column("ANSWER", 7), Column("PHOTO"))
        assert capsys.readouterr().out == ""
        stream.echo("0", "known", "a.jpg")
        stream.echo("1", "unknown", "b.jpg")
        assert capsys.readouterr().out.splitlines() == [
            "FACE  ANSWER   PHOTO",
            "   0  known    a.jpg",
            "   1  unknown  b.jpg",
        ]

    def test_columns_that_do_not_fit_go_on_below_with_the_first_repeated(self) -> None:
        columns = (Column(""), *(Column(f"model-{n}") for n in range(7)))
        lines = table_in_blocks(columns, [("accuracy", *("99.20% (992 of 1,000)",) * 7)])
        assert max(map(len, lines)) <= WIDTH
        headers = [line for line in lines if "model-" in line]
        assert "".join(headers).split() == [f"model-{n}" for n in range(7)]
        assert sum(line.startswith("accuracy  ") for line in lines) == len(headers) == 3

    def test_one_column_that_is_too_wide_alone_is_shown_all_the_same(self) -> None:
        assert len(table_in_blocks((Column(""), Column("a")), [("x", "y" * 90)])) == 2

    @given(st.lists(st.text(max_size=30), min_size=1, max_size=6))
    def test_every_row_is_a_line_and_the_last_cells_begin_alike(self, names: list[str]) -> None:
        _, *lines = table((Column("NAME"), Column("PHOTO")), [(name, "|") for name in names])
        assert len(lines) == len(names)
        assert len({width_of(line) for line in lines}) == 1

    @given(st.text(st.characters(codec="ascii"), max_size=300))
    def test_a_sentence_is_broken_between_words_alone(self, text: str) -> None:
        lines = wrapped(text, first="- ", others="  ")
        assert all(len(line) <= WIDTH or " " not in line.strip("- ") for line in lines)
        clean = "".join(sign if sign.isprintable() else "?" for sign in text)
        assert " ".join(lines).split() == f"- {clean}".split()


def strings_in(path: Path) -> Iterator[tuple[int, str]]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.lineno, node.value


@pytest.mark.parametrize("path", CLI_FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_columns_are_made_by_the_table_writer_alone(path: Path) -> None:
    """No tabs, and no padding to a width, but in facekit/cli/render/table.py."""
    if path == TABLE:
        return
    assert [line for line, text in strings_in(path) if "\t" in text] == []
    tree = ast.parse(path.read_text())
    specs = [
        ast.unparse(node.format_spec)
        for node in ast.walk(tree)
        if isinstance(node, ast.FormattedValue) and node.format_spec is not None
    ]
    assert [spec for spec in specs if re.search(r"f['\"][<>^]?[0-9]*[1-9][^.%]*['\"]$", spec)] == []
    assert not {"ljust", "rjust", "expandtabs"} & {
        node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)
    }


def test_a_table_without_a_header_is_found() -> None:
    for bad in ("a  b  c", "x" * 60 + " " + "y z" * 20, "a\tb", "same: 1  2  3"):
        with pytest.raises(AssertionError):
            require_readable(bad)
    require_readable("FACE  SCORE  PHOTO\n   0  0.9  " + "p" * 90)
    require_readable("model  toy\nsize   3 MB, 2 nets")


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory, data: Path) -> Path:
    """A folder with many photos in photos/, a gallery, embeddings, and a network's file."""
    folder = tmp_path_factory.mktemp("known")
    (folder / "photos").mkdir()
    for number_, name in enumerate(("obama", "obama2", "biden") * 4):
        shutil.copy(data / f"{name}.jpg", folder / "photos" / f"{name}-{number_:02}.jpg")
    write_group(folder / "group.png", data / "biden.jpg", data / "obama.jpg")
    shutil.copy(data / "tiny" / "int8.tflite", folder)
    photos = [str(data / f"{name}.jpg") for name in ("obama", "obama2")]
    run("enroll", "Barack Obama", *photos, "--gallery", str(folder / "people.db"))
    run("enroll", "Joe Biden", str(data / "biden.jpg"), "--gallery", str(folder / "people.db"))
    embedding = ("embed", "--face", "all", "-o", str(folder / "known.npz"))
    run(*embedding, *photos, str(folder / "group.png"))
    return folder


def run(*arguments: str) -> str:
    """What the command prints on stdout.  It may say no: exit code 1."""
    result = CliRunner().invoke(cli, arguments)
    assert result.exit_code in (0, 1), result.stderr
    return result.stdout


COMMANDS = (
    "detect photos group.png",
    "quality photos group.png",
    "verify group.png photos/biden-02.jpg",
    "verify --face all known.npz group.png",
    "compare photos/obama-00.jpg photos/biden-02.jpg group.png",
    "compare photos",
    "compare --top 3 photos",
    "identify --face all --gallery people.db photos/obama-00.jpg group.png",
    "enroll --gallery new.db Ada photos/obama-00.jpg",
    "gallery list --gallery people.db",
    "gallery show --gallery people.db Barack\xa0Obama",
    "gallery stats --gallery people.db",
    "gallery check --gallery people.db",
    "cluster --face all photos group.png",
    "embed -o new.csv photos",
    "models list",
    "models info facenet512-casia",
    "models verify",
    "models path mtcnn",
    "inspect int8.tflite",
    "config list",
    "doctor",
    "selftest --model sface",
    "benchmark --stage match --runs 1",
)
READ_BY = {
    "bundle": "board/test_bundle.py",
    "calibrate": "cli/test_calibrate_command.py",
    "compile": "cli/test_compile.py",
    "convert": "cli/test_convert_command.py",
    "evaluate": "cli/test_eval_lfw.py",
    "eval-lfw": "cli/test_eval_lfw.py",
    "export": "cli/test_export_command.py",
    "quantize": "conversion/test_drift.py",
    "track": "cli/test_track_command.py",
}
"""Whose output is dear: the tests that make it hand it to `require_readable`."""
NO_TABLE = frozenset(
    (
        *("align-dataset", "data fetch", "train", "completion", "help", "config show"),
        *("gallery init", "gallery rename", "gallery remove", "gallery merge", "gallery unmerge"),
        *("gallery rekey", "gallery recenter", "gallery export", "gallery import"),
        *("models fetch", "models build", "models import", "models remove", "models export"),
        "models key",
        *("models card", "serve", "serve-stdin", "watch"),
    )
)
"""Whose output is a sentence, a path a line, or for programs."""


def test_the_output_of_every_command_is_read() -> None:
    leaves = {
        " ".join(path)
        for path in every_command()
        if not any(other[: len(path)] == path and other != path for other in every_command())
    }
    shown = {name for name in leaves for line in COMMANDS if f"{line} ".startswith(f"{name} ")}
    assert shown | set(READ_BY) | NO_TABLE == leaves
    assert not shown & NO_TABLE
    for file in READ_BY.values():
        assert "require_readable(" in (ROOT / "tests" / file).read_text(), file


@pytest.mark.model
@pytest.mark.parametrize("command", COMMANDS)
def test_text_is_readable(known: Path, monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    monkeypatch.chdir(known)
    text = run(*(word.replace("\xa0", " ") for word in command.split(" ")))
    assert text
    require_readable(text)


@pytest.mark.model
class TestCompare:
    def test_a_few_photos_are_a_matrix(self, data: Path) -> None:
        text = run("compare", *(str(data / f"{name}.jpg") for name in ("obama", "obama2", "biden")))
        folder, header, *lines = rows(text)
        assert folder == [f"photos in {data}"]
        assert header == ["FACE", "1", "2", "3", "PHOTO"]
        assert [line[-1] for line in lines] == ["obama.jpg", "obama2.jpg", "biden.jpg"]
        assert [line[n] for n, line in enumerate(lines, 1)] == ["1.000"] * 3
        assert float(lines[0][2]) > 0.6 > 0.3 > float(lines[0][3])

    def test_many_photos_are_a_list_of_the_most_alike(self, known: Path) -> None:
        result = CliRunner().invoke(cli, ["compare", str(known / "photos")])
        _, header, *pairs = rows(result.stdout)
        assert header == ["SIMILARITY", "DISTANCE", "PHOTO", "AND PHOTO"]
        assert len(pairs) == 20
        assert "20 of 66 pairs; --csv and --json have all" in result.stderr
        scores = [float(pair[0]) for pair in pairs]
        assert scores == sorted(scores, reverse=True)
        # 3 people's photos, 4 copies each: 6 pairs of one photo each come first.
        assert [pair[2].split("-")[0] == pair[3].split("-")[0] for pair in pairs] == [
            *(True,) * 18,
            *(False,) * 2,
        ]

    def test_as_many_pairs_as_asked(self, known: Path) -> None:
        assert len(rows(run("compare", "--top", "3", str(known / "photos")))) == 2 + 3

    def test_csv_is_whole(self, known: Path) -> None:
        lines = run("compare", "--csv", str(known / "photos")).splitlines()
        assert [line.count(",") for line in lines] == [12] * 13

    @pytest.mark.parametrize("form", ["--csv", "--json"])
    def test_top_is_for_people(self, known: Path, form: str) -> None:
        result = CliRunner().invoke(cli, ["compare", "--top", "3", form, str(known / "photos")])
        assert result.exit_code == 2
        assert "every pair" in result.stderr


@pytest.mark.model
def test_names_that_do_not_fit_a_line_stand_below_each_other(known: Path) -> None:
    long = known / ("a-folder-with-a-long-name-" * 2)
    long.mkdir(exist_ok=True)
    photo = shutil.copy(known / "photos" / "obama-00.jpg", long / "first.jpg")
    other = str(known / "photos" / "obama2-01.jpg")
    folder, header, first, second = rows(run("compare", "--top", "1", str(photo), other))
    assert folder == [f"photos in {known}"]
    assert header == ["SIMILARITY", "DISTANCE", "PHOTOS"]
    assert first[2:] == [f"{long.name}/first.jpg"]
    assert second == ["photos/obama2-01.jpg"]


@pytest.mark.model
def test_the_best_of_several_rows_is_named(known: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Row 4 is Obama's face of the group photo; row 3 is Biden's."""
    monkeypatch.chdir(known)
    text = " ".join(run("verify", "--face", "all", "known.npz", "group.png").split())
    best = re.search(
        r"best of 8 comparisons: row ([34]) of known\.npz, face ([01]) of \S+/group\.png "
        r"face ([01]) of group\.png$",
        text,
    )
    assert best is not None, text
    row, theirs, ours = map(int, best.groups())
    assert theirs == ours == row - 3
