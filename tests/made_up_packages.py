"""Packages and metadata as pip leaves them, for Python to find before the real ones."""

from __future__ import annotations

from pathlib import Path


def write_package(folder: Path, module: str, *, version: str, code: str = "") -> None:
    """Writes a package without content; `version`: its `__version__`, "" for none."""
    (folder / module).mkdir(parents=True, exist_ok=True)
    stated = f"__version__ = {version!r}\n" if version else ""
    (folder / module / "__init__.py").write_text(f"{stated}{code}\n")


def write_metadata(
    folder: Path,
    *requires: str,
    name: str = "facekit-cli",
    version: str = "9.9",
    python: str = ">=3.10",
) -> Path:
    """Writes the .dist-info of a distribution that needs the packages of `requires`."""
    info = folder / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir(parents=True, exist_ok=True)
    lines = ["Metadata-Version: 2.4", f"Name: {name}", f"Version: {version}"]
    lines += [f"Requires-Python: {python}", *(f"Requires-Dist: {line}" for line in requires)]
    (info / "METADATA").write_text("\n".join([*lines, "", ""]))
    return info
