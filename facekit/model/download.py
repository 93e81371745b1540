"""Downloads files by pip, npm and pooch.  Failures are raised as FetchError."""

from __future__ import annotations

import importlib.metadata
import logging
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeAlias

from facekit.errors import FetchError
from facekit.system.extras import is_installed, require

Tell: TypeAlias = Callable[[int, int], None] | None
"""The function that a Reporter's `amount` yields; its arguments are (bytes so far, total bytes)."""

_PIP_WITH_RAW_PROGRESS = (24, 1)  # the first version with --progress-bar raw (pip's changelog)
_RAW_PROGRESS = re.compile(rb"Progress (\d+) of (\d+)")
_PIP_ERROR_LINES = 4
_HTTP_TIMEOUT_S = 30
_HTTP_CHUNK_BYTES = 1 << 18


def by_pip(
    requirement: str, *, into: Path, find_links: Sequence[str] = (), tell: Tell = None
) -> None:
    """Downloads the requirement's wheel, without dependencies, by pip with the user's settings.

    `into` is the folder for the wheel, and `find_links` are further arguments of --find-links.
    Raises FetchError, with pip's last error lines, if pip fails, and if this Python has no pip.
    """
    if not is_installed("pip"):
        raise FetchError(
            f"Fetching {requirement} needs pip, which {sys.executable} does not have. "
            "Install it with: python -m ensurepip"
        )
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:"]
    command += ["--no-input", "--disable-pip-version-check", f"--dest={into}"]
    command += ["--progress-bar", "raw" if tell and _pip_tells_bytes() else "off"]
    command += [f"--find-links={folder}" for folder in find_links]
    with tempfile.TemporaryFile() as log:
        with subprocess.Popen(
            [*command, requirement], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log
        ) as pip:
            assert pip.stdout is not None
            for line in pip.stdout:
                if tell and (told := _RAW_PROGRESS.fullmatch(line.strip())):
                    tell(int(told[1]), int(told[2]))
        log.seek(0)
        lines = log.read().decode(errors="replace").splitlines()
    if pip.returncode:
        errors = [line for line in lines if line.startswith("ERROR:")] or lines
        reason = "\n".join(errors[-_PIP_ERROR_LINES:]) or f"it exited with {pip.returncode}"
        raise FetchError(f"pip could not download {requirement}:\n{reason}")


def by_npm(requirement: str, *, into: Path) -> None:
    """Downloads the package's archive by npm with the user's settings; nothing in it is run.

    Raises FetchError, with npm's last error lines, if npm fails or is not installed.
    """
    program = shutil.which("npm")
    if program is None:
        raise FetchError(f"Fetching {requirement} needs npm, which is not installed.")
    command = [program, "pack", "--ignore-scripts", "--silent", requirement]
    done = subprocess.run(
        command, cwd=into, stdin=subprocess.DEVNULL, capture_output=True, check=False
    )
    if done.returncode:
        lines = done.stderr.decode(errors="replace").splitlines()[-_PIP_ERROR_LINES:]
        reason = "\n".join(lines) or f"it exited with {done.returncode}"
        raise FetchError(f"npm could not download {requirement}:\n{reason}")


def by_url(url: str, *, into: Path, file_name: str, tell: Tell = None) -> None:
    """Downloads a file by its http(s) URL, without verifying the content.

    Raises FetchError if the download fails, and MissingExtraError if pooch is not installed.
    """
    pooch = require("pooch", extra="", needed_for=f"Fetching {url}")
    import requests  # a dependency of pooch

    pooch.get_logger().setLevel(logging.WARNING)
    downloader = pooch.HTTPDownloader(
        progressbar=_Bar(tell) if tell else False,
        chunk_size=_HTTP_CHUNK_BYTES,
        timeout=_HTTP_TIMEOUT_S,
    )
    try:
        downloader(url, str(into / file_name), None)
    except requests.RequestException as error:
        raise FetchError(f"{url} could not be downloaded: {error}") from error


class _Bar:
    """A progress bar with the interface that pooch requires.  It calls a `Tell` function."""

    def __init__(self, tell: Callable[[int, int], None]) -> None:
        self.total = 0
        self._done = 0
        self._tell = tell

    def update(self, more: int) -> None:
        self._done += more
        self._tell(min(self._done, self.total), self.total)

    def reset(self) -> None:
        self._done = 0

    def close(self) -> None:
        pass


def _pip_tells_bytes() -> bool:
    major, minor = importlib.metadata.version("pip").split(".")[:2]
    return (int(major), int(minor)) >= _PIP_WITH_RAW_PROGRESS
