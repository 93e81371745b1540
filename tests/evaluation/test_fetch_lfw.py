"""Fetching LFW, with a fetcher that does what the real one may do."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.error import URLError

import pytest
from click.testing import CliRunner

from facekit.cli import cli
from facekit.enums import LfwAlignment
from facekit.errors import FetchError, StorageError
from facekit.evaluation.protocols import fetch_lfw as module
from facekit.evaluation.protocols.fetch_lfw import data_home, fetch_lfw
from tests.schemas import require_schema

datasets = pytest.importorskip("sklearn.datasets", reason="needs the evaluate extra")


def fetcher(monkeypatch: pytest.MonkeyPatch, failure: Exception | None = None) -> None:
    """As scikit-learn's: fills the data home, or raises."""

    def fetch(*, data_home: str, funneled: bool, **_rest: object) -> None:
        if failure is not None:
            raise failure
        photos = Path(data_home) / "lfw_home" / ("lfw_funneled" if funneled else "lfw")
        for name in ("Ada", "Bob"):
            (photos / name).mkdir(parents=True, exist_ok=True)
            (photos / name / f"{name}_0001.jpg").write_bytes(b"")

    monkeypatch.setattr(datasets, "fetch_lfw_pairs", fetch)


def test_a_whole_lfw_is_what_its_folder_is_returned_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetcher(monkeypatch)
    monkeypatch.setattr(module, "N_PHOTOS", 2)
    monkeypatch.setattr(module, "N_PEOPLE", 2)
    for alignment in LfwAlignment:
        assert fetch_lfw(tmp_path, alignment) == tmp_path / "lfw_home"
        assert (tmp_path / "lfw_home" / alignment.folder / "Ada").is_dir()
        options = ("--alignment", alignment.value, "-o", str(tmp_path), "--json")
        told = json.loads(CliRunner().invoke(cli, ["data", "fetch", "lfw", *options]).stdout)
        require_schema("data fetch", told)
        assert (told["alignment"], told["output"]) == (alignment.value, str(tmp_path / "lfw_home"))


def test_a_part_of_lfw_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fetcher(monkeypatch)
    with pytest.raises(FetchError, match=r"13,233 photos .* holds 2 of 2: remove that folder"):
        fetch_lfw(tmp_path, LfwAlignment.FUNNELED)


@pytest.mark.parametrize(
    ("failure", "error", "message"),
    [
        (URLError("no such host"), FetchError, "no such host.*pairsDevTrain.txt.*FACEKIT_LFW"),
        (OSError("sha256 differs"), FetchError, "sha256 differs"),
        (PermissionError(13, "Permission denied"), StorageError, "Permission denied"),
    ],
)
def test_a_failure_says_what_to_put_where(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    failure: Exception,
    error: type[Exception],
    message: str,
) -> None:
    fetcher(monkeypatch, failure)
    with pytest.raises(error, match=message):
        fetch_lfw(tmp_path, LfwAlignment.FUNNELED)


def test_offline_asks_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fetcher(monkeypatch, AssertionError("was called"))
    with pytest.raises(FetchError, match="--offline"):
        fetch_lfw(tmp_path, LfwAlignment.ORIGINAL, offline=True)


def test_the_data_home_is_scikit_learns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCIKIT_LEARN_DATA", "/somewhere")
    assert data_home(None) == Path("/somewhere")
    assert data_home(Path("/given")) == Path("/given")
    monkeypatch.delenv("SCIKIT_LEARN_DATA")
    assert data_home(None) == Path.home() / "scikit_learn_data"
