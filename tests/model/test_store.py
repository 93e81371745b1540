from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from facekit.errors import (
    ModelBuildError,
    ModelMismatchError,
    ModelMissingError,
    StorageError,
    UsageError,
)
from facekit.model import installation, store
from facekit.model.card import read_card
from tests.model.made_up_model import write_model, write_network


def add(home: Path, name: str = "toy", variant: str = "float32", content: bytes = b"x") -> Path:
    installation.install(name, lambda folder: write_model(folder, name, variant, content))
    return home / "models" / name / f"{name}_{variant}.tflite"


def everything_in(home: Path) -> set[str]:
    return {path.name for path in (home / "models").iterdir()}


def test_home_is_the_variable_or_the_platforms_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACEKIT_HOME", "~/elsewhere")
    assert store.home() == Path.home() / "elsewhere"
    monkeypatch.setenv("FACEKIT_HOME", "")
    monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere")
    assert store.home().name == "facekit"


def test_nothing_is_made_by_looking(home: Path) -> None:
    assert store.stored_names() == ()
    assert not store.is_installed("toy")
    with pytest.raises(ModelMissingError):
        store.find("toy")
    assert not home.exists()


def test_find_by_name_variant_file_and_card(home: Path) -> None:
    path = add(home)
    for name in ("toy", "toy:float32", path, str(path), path.with_suffix(".json")):
        found = store.find(name)
        assert (found.path, found.card.name) == (path, "toy")


def test_a_file_anywhere_is_found(tmp_path: Path, home: Path) -> None:
    path = write_network(tmp_path / "größe x")
    assert store.find(path).path == path


def test_files_are_installed_under_the_stores_names(tmp_path: Path, home: Path) -> None:
    """Those of other names too, such as `export -o` and training make; the rest stays."""
    earlier = add(home, variant="int8")
    made = write_model(tmp_path, "run7", "float32", b"trained")
    odd = made.rename(tmp_path / "odd.tflite")
    card = replace(read_card(made.with_suffix(".json")), file_name=odd.name)
    odd.with_suffix(".json").write_text(card.to_json())
    onnx = write_model(tmp_path, "toy", "onnx-fp32", b"other")
    installed = installation.install_files("toy", [odd, onnx])
    folder = home / "models" / "toy"
    assert installed == (folder / "toy_float32.tflite", folder / "toy_onnx-fp32.onnx")
    assert [store.find(path).card.name for path in (*installed, earlier)] == ["toy"] * 3
    assert installed[0].read_bytes() == b"trained"


def test_a_file_that_is_not_as_its_card_says_is_not_installed(tmp_path: Path, home: Path) -> None:
    made = write_model(tmp_path)
    made.write_bytes(b"damaged beyond")
    with pytest.raises(ModelMismatchError, match="not the one that its card describes"):
        installation.install_files("toy", [made])
    assert not store.is_installed("toy")


def test_the_variant_that_is_meant(home: Path) -> None:
    add(home, variant="int8")
    assert store.find("toy").card.variant == "int8"  # the only one
    add(home, variant="float32")
    assert store.find("toy").card.variant == "float32"
    assert store.find("toy:int8").card.variant == "int8"


def test_a_detector_is_there_when_all_its_nets_are(home: Path) -> None:
    add(home, "mtcnn", "pnet")
    add(home, "mtcnn", "onet")
    assert not store.is_installed("mtcnn")
    assert store.find("mtcnn:onet").card.variant == "onet"
    add(home, "mtcnn", "rnet")
    nets = [model.card.variant for model in store.find_all("mtcnn")]
    assert nets == ["pnet", "rnet", "onet"]


@pytest.mark.parametrize("name", ["nothing", "../toy", "toy:../../x", "", ":", "toy:"])
def test_a_name_that_is_not_there(home: Path, name: str) -> None:
    if name != "toy:":
        add(home)
    with pytest.raises(ModelMissingError):
        store.find(name)


def test_a_missing_registry_model_names_the_commands(home: Path) -> None:
    with pytest.raises(ModelMissingError) as caught:
        store.find("facenet512-casia")
    for command in (
        "Build it here:\n  facekit models build facenet512-casia\n",
        "facekit models export facenet512-casia -o facenet512-casia.tar\n",
        "facekit models import facenet512-casia.tar",
    ):
        assert command in str(caught.value)


def test_a_missing_model_that_takes_packages_says_how_to_install_them(home: Path) -> None:
    with pytest.raises(ModelMissingError, match=r"pip install 'facekit-cli\[convert\]'\n"):
        store.find("facenet512")


def test_a_missing_variant_lists_what_is_stored(home: Path) -> None:
    add(home, "facenet512")
    with pytest.raises(ModelMissingError, match=r"'int8' here\. Stored variants: float32"):
        store.find("facenet512:int8")


@pytest.mark.parametrize("content", [b"y", b"longer", b""], ids=["same size", "longer", "empty"])
def test_a_damaged_file_is_detected(home: Path, content: bytes) -> None:
    path = add(home)
    store.find("toy")
    path.write_bytes(content)
    with pytest.raises(ModelMismatchError, match=r"toy_float32\.tflite is not the one that its"):
        store.find("toy")


def test_a_file_under_another_name_is_detected(home: Path) -> None:
    path = add(home)
    for suffix in (".tflite", ".json"):
        path.with_suffix(suffix).rename(path.with_name(f"other{suffix}"))
    with pytest.raises(ModelMismatchError, match=r"file name toy_float32\.tflite needed"):
        store.find(path.with_name("other.tflite"))


def test_a_file_without_its_card_is_not_used(home: Path) -> None:
    path = add(home)
    path.with_suffix(".json").unlink()
    with pytest.raises(ModelMismatchError, match=r"No card toy_float32\.json"):
        store.find("toy")


def test_install_keeps_other_variants_and_replaces_the_same(home: Path) -> None:
    add(home, variant="int8", content=b"eight")
    add(home, variant="float32", content=b"old")
    path = add(home, variant="float32", content=b"new")
    assert store.stored_variants("toy") == ("float32", "int8")
    assert path.read_bytes() == b"new"
    assert store.find("toy:int8").path.read_bytes() == b"eight"
    assert everything_in(home) == {"toy"}


def test_a_failed_build_leaves_the_earlier_model(home: Path) -> None:
    path = add(home)

    def fail(folder: Path) -> None:
        write_model(folder, content=b"half")
        raise ModelBuildError("no")

    with pytest.raises(ModelBuildError, match="no"):
        installation.install("toy", fail)
    assert path.read_bytes() == b"x"
    assert everything_in(home) == {"toy"}


def damaged(folder: Path) -> None:
    write_model(folder).write_bytes(b"damaged")


@pytest.mark.parametrize(
    ("build", "said"),
    [
        (lambda folder: None, "no model file"),
        (damaged, "not the one that its card describes"),
        (lambda folder: write_model(folder, "other"), "needs files called toy_VARIANT"),
    ],
)
def test_what_a_build_made_is_checked(home: Path, build: installation.Build, said: str) -> None:
    with pytest.raises((ModelBuildError, ModelMismatchError), match=said):
        installation.install("toy", build)
    assert everything_in(home) == set()


def test_only_if_missing_does_not_build_again(home: Path) -> None:
    add(home)
    installation.install("toy", lambda folder: pytest.fail("built again"), only_if_missing=True)


def test_a_name_that_would_leave_the_folder_is_refused(home: Path) -> None:
    with pytest.raises(ModelMismatchError, match="letters, digits"):
        installation.install("../toy", lambda folder: write_model(folder))
    assert not home.exists()


def test_remove_one_variant_then_all(home: Path) -> None:
    add(home, variant="float32")
    add(home, variant="int8")
    assert [path.name for path in installation.remove("toy:int8")] == ["toy_int8.tflite"]
    assert store.stored_variants("toy") == ("float32",)
    installation.remove("toy")
    assert everything_in(home) == set()
    with pytest.raises(ModelMissingError, match="nothing to remove"):
        installation.remove("toy")


@pytest.mark.parametrize("name", ["..", "../models", "toy:../x"])
def test_remove_stays_in_its_folder(home: Path, name: str) -> None:
    path = add(home)
    with pytest.raises(ModelMissingError):
        installation.remove(name)
    assert path.exists()


def test_a_home_that_cannot_be_written_says_what_to_do(home: Path) -> None:
    home.write_text("a file where the folder should be")
    with pytest.raises(StorageError, match="set FACEKIT_HOME to another folder"):
        installation.install("toy", lambda folder: write_model(folder))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_home_can_be_read(home: Path) -> None:
    add(home)
    home.chmod(0o500)
    try:
        assert store.find("toy").card.name == "toy"
        with pytest.raises(StorageError):
            installation.remove_sources("toy")
    finally:
        home.chmod(0o700)


def test_a_new_name_is_not_stored_yet(home: Path) -> None:
    installation.require_new("toy")
    add(home)
    with pytest.raises(UsageError, match=r"already \(float32\).*--force"):
        installation.require_new("toy")
    installation.require_new("toy", force=True)
    with pytest.raises(UsageError, match="registry"):
        installation.require_new("mtcnn")
    with pytest.raises(UsageError, match="letters"):
        installation.require_new("../toy")
