"""Who may import whom (DESIGN.md, Rooms), read from every file's import statements."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FILES = sorted((ROOT / "facekit").rglob("*.py"))

LAYERS: tuple[tuple[str, ...], ...] = (
    ("version", "enums", "errors"),
    ("types", "background", "files", "native_stderr", "parallel", "parallel_ray", "stopwatch"),
    ("geometry", "match", "preprocess", "image_header", "image_kind", "image_tiff"),
    ("models", "runtime"),
    (
        "image",
        "image_write",
        "embedding_file",
        "threshold",
        "sources",
        "inspect_litert",
        "inspect_model",
        "inspect_onnx",
        "inspection",
        "line_request",
    ),
    ("align", "detector", "draw", "embedder"),
    ("locate",),
    ("pipeline",),
    ("dataset", "embed_list", "evaluate", "gallery", "verification_plot", "verify_list", "video"),
    ("api", "bench", "doctor"),
    ("host",),
    ("cli",),
    ("", "__main__"),
)
"""From the bottom up; a folder stands for all of its files, "" is facekit/__init__.py.

A file may import what stands in its own row and below.
"""

HOST_ONLY = frozenset(("ethosu", "joblib", "keras", "mtcnn", "tensorflow", "torch"))
LAZY_ONLY = frozenset(
    (
        *(
            "cryptography",
            "matplotlib",
            "numkong",
            "onnx",
            "onnxruntime",
            "pooch",
            "psycopg",
            "ray",
        ),
        *("scipy", "sklearn", "usearch"),
    )
)

EAGER = {"onnx": "facekit.host.onnx_package"}
"""who may import it all the same, being imported inside functions alone"""


@dataclass(frozen=True)
class Import:
    """One imported module, absolute; `lazy` where importing the file does not import it."""

    module: str
    line: int
    lazy: bool


def imports_of(source: str) -> Iterator[Import]:
    """Every import statement, and every import_module("...") with its name written out."""
    pending: list[tuple[ast.AST, bool]] = [(ast.parse(source), False)]
    while pending:
        node, lazy = pending.pop()
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(alias.name, node.lineno, lazy)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"relative import in line {node.lineno}"
            for alias in node.names:  # facekit may be followed by a module's name
                dotted = f"{node.module}.{alias.name}" if node.module == "facekit" else node.module
                yield Import(str(dotted), node.lineno, lazy)
        elif (
            isinstance(node, ast.Call)
            and ast.unparse(node.func).rpartition(".")[2] == "import_module"
            and isinstance(node.args[0], ast.Constant)
        ):
            yield Import(str(node.args[0].value), node.lineno, lazy)
        inside = isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)) or (
            isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        )
        pending += [(child, lazy or inside) for child in ast.iter_child_nodes(node)]


def room(module: str) -> str:
    """facekit.models.card -> models"""
    return module.partition(".")[2].partition(".")[0]


def layer(module: str) -> int:
    return next(number for number, rooms in enumerate(LAYERS) if room(module) in rooms)


def name_of(path: Path) -> str:
    """facekit/models/card.py -> facekit.models.card"""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def test_the_reader_sees_every_kind_of_import() -> None:
    source = (
        "import numpy as np\n"
        "from facekit import types\n"
        "from facekit.models.card import Card\n"
        "if TYPE_CHECKING:\n"
        "    import torch\n"
        "def late():\n"
        "    import sklearn.metrics\n"
        "    importlib.import_module('keras.layers')\n"
    )
    assert sorted((found.line, found.module, found.lazy) for found in imports_of(source)) == [
        (1, "numpy", False),
        (2, "facekit.types", False),
        (3, "facekit.models.card", False),
        (5, "torch", True),
        (7, "sklearn.metrics", True),
        (8, "keras.layers", True),
    ]


def test_every_room_is_in_the_table_once() -> None:
    listed = [name for rooms in LAYERS for name in rooms]
    assert sorted(listed) == sorted({room(name_of(path)) for path in FILES})


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_imports_point_down(path: Path) -> None:
    importer = name_of(path)
    for found in imports_of(path.read_text()):
        top = found.module.partition(".")[0]
        place = f"{path.relative_to(ROOT)}:{found.line} imports {found.module}"
        if top == "facekit":
            assert layer(found.module) <= layer(importer), f"{place}, which is above it"
            if room(found.module) == "host" and room(importer) != "host":
                assert room(importer) == "cli", f"{place}; only the commands may"
                assert found.lazy, f"{place} when it is imported"
        if top in HOST_ONLY:
            assert room(importer) == "host", f"{place}; only facekit/host may"
        if top in LAZY_ONLY and importer != EAGER.get(top):
            assert found.lazy, f"{place} when it is imported"
