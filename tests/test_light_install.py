"""The base install into an empty environment: small, without TensorFlow, and enough to verify."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
LARGEST_MB = 330

pytestmark = pytest.mark.install


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int]:
    """A new virtual environment with the base install, and its size in MB."""
    folder = tmp_path_factory.mktemp("light") / "environment"
    script = ROOT / "scripts" / "install_size.sh"
    done = subprocess.run(
        ["bash", str(script), str(folder)],
        env={**os.environ, "PYTHON": sys.executable},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return folder, int(done.stdout)


def run(environment: tuple[Path, int], *command: str) -> subprocess.CompletedProcess[str]:
    """Outside of the checkout, so that only what was installed can be imported."""
    folder = environment[0]
    return subprocess.run(
        [str(folder / "bin" / command[0]), *command[1:]],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


def files_below(folder: Path) -> set[Path]:
    return {
        path.relative_to(folder)
        for path in folder.rglob("*")
        if path.is_file() and path.parent.name != "__pycache__"
    }


class TestLightInstall:
    def test_it_is_small(self, environment: tuple[Path, int]) -> None:
        assert environment[1] <= LARGEST_MB

    def test_every_file_is_installed(self, environment: tuple[Path, int]) -> None:
        """Package data too: the registry, golden numbers, targets."""
        (installed,) = environment[0].glob("lib/python3*/site-packages/facekit")
        assert files_below(installed) >= files_below(ROOT / "facekit")

    def test_tensorflow_is_not_there(self, environment: tuple[Path, int]) -> None:
        done = run(environment, "python", "-m", "pip", "list", "--format=freeze")
        packages = {line.partition("==")[0].lower() for line in done.stdout.splitlines()}
        assert "facekit-cli" in packages
        assert not packages & {"tensorflow", "keras", "torch", "scipy", "matplotlib"}

    def test_help_works_without_extras(self, environment: tuple[Path, int]) -> None:
        assert run(environment, "facekit", "--help").returncode == 0
        assert run(environment, "python", "-m", "facekit", "--help").returncode == 0

    @pytest.mark.model
    def test_doctor_and_verify(self, environment: tuple[Path, int], data: Path) -> None:
        assert run(environment, "facekit", "doctor").returncode == 0
        photos = [str(data / f"{name}.jpg") for name in ("obama", "obama2", "biden")]
        same = run(environment, "facekit", "verify", photos[0], photos[1])
        assert same.returncode == 0, same.stderr
        different = run(environment, "facekit", "verify", photos[0], photos[2])
        assert different.returncode == 1, different.stderr
