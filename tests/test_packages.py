"""The wheel and the source archive of a release: what is in them, and that tools install them."""

from __future__ import annotations

import email
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from email.message import Message
from pathlib import Path

import pytest
from packaging.metadata import Metadata
from packaging.requirements import Requirement

from docs.commands import every_command
from facekit.board.wheel import make_wheel
from facekit.version import __version__
from tests.test_project import BUILD_SYSTEM, PROJECT, ROOT

STEM = f"facekit_cli-{__version__}"
WHERE_INSTALLED = {
    "configs/": "facekit/configs/",
    "docs/schemas/": "facekit/schemas/",
    "scripts/imx/": "facekit/board/scripts/",
}
"""folders of the repository that stand elsewhere in a wheel"""
BUILT_FROM = {"LICENSE", "README.md", "pyproject.toml", "setup.py"}
FOR_PACKAGERS = {"CHANGELOG.md", "CITATION.cff", "Containerfile", "SECURITY.md", "mkdocs.yml"}
TOOLS = {
    "uv": (
        ["uv", "tool", "install"],
        {"UV_TOOL_DIR": "tools", "UV_TOOL_BIN_DIR": "bin"},
        "tools/facekit-cli/share/man",
    ),
    "pipx": (
        ["pipx", "install"],
        {"PIPX_HOME": "tools", "PIPX_BIN_DIR": "bin", "PIPX_MAN_DIR": "man"},
        "man",
    ),
}
"""what installs a wheel as a program, where it is told to, and where man pages are then"""

pytestmark = pytest.mark.install


@pytest.fixture(scope="module")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of an environment with what builds and installs packages."""
    folder = tmp_path_factory.mktemp("tools")
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    packages = [*BUILD_SYSTEM["requires"], "build", "pipx", "uv"]
    subprocess.run([folder / "bin" / "pip", "install", "--quiet", *packages], check=True)
    return folder / "bin"


@pytest.fixture(scope="module")
def dist(tools: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The wheel and the source archive, as scripts/dist.sh makes them for a release."""
    folder = tmp_path_factory.mktemp("dist")
    script = ["bash", str(ROOT / "scripts" / "dist.sh"), str(folder)]
    subprocess.run(script, env={**os.environ, "PYTHON": str(tools / "python")}, check=True)
    files = {path.name: path for path in folder.iterdir()}
    assert set(files) == {f"{STEM}-py3-none-any.whl", f"{STEM}.tar.gz"}
    return files[f"{STEM}-py3-none-any.whl"], files[f"{STEM}.tar.gz"]


def tracked(*folders: str) -> set[str]:
    done = subprocess.run(
        ["git", "ls-files", *folders], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return set(done.stdout.splitlines())


def packaged() -> Iterator[str]:
    """The tracked files of the package, under their names in a wheel."""
    for name in tracked("facekit", *WHERE_INSTALLED):
        for folder, installed in WHERE_INSTALLED.items():
            name = re.sub(f"^{folder}", installed, name)
        yield name


def metadata(wheel: Path) -> Message:
    with zipfile.ZipFile(wheel) as files:
        return email.message_from_bytes(files.read(f"{STEM}.dist-info/METADATA"))


def test_the_wheel_has_every_file_of_the_package_a_man_page_a_command_and_no_more(
    dist: tuple[Path, Path],
) -> None:
    with zipfile.ZipFile(dist[0]) as wheel:
        names = set(wheel.namelist())
        assert wheel.read(f"{STEM}.dist-info/licenses/LICENSE") == (ROOT / "LICENSE").read_bytes()
        for name in packaged():
            assert wheel.getinfo(name).external_attr >> 16 & 0o777 in (0o644, 0o755), name
    written = {name for name in names if not name.startswith(f"{STEM}.d")}
    assert written == set(packaged())
    pages = {name.rpartition("/")[2] for name in names if "share/man/man1/" in name}
    commands = {f"{'-'.join(('facekit', *words))}.1" for words in ((), *every_command())}
    assert commands <= pages


def test_the_source_archive_has_what_is_built_the_manual_and_no_tests(
    dist: tuple[Path, Path],
) -> None:
    with tarfile.open(dist[1]) as archive:
        files = {member.name.partition("/")[2] for member in archive if member.isfile()}
        license_file = archive.extractfile(f"{STEM}/LICENSE")
        assert license_file
        assert license_file.read() == (ROOT / "LICENSE").read_bytes()
    made = {name for name in files if name.startswith("facekit_cli.egg-info/")}
    expected = tracked("facekit", "configs", "scripts/imx", "docs", "recipes")
    assert files - made - {"PKG-INFO", "setup.cfg"} == expected | BUILT_FROM | FOR_PACKAGERS | {
        "MANIFEST.in"
    }


def test_the_metadata_is_that_of_the_project(dist: tuple[Path, Path]) -> None:
    with zipfile.ZipFile(dist[0]) as files:
        content = files.read(f"{STEM}.dist-info/METADATA")
    Metadata.from_email(content)  # ExceptionGroup of every field that an index would refuse
    told = metadata(dist[0])
    assert (told["Name"], told["Version"]) == (PROJECT["name"], __version__)
    assert (told["License-Expression"], told["License-File"]) == ("MIT", "LICENSE")
    assert told["Requires-Python"] == PROJECT["requires-python"]
    assert set(told.get_all("Provides-Extra", [])) == set(PROJECT["optional-dependencies"])
    base = {str(Requirement(line)) for line in PROJECT["dependencies"]}
    required = {str(Requirement(line)) for line in told.get_all("Requires-Dist", [])}
    assert {line for line in required if "extra ==" not in line} == base


def test_the_archive_can_be_made_of_itself_with_the_same_bytes(
    dist: tuple[Path, Path], tools: Path, tmp_path: Path
) -> None:
    """By another mask and at another time."""
    with tarfile.open(dist[1]) as archive:
        archive.extractall(tmp_path, filter="data")
    source = tmp_path / STEM
    shutil.rmtree(source / "facekit_cli.egg-info")
    for made in ("PKG-INFO", "setup.cfg"):
        (source / made).unlink()
    for path in source.rglob("*"):
        os.utime(path, (1_700_000_000, 1_700_000_000))
    command = 'umask 077 && exec "$0" -m build --no-isolation --sdist --outdir "$1" "$2"'
    subprocess.run(
        ["sh", "-c", command, tools / "python", tmp_path, source],
        cwd=tmp_path,
        env={**os.environ, "SOURCE_DATE_EPOCH": "315532800"},
        check=True,
    )
    assert (tmp_path / f"{STEM}.tar.gz").read_bytes() == dist[1].read_bytes()


def test_the_wheel_of_the_archive_is_the_one_of_the_checkout_that_bundles_carry(
    dist: tuple[Path, Path], tmp_path: Path
) -> None:
    """The release is built of its archive; the bundle's wheel of the files beside facekit."""
    other = make_wheel(tmp_path)
    assert other.name == dist[0].name
    with zipfile.ZipFile(other) as mine, zipfile.ZipFile(dist[0]) as released:
        assert mine.namelist() == released.namelist()
        for name in mine.namelist():
            assert mine.read(name) == released.read(name), name
    if not any(path.stat().st_mode & 0o022 for path in (ROOT / "facekit").rglob("*.py")):
        assert other.read_bytes() == dist[0].read_bytes()  # the same modes too


def test_every_extra_resolves_on_both_architectures(dist: tuple[Path, Path], tools: Path) -> None:
    """With wheels alone; all together, which no user needs, so that each does by itself."""
    extras = set(metadata(dist[0]).get_all("Provides-Extra", [])) - {"dev"}
    assert len(extras) > 8
    for platform in ("x86_64-manylinux_2_28", "aarch64-manylinux_2_28"):
        done = subprocess.run(
            [tools / "uv", "pip", "compile", "--no-build", "--python-platform", platform, "-"],
            input=f"facekit-cli[{','.join(sorted(extras))}] @ {dist[0].as_uri()}",
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert "\nonnxruntime==" in done.stdout


@pytest.fixture(scope="module", params=TOOLS)
def program(
    request: pytest.FixtureRequest,
    dist: tuple[Path, Path],
    tools: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """The program facekit, as a tool that makes an environment for it installed it."""
    folder = tmp_path_factory.mktemp(request.param)
    command, places, man = TOOLS[request.param]
    subprocess.run(
        [tools / command[0], *command[1:], "--python", sys.executable, dist[0]],
        env={**os.environ, **{name: str(folder / place) for name, place in places.items()}},
        check=True,
    )
    assert (folder / man / "man1" / "facekit-verify.1").is_file()
    return folder / "bin" / "facekit"


def answer(program: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Outside of the checkout, and without the network."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return subprocess.run(
        [program, *arguments],
        cwd=program.parent,
        env={**environment, "FACEKIT_OFFLINE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


class TestInstalledByATool:
    def test_it_starts_and_explains_itself(self, program: Path) -> None:
        assert answer(program, "--version").stdout == f"facekit, version {__version__}\n"
        assert "verify" in answer(program, "help").stdout
        assert "--threshold" in answer(program, "help", "verify").stdout

    @pytest.mark.model
    def test_doctor_and_verify(self, program: Path, data: Path) -> None:
        done = answer(program, "doctor")
        assert done.returncode == 0, done.stdout
        photos = [str(data / f"{name}.jpg") for name in ("obama", "obama2", "biden")]
        done = answer(program, "verify", photos[0], photos[1])
        assert done.returncode == 0, done.stderr
        done = answer(program, "verify", photos[0], photos[2])
        assert done.returncode == 1, done.stderr
