"""facekit models import with weights: what it installs, and what it says no to."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from facekit.cli import cli
from facekit.graph.graph import Graph
from facekit.model import store
from tests.networks.weight_files import write_h5
from tests.schemas import require_schema


def run(*arguments: object) -> Result:
    return CliRunner().invoke(cli, [str(one) for one in arguments])


@pytest.fixture(scope="module")
def weights(facenet: Graph, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The default model's weights by the names of deepface and of ours, under another ending."""
    return write_h5(facenet, tmp_path_factory.mktemp("weights") / "weights.bin")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A model store of the test's own, with the detector of the real one."""
    real = store.home()
    (tmp_path / "home" / "models").mkdir(parents=True)
    (tmp_path / "home" / "models" / "mtcnn").symlink_to(real / "models" / "mtcnn")
    monkeypatch.setenv("FACEKIT_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.mark.model
def test_weights_become_a_model_without_thresholds(
    home: Path, weights: Path, data: Path, tmp_path: Path
) -> None:
    given = ("--preprocessing", "facenet", "--crop", "margin", "--margin", 32, "--license", "MIT")
    done = run("models", "import", weights, "--as", "mine", *given, "--json")
    assert done.exit_code == 0, done.stderr
    told = json.loads(done.stdout)
    require_schema("models import", told)
    assert (told["model"], told["format"]) == ("mine:float32", "deepface's HDF5 weights")
    card = store.find("mine").card
    assert (card.source.license, card.embedding_size) == ("MIT", 512)
    assert (card.input.color_order.value, card.input.mean, card.input.std) == ("rgb", 127.5, 128)
    assert card.source.sha256 == told["source_sha256"]
    assert not card.calibration.operating_points

    photos = data / "obama.jpg", data / "obama2.jpg"
    refused = run("verify", *photos, "--model", "mine")
    assert refused.exit_code == 2
    assert "--threshold" in refused.stderr
    assert run("verify", *photos, "--model", "mine", "--threshold", 0.6).exit_code == 0

    again = run("models", "import", weights, "--as", "mine")
    assert again.exit_code == 2
    assert "There is a model mine already" in again.stderr
    assert "mine:float32 (of other weights)" in again.stderr

    exported = run("models", "export", "mine", "-o", tmp_path / "weights-like.h5.tar")
    assert exported.exit_code == 0
    moved = (tmp_path / "weights-like.h5.tar").rename(tmp_path / "archive.h5")
    assert run("models", "remove", "mine").exit_code == 0
    assert run("models", "import", moved).exit_code == 0  # an archive by its content
    assert run("models", "import", moved, "--as", "other").exit_code == 2


@pytest.fixture
def no_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file in no format that facekit knows, and an empty store."""
    monkeypatch.setenv("FACEKIT_HOME", str(tmp_path / "home"))
    path = tmp_path / "weights.bin"
    path.write_bytes(b"no weights")
    return path


def test_what_cannot_be_meant(no_weights: Path, tmp_path: Path) -> None:
    archive = tmp_path / "empty.tar"
    archive.touch()
    for arguments, code, message in (
        ((no_weights,), 2, "Networks and weights need a name: --as NAME"),
        ((no_weights, "--as", "m", "--margin", 3), 2, "--margin is for --crop margin"),
        ((no_weights, "--as", "m", "--crop", "margin"), 2, "needs --margin PX"),
        ((archive, "--license", "MIT"), 2, "is an archive: its models have names"),
        ((tmp_path / "none.h5", "--as", "m"), 5, "There is no file"),
    ):
        done = run("models", "import", *arguments)
        assert (done.exit_code, message in done.stderr) == (code, True), done.stderr
    assert not store.stored_names()


def test_what_cannot_be_imported(no_weights: Path, tmp_path: Path) -> None:
    for arguments, code, message in (
        ((no_weights, "--as", "facenet512"), 2, "is a model of the registry"),
        ((no_weights, "--as", "a/b"), 5, "A model's name is made of letters"),
        ((tmp_path, "--as", "m"), 5, "is in no format that facekit knows"),
    ):
        done = run("models", "import", *arguments)
        assert (done.exit_code, message in done.stderr) == (code, True), done.stderr
    assert not store.stored_names()


def test_the_registrys_own_source_is_to_be_built(
    monkeypatch: pytest.MonkeyPatch, no_weights: Path
) -> None:
    from facekit.conversion import import_weights
    from facekit.errors import UsageError
    from facekit.model import registry

    sha256 = registry.entry("facenet512").source.sha256
    monkeypatch.setattr(import_weights, "source_sha256", lambda path: sha256)
    with pytest.raises(UsageError, match="facekit models build facenet512 --from-file"):
        import_weights.require_free_name("facenet512", no_weights)
