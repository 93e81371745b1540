"""The Yocto recipe, as far as it can be checked without bitbake.

Read as text: the license, and that every dependency of facekit has its package.  Its shell for old
releases of setuptools runs, with the build that python_pep517.bbclass does.
"""

from __future__ import annotations

import ast
import hashlib
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from facekit.board.bsp import BSPS
from facekit.version import __version__
from tests.test_project import BUILD_SYSTEM, PROJECT, ROOT

RECIPE = (ROOT / "recipes" / "facekit_git.bb").read_text()
SETTINGS = dict(
    re.findall(r'^([\w:${}\[\]]+) \??\??\+?= "(.*?)"$', RECIPE.replace("\\\n", " "), re.MULTILINE)
)
PACKAGES = {
    "ai-edge-litert": "litert",
    "click": "python3-click",
    "flatbuffers": "python3-flatbuffers",
    "numpy": "python3-numpy",
    "opencv-python-headless": "python3-opencv",
    "platformdirs": "python3-platformdirs",
    "pooch": "",  # no layer has it; `facekit models import` takes what it would download
    "protobuf": "python3-protobuf",
    "tomli": "",  # for Python 3.10 alone
}
"""Names of pip's, and of the package of an image that is the same."""
MODULES = {
    "asyncio": "asyncio concurrent",
    "compression": "gzip tarfile zipfile",
    "core": "__future__ argparse ast binascii bisect codecs collections configparser contextlib "
    "copy csv dataclasses enum errno functools gc getopt glob heapq importlib inspect io ipaddress "
    "itertools locale math operator os pathlib platform re runpy select selectors shutil signal "
    "site stat struct subprocess sys textwrap threading time traceback types typing unicodedata "
    "urllib.parse warnings weakref zlib",
    "crypt": "hashlib",
    "ctypes": "ctypes",
    "datetime": "datetime",
    "difflib": "difflib",
    "fcntl": "fcntl",
    "html": "html",
    "io": "socket ssl tempfile",
    "json": "json",
    "logging": "logging",
    "math": "random",
    "multiprocessing": "multiprocessing",
    "netclient": "base64 http hmac secrets urllib urllib.error urllib.request uuid",
    "netserver": "socketserver",
    "pickle": "pickle pickletools",
    "resource": "resource",
    "shell": "shlex",
    "sqlite3": "sqlite3",
    "statistics": "statistics",
    "stringold": "string",
    "threading": "queue",
    "tomllib": "tomllib",
}
"""Packages into which openembedded-core splits Python's own modules: its python3-manifest.json."""
NATIVE = {"6.1": "67.6.0", "6.12": "76.0.0", "6.18.2": "80.9.0"}
"""setuptools in the release of openembedded-core that a BSP is based on"""


def depended_on() -> set[str]:
    """What an image gets along with facekit, with every choice taken."""
    chosen = [value for name, value in SETTINGS.items() if name.startswith("PACKAGECONFIG[")]
    return set(SETTINGS["RDEPENDS:${PN}"].split()).union(
        *(choice.rsplit(",", 1)[1].split() for choice in chosen)
    )


def test_the_license_is_the_one_of_the_repository() -> None:
    md5 = hashlib.md5((ROOT / "LICENSE").read_bytes()).hexdigest()
    assert SETTINGS["LIC_FILES_CHKSUM"] == f"file://LICENSE;md5={md5}"
    assert (SETTINGS["LICENSE"], SETTINGS["HOMEPAGE"]) == (
        PROJECT["license"],
        PROJECT["urls"]["Homepage"],
    )
    assert SETTINGS["PV"] == f"{__version__}+git"


def test_every_dependency_has_its_package() -> None:
    for requirement in map(Requirement, PROJECT["dependencies"]):
        package = PACKAGES[requirement.name]
        assert package in depended_on() | {""}, requirement
    built_by = {Requirement(line).name for line in BUILD_SYSTEM["requires"]} - {"setuptools"}
    assert {f"python3-{name}-native" for name in built_by} == set(SETTINGS["DEPENDS"].split())


def test_every_module_of_pythons_own_has_its_package() -> None:
    package_of = {name: package for package, line in MODULES.items() for name in line.split()}
    for path in (ROOT / "facekit").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.module:
                names = [node.module]
            for name in names:
                top = name.partition(".")[0]
                if top in sys.stdlib_module_names:
                    package = package_of.get(name) or package_of[top]
                    assert f"python3-{package}" in depended_on(), f"{path} imports {name}"


@pytest.mark.install
@pytest.mark.parametrize(("row", "setuptools"), NATIVE.items())
def test_it_builds_with_the_setuptools_of_the_bsp(
    row: str, setuptools: str, tmp_path: Path
) -> None:
    """do_configure's addition and do_compile, in shell as bitbake runs it."""
    source, native = tmp_path / "source", tmp_path / "native"
    files = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True
    ).stdout
    source.mkdir()
    copy = ["xargs", "-0", "cp", "--parents", f"--target-directory={source}"]
    subprocess.run(copy, cwd=ROOT, input=files, check=True)
    subprocess.run([sys.executable, "-m", "venv", native], check=True)
    packages = [f"setuptools=={setuptools}", f"click=={BSPS[row].click}", "build", "wheel"]
    subprocess.run([native / "bin" / "pip", "install", "--quiet", *packages], check=True)
    (native / "bin" / "nativepython3").symlink_to("python")
    addition = re.search(r"^do_configure:append\(\) \{\n(.*?)^\}", RECIPE, re.DOTALL | re.MULTILINE)
    assert addition
    build = f"nativepython3 -m build --no-isolation --wheel --outdir {tmp_path} {source}"
    subprocess.run(
        ["sh", "-euc", f"{addition[1]}\n{build}"],
        env={**os.environ, "S": str(source), "PATH": f"{native / 'bin'}:{os.environ['PATH']}"},
        check=True,
    )
    with zipfile.ZipFile(tmp_path / f"facekit_cli-{__version__}-py3-none-any.whl") as wheel:
        names = wheel.namelist()
        told = wheel.read(f"facekit_cli-{__version__}.dist-info/METADATA").decode()
    assert re.search(r"^License(-Expression)?: MIT$", told, re.MULTILINE)
    assert {"facekit/configs/targets/imx93.toml", "facekit/board/scripts/run.sh"} <= set(names)
    assert [name for name in names if name.endswith("man1/facekit-verify.1")]
