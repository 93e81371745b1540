"""enroll, identify, gallery and cluster, on real photos with the real model."""

from __future__ import annotations

import csv
import io
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from facekit.cli import cli
from tests.text_tables import fields, rows

DATA = Path(__file__).parents[1] / "data"
OBAMA, OBAMA2, BIDEN = (str(DATA / f"{name}.jpg") for name in ("obama", "obama2", "biden"))


@pytest.fixture(autouse=True)
def gallery(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "gallery" / "people.db"
    monkeypatch.setenv("FACEKIT_GALLERY", str(path))
    for name in ("PASSPHRASE", "NEW_PASSPHRASE", "KEY_FILE"):
        monkeypatch.delenv(f"FACEKIT_GALLERY_{name}", raising=False)
    return path


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli, arguments)


def payload(*arguments: str, code: int = 0) -> Any:
    result = run(*arguments, "--json")
    assert result.exit_code == code, result.stderr
    return json.loads(result.stdout)


@pytest.fixture
def enrolled() -> None:
    assert run("enroll", "Barack Obama", OBAMA).exit_code == 0
    assert run("enroll", "Joe Biden", BIDEN).exit_code == 0


@pytest.mark.model
@pytest.mark.usefixtures("enrolled")
class TestIdentify:
    def test_a_known_face_exits_0(self) -> None:
        result = run("identify", OBAMA2)
        assert result.exit_code == 0, result.stderr
        header, first, second, *threshold = rows(result.stdout)
        assert header == [
            *("FACE", "ANSWER", "SIMILARITY", "DISTANCE", "MARGIN", "CANDIDATE", "PHOTO")
        ]
        assert (*first[:2], *first[5:]) == ("0", "known", "Barack Obama", OBAMA2)
        assert float(first[2]) + float(first[3]) == pytest.approx(1, abs=2e-4)
        assert float(first[2]) - float(second[1]) == pytest.approx(float(first[4]), abs=2e-4)
        assert second[3:] == ["Joe Biden", OBAMA2]  # no answer, no margin
        told = " ".join(line for (line,) in threshold)
        assert "known: similarity >= 0." in told
        assert (
            "of unknown faces are expected to be taken for somebody (model card, FPIR 0.01 among 2"
            in told
        )

    def test_an_unknown_face_exits_1_and_its_candidates_are_shown(self) -> None:
        assert run("gallery", "remove", "Barack Obama").exit_code == 0
        told = payload("identify", OBAMA2, code=1)
        (face,) = told["photos"][0]["faces"]
        assert (face["known"], face["name"], face["margin"]) == (False, None, None)
        assert face["candidates"][0]["name"] == "Joe Biden"

    def test_json_says_what_the_answer_rests_on(self) -> None:
        told = payload("identify", "--fpir", "0.001", OBAMA2)
        assert (told["people_count"], told["template_count"], told["comparison_count"]) == (2, 2, 2)
        assert told["predicted_fpir_at_most"] <= 0.001
        (face,) = told["photos"][0]["faces"]
        first, second = face["candidates"]
        assert face["margin"] == pytest.approx(first["similarity"] - second["similarity"])
        assert first["similarity"] == pytest.approx(1 - first["distance"])
        verified = json.loads(run("verify", "--json", OBAMA, OBAMA2).stdout)
        assert first["similarity"] == pytest.approx(verified["similarity"], abs=1e-5)

    def test_several_photos_and_one_unknown_exits_1(self) -> None:
        assert run("gallery", "remove", "Joe Biden").exit_code == 0
        told = payload("identify", OBAMA2, BIDEN, code=1)
        assert [image["faces"][0]["known"] for image in told["photos"]] == [True, False]

    def test_as_many_candidates_as_asked_and_the_margin_all_the_same(self) -> None:
        (face,) = payload("identify", "--top", "1", OBAMA2)["photos"][0]["faces"]
        assert len(face["candidates"]) == 1
        assert face["margin"] > 0.3

    def test_an_ambiguous_face_exits_3_and_names_nobody(self) -> None:
        told = payload("identify", "--min-margin", "2", "--top", "1", OBAMA2, code=3)
        (face,) = told["photos"][0]["faces"]
        assert (face["known"], face["ambiguous"], face["name"]) == (False, True, None)
        assert [one["name"] for one in face["candidates"]] == ["Barack Obama", "Joe Biden"]
        assert (told["min_margin"], told["margin_right_lost"]) == (2, None)
        result = run("identify", "--min-margin", "2", OBAMA2)
        _, first, *_, last = rows(result.stdout)
        assert first[1] == "ambiguous"
        assert last == ["ambiguous: margin below 2.0000 (given)"]
        assert run("identify", "--min-margin", "0", OBAMA2).exit_code == 0
        assert run("identify", "--min-margin", "3", OBAMA2).exit_code == 2

    def test_a_photo_that_cannot_be_used_is_a_record(self) -> None:
        told = payload("identify", "none.jpg", OBAMA2, code=4)
        assert told["failed"][0]["error"]["exit_code"] == 4
        assert told["photos"][0]["faces"][0]["known"]

    def test_the_mean_of_several_templates(self) -> None:
        assert run("enroll", "Barack Obama", OBAMA2).exit_code == 0
        told = payload("identify", "--by", "mean", OBAMA2)
        assert told["comparison_count"] == 2  # people, not templates
        assert told["photos"][0]["faces"][0]["name"] == "Barack Obama"

    @pytest.mark.parametrize(
        ("arguments", "code", "message"),
        [
            (("--threshold", "0.5", "--fmr", "1e-3"), 2, "one of them"),
            (("--threshold", "3"), 2, "0..2"),
            (("--fpir", "1e-9"), 2, "needs FMR"),
            (("--margin", "10"), 2, "crop rule"),
            (("--margin", "10", "--threshold", "0.5"), 5, "cannot be compared"),
            (("--gallery", "mysql://x/y"), 2, "postgresql://"),
            (("--gallery", "nowhere/none.db"), 7, "facekit enroll"),
        ],
    )
    def test_wrong_options_have_their_exit_code(
        self, arguments: tuple[str, ...], code: int, message: str
    ) -> None:
        result = run("identify", *arguments, OBAMA2)
        assert (result.exit_code, result.stdout) == (code, "")
        assert message in result.stderr


class TestEnroll:
    @pytest.mark.model
    def test_repeating_it_changes_nothing(self) -> None:
        header = ["ADDED", "ALREADY ENROLLED", "NAME"]
        assert rows(run("enroll", "Obama", OBAMA).stdout) == [header, ["1", "0", "Obama"]]
        assert rows(run("enroll", "Obama", OBAMA).stdout) == [header, ["0", "1", "Obama"]]
        assert payload("gallery", "stats")["template_count"] == 1

    @pytest.mark.model
    def test_a_folder_a_person(self, tmp_path: Path) -> None:
        for person, photo in (("Obama", OBAMA), ("Obama", OBAMA2), ("Biden", BIDEN)):
            (tmp_path / "people" / person).mkdir(parents=True, exist_ok=True)
            shutil.copy(photo, tmp_path / "people" / person)
        told = payload("enroll", "--data", str(tmp_path / "people"))
        assert [(one["name"], one["added_count"]) for one in told["people"]] == [
            ("Biden", 1),
            ("Obama", 2),
        ]

    @pytest.mark.model
    def test_a_bad_photo_is_told_of_and_the_others_count(self, tmp_path: Path) -> None:
        (tmp_path / "bad.jpg").write_bytes(b"\xff\xd8\xff bad")
        told = payload("enroll", "Obama", str(tmp_path / "bad.jpg"), OBAMA, code=4)
        (person,) = told["people"]
        assert (person["added_count"], len(person["failed"])) == (1, 1)
        assert payload("gallery", "check")["sound"]

    @pytest.mark.model
    def test_nobody_is_enrolled_without_a_template(self, tmp_path: Path) -> None:
        (tmp_path / "bad.jpg").write_bytes(b"\xff\xd8\xff bad")
        assert run("enroll", "Obama", str(tmp_path / "bad.jpg")).exit_code == 4
        assert payload("gallery", "list")["people"] == []

    @pytest.mark.parametrize("photos", [(OBAMA,), (OBAMA, OBAMA2)])
    def test_photos_without_a_name_say_that_a_name_comes_first(
        self, photos: tuple[str, ...], gallery: Path
    ) -> None:
        result = run("enroll", *photos)
        assert (result.exit_code, result.stdout) == (2, "")
        corrected = " ".join(("facekit enroll NAME", *photos))
        assert f"the person's NAME comes first: {corrected}\n" in result.stderr
        assert not gallery.exists()

    @pytest.mark.parametrize("arguments", [(), ("Obama",), ("Obama", OBAMA, "--data", ".")])
    def test_wrong_options_have_their_exit_code(self, arguments: tuple[str, ...]) -> None:
        assert run("enroll", *arguments).exit_code == 2

    @pytest.mark.model
    def test_another_crop_rule_is_refused(self) -> None:
        assert run("enroll", "Obama", OBAMA).exit_code == 0
        result = run("enroll", "Biden", "--margin", "0", BIDEN)
        assert result.exit_code == 5
        assert "cannot be compared" in result.stderr


@pytest.mark.model
@pytest.mark.usefixtures("enrolled")
class TestGallery:
    def test_list_show_rename_remove(self) -> None:
        people = payload("gallery", "list")["people"]
        assert [person["name"] for person in people] == ["Barack Obama", "Joe Biden"]
        shown = payload("gallery", "show", "Joe Biden")
        (record,) = shown["templates"]
        assert record["photo"] == BIDEN
        assert len(record["photo_sha256"]) == len(shown["model_sha256"]) == 64
        assert record["score"] > 0.9
        assert run("gallery", "rename", "Joe Biden", "Joseph Biden").exit_code == 0
        assert run("gallery", "remove", "Joseph Biden").exit_code == 0
        assert len(payload("gallery", "list")["people"]) == 1

    @pytest.mark.parametrize(
        "words",
        [
            ("show", "Eve"),
            ("remove", "Eve"),
            ("rename", "Eve", "A"),
            ("merge", "Joe Biden", "Eve"),
            ("merge", "Eve", "Joe Biden"),
            ("unmerge", "Eve", "Joe Biden"),
        ],
    )
    def test_nobody_of_this_name_exits_1(self, words: tuple[str, ...]) -> None:
        result = run("gallery", *words)
        assert result.exit_code == 1
        assert "nobody called Eve" in result.stderr

    def test_list_show_check_and_stats_as_text(self) -> None:
        header, first, second = rows(run("gallery", "list").stdout)
        assert header == ["TEMPLATES", "ENROLLED", "NAME"]
        assert (first[0], first[2], second[2]) == ("1", "Barack Obama", "Joe Biden")
        _, header, template = rows(run("gallery", "show", "Barack Obama").stdout)
        assert header == ["SCORE", "ENROLLED", "SHA256", "PHOTO"]
        assert template[3] == OBAMA
        assert run("gallery", "check").stdout == "2 people, 2 templates: sound\n"
        assert fields(run("gallery", "stats").stdout)["people"] == "2"

    def test_two_names_of_one_person(self) -> None:
        assert run("enroll", "Obama", OBAMA2, OBAMA).exit_code == 0
        words = ("Barack Obama", "Obama")
        text = run("gallery", "merge", *words).stdout
        assert text == "Obama is now Barack Obama: 1 templates moved, 1 photos in both\n"
        (title,), header, own, moved, _, merges, merge = rows(
            run("gallery", "show", "Barack Obama").stdout
        )
        assert title.startswith("Barack Obama: 2 templates of ")
        assert header == ["SCORE", "ENROLLED", "SHA256", "MERGED FROM", "PHOTO"]
        assert (own[3:], moved[3:]) == ([OBAMA], ["Obama", OBAMA2])
        assert merges == ["TEMPLATES", "IN BOTH", "MERGED", "NAME"]
        assert (*merge[:2], merge[3]) == ("1", "1", "Obama")
        assert payload("gallery", "check")["sound"]
        (face,) = payload("identify", OBAMA2)["photos"][0]["faces"]
        assert [one["name"] for one in face["candidates"]] == ["Barack Obama", "Joe Biden"]
        assert run("gallery", "unmerge", *words).stdout == "Obama is enrolled again: 2 templates\n"
        told = payload("gallery", "merge", *words)
        assert (told["moved_count"], told["shared_photo_count"]) == (1, 1)
        assert payload("gallery", "unmerge", *words)["name"] == "Barack Obama"
        assert len(payload("gallery", "list")["people"]) == 3
        absent = run("gallery", "unmerge", *words)
        assert (absent.exit_code, absent.stdout) == (1, "")
        assert "nobody called Obama is merged into Barack Obama" in absent.stderr
        assert run("gallery", "merge", "Obama", "Obama").exit_code == 2

    def test_export_and_import(self, tmp_path: Path) -> None:
        file = str(tmp_path / "people.jsonl")
        result = run("gallery", "export", "-o", file)
        assert result.exit_code == 0
        assert "biometric templates, not encrypted" in result.stderr
        other = str(tmp_path / "other.db")
        assert payload("gallery", "import", file, "--gallery", other)["added_count"] == 2
        assert run("identify", OBAMA2, "--gallery", other).exit_code == 0

    def test_check_exits_7_where_something_is_wrong(self, gallery: Path) -> None:
        gallery.chmod(0o644)
        result = run("gallery", "check")
        assert result.exit_code == 7
        assert "others can read it" in result.stdout

    def test_init_does_not_replace_a_gallery(self) -> None:
        result = run("gallery", "init")
        assert result.exit_code == 2
        assert "already" in result.stderr


class TestEncrypted:
    @pytest.mark.model
    def test_passphrase_and_rekey(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("FACEKIT_GALLERY_PASSPHRASE", "one")
        assert payload("gallery", "init", "--encrypt")["encrypted"]
        assert run("enroll", "Obama", OBAMA).exit_code == 0
        assert run("identify", OBAMA2).exit_code == 0
        refused = run("gallery", "export", "-o", str(tmp_path / "x"))
        assert refused.exit_code == 2
        assert "--decrypt" in refused.stderr
        assert run("gallery", "export", "--decrypt", "-o", str(tmp_path / "x")).exit_code == 0
        key = tmp_path / "new.key"
        key.write_bytes(bytes(range(32)))
        assert run("gallery", "rekey", "--new-key-file", str(key)).exit_code == 0
        assert run("identify", OBAMA2).exit_code == 7
        assert run("identify", "--key-file", str(key), OBAMA2).exit_code == 0

    def test_no_secret_no_gallery(self) -> None:
        result = run("gallery", "init", "--encrypt")
        assert result.exit_code == 2
        assert "FACEKIT_GALLERY_PASSPHRASE" in result.stderr


class TestCluster:
    @pytest.mark.model
    def test_text_csv_json_and_copies_agree(self, tmp_path: Path) -> None:
        expected = [(0, OBAMA), (0, OBAMA2), (1, BIDEN)]
        header, *lines = rows(run("cluster", str(DATA)).stdout)
        assert header == ["GROUP", "FACE", "PHOTO"]
        assert lines == [[str(group), "0", photo] for group, photo in expected]
        records = list(csv.DictReader(io.StringIO(run("cluster", "--csv", str(DATA)).stdout)))
        assert [(int(record["group"]), record["photo"]) for record in records] == expected
        told = payload("cluster", str(DATA), "--copy-to", str(tmp_path / "out"))
        assert sorted((face["group"], face["photo"]) for face in told["faces"]) == expected
        assert told["group_count"] == 2
        copies = sorted(path.relative_to(tmp_path / "out") for path in tmp_path.rglob("out/*/*"))
        assert list(map(str, copies)) == ["0/obama.jpg", "0/obama2.jpg", "1/biden.jpg"]

    @pytest.mark.model
    def test_every_group_has_a_contact_sheet(self, tmp_path: Path) -> None:
        folder = tmp_path / "sheets"
        assert run("cluster", str(DATA), "--sheets", str(folder)).exit_code == 0
        written = sorted(path.name for path in folder.iterdir())
        assert written == ["0.jpg", "alone.jpg", "overview.jpg"]

    @pytest.mark.parametrize(
        "arguments",
        [
            ("--threshold", "0.5", "--fmr", "1e-3"),
            ("--csv", "--json"),
            pytest.param(("--method", "hdbscan", "--threshold", "0.5"), marks=pytest.mark.model),
            ("--sheets", "sheets", "-"),
        ],
    )
    def test_wrong_options_have_their_exit_code(self, arguments: tuple[str, ...]) -> None:
        assert run("cluster", *arguments, str(DATA)).exit_code == 2
