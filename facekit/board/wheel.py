"""Makes a wheel of the running facekit, for machines without a network."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from base64 import urlsafe_b64encode
from hashlib import sha256
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from facekit.errors import ModelBuildError
from facekit.model.fetch import offline_by_environment

NAME = "facekit-cli"
_SOURCES = ("pyproject.toml", "setup.py", "README.md", "LICENSE")
_FOLDERS = ("facekit", "configs", "docs/schemas", "scripts/imx")
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest time that a zip file can store
_EPOCH_SECONDS = "315532800"
_OF_THIS_INSTALL = ("RECORD", "INSTALLER", "REQUESTED", "direct_url.json")
_PACKAGE = Path(__file__).resolve().parents[1]


def make_wheel(folder: Path) -> Path:
    """Writes facekit_cli-<version>-py3-none-any.whl into `folder`, with the same bytes every time.

    pip builds the wheel from the source tree from which facekit runs, and may fetch setuptools.  If
    there is no source tree, the wheel is packed from the installed files.  Raises ModelBuildError
    with the reason.
    """
    source = _PACKAGE.parent
    if all((source / name).is_file() for name in _SOURCES):
        return _built(source, folder)
    try:
        return _repacked(distribution(NAME), folder)
    except (PackageNotFoundError, OSError) as error:
        raise ModelBuildError(_failure(str(error))) from error


def _built(source: Path, folder: Path) -> Path:
    with tempfile.TemporaryDirectory(prefix="facekit-wheel-") as name:
        copy = Path(name) / "source"  # a build in place would leave the folder build/
        for packaged in _FOLDERS:
            shutil.copytree(
                source / packaged, copy / packaged, ignore=shutil.ignore_patterns("__pycache__")
            )
        for file in _SOURCES:
            shutil.copyfile(source / file, copy / file)
        options = ("--no-deps", "--quiet", "--disable-pip-version-check", "--wheel-dir")
        done = subprocess.run(
            [sys.executable, "-m", "pip", "wheel", *options, str(folder), str(copy)],
            env={
                **os.environ,
                **({"PIP_NO_INDEX": "1"} if offline_by_environment() else {}),
                "SOURCE_DATE_EPOCH": _EPOCH_SECONDS,
            },
            capture_output=True,
            text=True,
            check=False,
        )
    wheels = sorted(folder.glob("*.whl"))
    if done.returncode or len(wheels) != 1:
        output = " ".join((done.stderr or done.stdout).split()[-60:])
        raise ModelBuildError(
            _failure(f"pip wheel ended with exit code {done.returncode}: {output}")
        )
    return wheels[0]


def _repacked(installed: Distribution, folder: Path) -> Path:
    """Packs the installed files with a new RECORD, without the files that the installation made."""
    info = f"{NAME.replace('-', '_')}-{installed.version}.dist-info"
    files = {
        str(file): Path(str(file.locate())).read_bytes()
        for file in sorted(installed.files or (), key=str)
        if file.parts[0] in ("facekit", info)
        and file.suffix != ".pyc"
        and not (file.parts[0] == info and file.name in _OF_THIS_INSTALL)
    }
    if "facekit/__init__.py" not in files:
        raise PackageNotFoundError(f"{NAME} was installed without a list of its files")
    lines = [f"{name},sha256={_digest(content)},{len(content)}" for name, content in files.items()]
    record = f"{info}/RECORD"
    files[record] = "\n".join([*lines, f"{record},,", ""]).encode()
    path = folder / f"{info.removesuffix('.dist-info')}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as wheel:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.external_attr = 0o644 << 16
            wheel.writestr(entry, content, zipfile.ZIP_DEFLATED)
    return path


def _digest(content: bytes) -> str:
    return urlsafe_b64encode(sha256(content).digest()).rstrip(b"=").decode()


def _failure(reason: str) -> str:
    return (
        f"No wheel of facekit can be made here: {reason}. Make one where setuptools can be "
        "fetched, with `python -m pip wheel --no-deps .`, and pass it with --wheel."
    )
