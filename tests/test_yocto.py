"""The Yocto recipe, as far as it can be checked without bitbake.

Read as text: the license, and that every dependency of facekit has its package.
"""

from __future__ import annotations

import ast
import hashlib
import re
import sys

from packaging.requirements import Requirement

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
    "compression": "gzip tarfile zipfile",
    "core": "__future__ argparse ast binascii bisect codecs collections configparser contextlib "
    "copy csv dataclasses enum errno functools gc getopt glob heapq importlib inspect io itertools "
    "locale math operator os pathlib platform re runpy select selectors shutil signal site stat "
    "struct subprocess sys textwrap threading time traceback types typing unicodedata urllib.parse "
    "warnings weakref zlib",
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
