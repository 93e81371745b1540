"""Networks that crash LiteRT are tried in a process of their own: exit code 5, and a sentence."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from facekit.cli import cli
from facekit.errors import ModelMismatchError
from facekit.model import trial
from facekit.model.archive import export_models, import_models
from facekit.model.checksum import sha256_of
from facekit.model.store import find, stored_names
from tests.model.crashing_networks import WHEN_OPENED, WHEN_RUN, crashing, write_detector
from tests.model.made_up_model import write_network


def refused(*arguments: object) -> str:
    done: Result = CliRunner().invoke(cli, [*map(str, arguments)])
    assert done.exit_code == 5, (done.stdout, done.stderr, done.exception)
    assert not done.stdout
    return " ".join(done.stderr.split())


@pytest.mark.parametrize("command", ["detect", "inspect", "import", "card", "draft"])
def test_a_network_that_crashes_its_runtime_is_refused(
    home: Path, data: Path, tmp_path: Path, command: str
) -> None:
    path = crashing(data, tmp_path / "made", WHEN_RUN if command == "draft" else WHEN_OPENED)
    export_models([str(path)], tmp_path / "a.tar")
    said = refused(
        *{
            "detect": ("detect", data / "obama.jpg", "--detector", path),
            "inspect": ("inspect", path),
            "import": ("models", "import", tmp_path / "a.tar"),
            "card": ("models", "card", path),
            "draft": ("models", "card", path, "--draft"),
        }[command]
    )
    # What stands outside the file, and LiteRT reads, is chance: it may be taken for a bad tensor.
    crashed = "is not used: the process that tried it was ended by SIGSEGV" in said
    assert crashed or "cannot be run by LiteRT" in said
    assert not stored_names()
    assert not (home / "tried.json").exists()


def test_a_network_whose_process_is_killed_is_not_used(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trial, "_TRIAL", "tests.model.test_network_trial:abort")
    with pytest.raises(ModelMismatchError, match="process that tried it was ended by SIGABRT"):
        find(write_network(tmp_path / "made"))
    assert not (home / "tried.json").exists()


def abort(_item: object) -> None:
    os.abort()


def test_what_ran_is_remembered_by_its_sha256_and_its_cards(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = find(write_network(tmp_path / "first"))
    sha256, card = first.card.file_sha256, first.path.with_suffix(".json")
    assert json.loads((home / "tried.json").read_bytes()) == [f"{sha256} {sha256_of(card)}"]
    monkeypatch.setattr(trial, "_TRIAL", "no_such_module:function")  # another trial would fail
    assert find(write_network(tmp_path / "a copy")).card.file_sha256 == first.card.file_sha256
    card.write_text(card.read_text().replace('"std": 128', '"std": 64'))
    with pytest.raises(ModelMismatchError, match="ended with exit code 1"):
        find(first.path)
    with pytest.raises(ModelMismatchError, match="ended with exit code 1"):
        find(write_network(tmp_path / "other", variant="int8"))


def test_a_damaged_memory_is_none(home: Path, tmp_path: Path) -> None:
    home.mkdir()
    (home / "tried.json").write_text('{"no": "list"}')
    find(write_network(tmp_path / "made"))
    assert len(json.loads((home / "tried.json").read_bytes())) == 1


def test_a_network_that_does_not_answer_is_given_up(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trial, "_LONGEST_S", 0.01)
    with pytest.raises(ModelMismatchError, match=r"has not answered within 0\.01 s"):
        find(write_network(tmp_path / "made"))


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("batch_of_four", r"must have a batch of 1 or a dynamic one.*\(4, 4\)"),
        ("two_inputs", "has 2 inputs"),
        ("integer_ids", "must be float32, or quantized"),
    ],
)
def test_an_archives_network_that_cannot_be_fed_is_not_imported(
    home: Path, data: Path, tmp_path: Path, name: str, said: str
) -> None:
    """Its card is right: until now it was in the store, and failed when it was used."""
    content = (data / "nets" / f"{name}.tflite").read_bytes()
    archive = tmp_path / "a.tar"
    export_models([str(write_detector(tmp_path / "made", content))], archive)
    with pytest.raises(ModelMismatchError, match=said):
        import_models(archive)
    assert not stored_names()


def test_an_archives_network_answers_as_its_card_says(home: Path, tmp_path: Path) -> None:
    path = write_network(tmp_path / "made")
    card = path.with_suffix(".json")
    card.write_text(card.read_text().replace('"embedding_size": 10', '"embedding_size": 11'))
    archive = tmp_path / "a.tar"
    export_models([str(path)], archive)
    with pytest.raises(ModelMismatchError, match=r"11 outputs; the model has .*\(10,\)"):
        import_models(archive)


def test_answers_that_are_no_numbers_are_refused(home: Path, data: Path, tmp_path: Path) -> None:
    content = bytearray((data / "nets" / "one_by_one.tflite").read_bytes())
    factor = content.index(b"\0\0\0\x40")  # 2.0, by which the network multiplies
    content[factor : factor + 4] = b"\0\0\xc0\x7f"  # NaN
    path = write_detector(tmp_path / "made", bytes(content))
    with pytest.raises(ModelMismatchError, match="answers a test image with what is no number"):
        find(path)


def test_a_file_for_an_npu_is_opened_only(home: Path, data: Path, tmp_path: Path) -> None:
    content = (data / "nets" / "int8_vela.tflite").read_bytes()
    find(write_detector(tmp_path / "made", content))
    assert hashlib.sha256(content).hexdigest() in (home / "tried.json").read_text()
