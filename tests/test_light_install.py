"""The base install into an empty environment: small, without TensorFlow, and enough to verify."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from docs.commands import every_command

ROOT = Path(__file__).resolve().parents[1]
LARGEST_MB = 345
LARGEST_WITH_MODELS_MB = 650
LONGEST_S = 20
"""of processor time, of the first verify"""

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
        assert files_below(installed / "configs") >= files_below(ROOT / "configs")

    def test_every_command_has_its_man_page(self, environment: tuple[Path, int]) -> None:
        written = {path.name for path in (environment[0] / "share" / "man" / "man1").iterdir()}
        assert {f"{'-'.join(('facekit', *words))}.1" for words in ((), *every_command())} <= written

    def test_tensorflow_is_not_there(self, environment: tuple[Path, int]) -> None:
        done = run(environment, "python", "-m", "pip", "list", "--format=freeze")
        packages = {line.partition("==")[0].lower() for line in done.stdout.splitlines()}
        assert "facekit-cli" in packages
        assert not packages & {"tensorflow", "keras", "torch", "scipy", "matplotlib"}

    def test_help_works_without_extras(self, environment: tuple[Path, int]) -> None:
        assert run(environment, "facekit", "--help").returncode == 0
        assert run(environment, "python", "-m", "facekit", "--help").returncode == 0

    def test_the_first_verify_builds_what_it_needs_and_answers(
        self,
        environment: tuple[Path, int],
        data: Path,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        frozen_graph: Path,
        wheel: Path,
    ) -> None:
        """Of sources that are copied in place of being fetched; some 4 s of an idle processor."""
        for source, name in ((frozen_graph, "facenet512-casia"), (wheel, "mtcnn")):
            (tmp_path / "sources" / name).mkdir(parents=True)
            shutil.copy(source, tmp_path / "sources" / name)
        monkeypatch.setenv("FACEKIT_HOME", str(tmp_path))
        before = os.times()
        photos = [str(data / name) for name in ("obama.jpg", "obama2.jpg")]
        done = run(environment, "facekit", "verify", *photos)
        after = os.times()
        assert done.returncode == 0, done.stderr
        used = after.children_user + after.children_system
        assert used - before.children_user - before.children_system <= LONGEST_S
        home_bytes = sum(path.stat().st_size for path in tmp_path.rglob("*") if path.is_file())
        assert environment[1] + home_bytes / 1e6 <= LARGEST_WITH_MODELS_MB

    @pytest.mark.model
    def test_doctor_and_verify(self, environment: tuple[Path, int], data: Path) -> None:
        assert run(environment, "facekit", "doctor").returncode == 0
        photos = [str(data / f"{name}.jpg") for name in ("obama", "obama2", "biden")]
        same = run(environment, "facekit", "verify", photos[0], photos[1])
        assert same.returncode == 0, same.stderr
        different = run(environment, "facekit", "verify", photos[0], photos[2])
        assert different.returncode == 1, different.stderr
