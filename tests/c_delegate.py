"""The test delegate, runtime/external_delegate.c, compiled where there is a C compiler."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
from pathlib import Path

import pytest

COMPILER = shutil.which("cc")
needs_compiler = pytest.mark.skipif(COMPILER is None, reason="no C compiler cc")
needs_litert = pytest.mark.skipif(
    importlib.util.find_spec("ai_edge_litert") is None, reason="no ai-edge-litert"
)

_SOURCE = Path(__file__).parent / "runtime" / "external_delegate.c"


def compile_delegate(path: Path) -> Path:
    """Writes the shared library `path`."""
    subprocess.run(
        [str(COMPILER), "-shared", "-fPIC", "-Wall", "-Werror", "-o", str(path), str(_SOURCE)],
        check=True,
    )
    return path
