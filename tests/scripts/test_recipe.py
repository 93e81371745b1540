"""scripts/recipe.sh in its short form, and what a board would do with its archives."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
MODEL = "facenet512-casia"

pytestmark = [
    pytest.mark.install,
    pytest.mark.model,
    pytest.mark.tensorflow,
    pytest.mark.skipif(not (BIN / "facekit").exists(), reason="facekit is not installed"),
]


def run(*command: str | Path, **settings: str) -> subprocess.CompletedProcess[str]:
    path = f"{BIN}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        list(map(str, command)),
        env={**os.environ, "PATH": path, **settings},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The folder that the recipe filled, and what it printed."""
    folder = tmp_path_factory.mktemp("recipe")
    done = run("bash", ROOT / "scripts" / "recipe.sh", folder, RECIPE_SHORT="1")
    assert done.returncode == 0, done.stdout + done.stderr
    return folder, done.stdout


@pytest.fixture(scope="module")
def bundles(made: tuple[Path, str], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Archives of each target, unpacked into a fresh folder."""
    board = tmp_path_factory.mktemp("board")
    assert run("tar", "-xzf", made[0] / "facekit-imx93.tar.gz", "-C", board).returncode == 0
    (wheel,) = board.glob("facekit-imx93/wheels/*.whl")
    for target in ("imx8mp", "cpu"):
        archive = made[0] / f"facekit-{target}.tar.gz"
        options = ("--models", made[0] / "models", "--wheel", wheel, "-o", archive)
        done = run("facekit", "bundle", "--target", target, *options)
        assert done.returncode == 0, done.stderr
        assert run("tar", "-xzf", archive, "-C", board).returncode == 0
    return {target: board / f"facekit-{target}" for target in ("imx93", "imx8mp", "cpu")}


def on_board(bundle: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Without facekit's own folders, and with the wheel's facekit rather than this checkout's."""
    return run(
        bundle / "run.sh",
        *arguments,
        PYTHON=sys.executable,
        FACEKIT_HOME="",
        FACEKIT_GALLERY="",
        HOME=str(bundle.parent / "nobody"),
    )


def test_every_file_is_made(made: tuple[Path, str]) -> None:
    models = made[0] / "models"
    for variant in ("float32", "int8", "uint8"):
        assert (models / f"{MODEL}_{variant}.json").exists()
    drift = json.loads((models / f"{MODEL}_int8_drift.json").read_text())
    assert drift["cosine"]["mean"] > 0.998
    report = json.loads((models / "model_imx93" / f"{MODEL}_uint8_vela_report.json").read_text())
    assert report["npu_share"] > 0.99


def test_it_ends_with_an_answer(made: tuple[Path, str]) -> None:
    assert "\nsame: cosine similarity" in made[1]


@pytest.mark.parametrize(
    ("target", "variant"), [("cpu", "float32"), ("imx8mp", "int8"), ("imx93", "int8")]
)
def test_the_unpacked_bundle_verifies_on_the_cpu(
    bundles: dict[str, Path], data: Path, target: str, variant: str
) -> None:
    bundle = bundles[target]
    sums = subprocess.run(["sha256sum", "--quiet", "-c", "SHA256SUMS"], cwd=bundle, check=False)
    assert sums.returncode == 0
    same, other = data / "obama2.jpg", data / "biden.jpg"
    answer = on_board(bundle, "verify", data / "obama.jpg", same, "--device", "cpu", "--json")
    assert answer.returncode == 0, answer.stderr
    payload = json.loads(answer.stdout)
    assert payload["model"] == f"{MODEL}:{variant}"
    assert (payload["device"], payload["cpu_fallback"]) == ("cpu", None)
    different = on_board(bundle, "verify", data / "obama.jpg", other, "--device", "cpu")
    assert different.returncode == 1, different.stderr
    assert (bundle / "python").is_dir()
    assert not (bundle.parent / "nobody").exists()


def test_the_boards_npu_is_the_default_and_is_missed(bundles: dict[str, Path], data: Path) -> None:
    photos = (data / "obama.jpg", data / "obama2.jpg")
    missed = on_board(bundles["imx93"], "verify", *photos)
    assert missed.returncode == 6
    assert "No delegate for imx93-npu" in missed.stderr
    vela = on_board(bundles["imx93"], "verify", *photos, "--allow-cpu-fallback")
    assert vela.returncode == 6
    assert "compiled by Vela" in vela.stderr
    int8 = on_board(bundles["imx8mp"], "verify", *photos, "--allow-cpu-fallback")
    assert int8.returncode == 0
    assert "runs on the CPU instead" in int8.stdout


def test_a_plain_file_of_the_bundle_can_be_named(bundles: dict[str, Path], data: Path) -> None:
    photos = (data / "obama.jpg", data / "obama2.jpg")
    named = ("--model", f"{MODEL}:int8", "--allow-cpu-fallback", "--json")
    found = on_board(bundles["imx93"], "verify", *photos, *named)
    assert found.returncode == 0, found.stderr
    assert json.loads(found.stdout)["model"] == f"{MODEL}:int8"
    wrong = on_board(bundles["imx93"], "verify", *photos, "--model", "facenet512")
    assert wrong.returncode == 2
    assert "has the model facenet512-casia" in wrong.stderr


def test_people_are_kept_in_the_bundle(bundles: dict[str, Path], data: Path) -> None:
    bundle = bundles["cpu"]
    assert on_board(bundle, "enroll", "Obama", data / "obama.jpg").returncode == 0
    assert (bundle / "gallery.db").exists()
    known = on_board(bundle, "identify", data / "obama2.jpg", "--json")
    assert known.returncode == 0, known.stderr
    assert json.loads(known.stdout)["device"] == "cpu"
