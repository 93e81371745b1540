"""Who may import whom, read from every file's import statements."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FILES = sorted((ROOT / "facekit").rglob("*.py"))

ROWS: tuple[tuple[str, ...], ...] = (
    ("version", "enums", "errors", "reporter"),
    ("types",),
    ("system",),
    ("photo", "runtime"),
    ("face", "template", "graph"),
    ("model",),
    ("pipeline", "gallery", "video"),
    ("conversion", "bench", "board", "evaluation"),
    ("training",),
    ("tasks",),
    ("api", "server"),
    ("cli",),
    ("", "__main__"),
)
"""From the ground up; a folder stands for all of its files, "" is facekit/__init__.py.

A file may import its own room and the rooms of the rows below; none of its own row.
"""

KERAS_ROOMS = ("training",)
"""may import TensorFlow and Keras when they are imported themselves"""
HEAVY = frozenset(("ethosu", "joblib", "keras", "mtcnn", "tensorflow", "torch"))
LAZY = frozenset(
    (
        *("cryptography", "matplotlib", "numkong", "onnx", "onnxruntime", "pooch", "psycopg"),
        *("ray", "scipy", "sklearn", "usearch", "watchdog"),
    )
)


@dataclass(frozen=True)
class Import:
    """One imported module, absolute; `lazy` where importing the file does not import it."""

    module: str
    line: int
    lazy: bool
    for_types: bool = False
    """below `if TYPE_CHECKING:`"""


def imports_of(source: str) -> Iterator[Import]:
    """Every import statement, and every import_module("...") with its name written out."""
    pending: list[tuple[ast.AST, bool, bool]] = [(ast.parse(source), False, False)]
    while pending:
        node, lazy, for_types = pending.pop()
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(alias.name, node.lineno, lazy, for_types)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"relative import in line {node.lineno}"
            for alias in node.names:  # a package may be followed by a module's name
                dotted = f"{node.module}.{alias.name}"
                module = dotted if is_module(dotted) else str(node.module)
                yield Import(module, node.lineno, lazy, for_types)
        elif (
            isinstance(node, ast.Call)
            and ast.unparse(node.func).rpartition(".")[2] == "import_module"
            and isinstance(node.args[0], ast.Constant)
        ):
            yield Import(str(node.args[0].value), node.lineno, lazy)
        for_types = for_types or (
            isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        )
        inside = isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
        pending += [
            (child, lazy or inside or for_types, for_types) for child in ast.iter_child_nodes(node)
        ]


def is_module(dotted: str) -> bool:
    path = ROOT.joinpath(*dotted.split("."))
    return path.with_suffix(".py").exists() or (path / "__init__.py").exists()


def room(module: str) -> str:
    """facekit.model.card -> model"""
    return module.partition(".")[2].partition(".")[0]


def row(module: str) -> int:
    return next(number for number, rooms in enumerate(ROWS) if room(module) in rooms)


def name_of(path: Path) -> str:
    """facekit/model/card.py -> facekit.model.card"""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def test_the_reader_sees_every_kind_of_import() -> None:
    source = (
        "import numpy as np\n"
        "from facekit import types\n"
        "from facekit.model.card import Card\n"
        "if TYPE_CHECKING:\n"
        "    import torch\n"
        "def late():\n"
        "    import sklearn.metrics\n"
        "    importlib.import_module('keras.layers')\n"
    )
    assert sorted((found.line, found.module, found.lazy) for found in imports_of(source)) == [
        (1, "numpy", False),
        (2, "facekit.types", False),
        (3, "facekit.model.card", False),
        (5, "torch", True),
        (7, "sklearn.metrics", True),
        (8, "keras.layers", True),
    ]


def test_every_room_is_in_the_table_once() -> None:
    listed = [name for rooms in ROWS for name in rooms]
    assert sorted(listed) == sorted({room(name_of(path)) for path in FILES})


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_imports_point_down(path: Path) -> None:
    importer = name_of(path)
    for found in imports_of(path.read_text()):
        top = found.module.partition(".")[0]
        place = f"{path.relative_to(ROOT)}:{found.line} imports {found.module}"
        if top == "facekit" and room(found.module) != room(importer):
            assert row(found.module) < row(importer), f"{place}, which is not below it"
        if top in HEAVY:
            assert found.lazy or room(importer) in KERAS_ROOMS, f"{place} when it is imported"
        if top in LAZY:
            assert found.lazy, f"{place} when it is imported"


def test_tensorflow_keras_and_torch_stand_in_training_and_one_runtime() -> None:
    """Not even inside functions of what reads, builds and runs everything else."""
    for path in FILES:
        name = name_of(path)
        if room(name) not in KERAS_ROOMS and name != "facekit.runtime.keras":
            tops = {found.module.partition(".")[0] for found in imports_of(path.read_text())}
            assert not tops & {"tensorflow", "keras", "torch"}, name


COMMANDS = [path for path in FILES if (ROOT / "facekit/cli/commands") in path.parents]
WHAT_COMMANDS_IMPORT = (
    *("facekit.cli", "facekit.tasks", "facekit.server"),
    *("facekit.enums", "facekit.errors", "facekit.reporter"),
)


@pytest.mark.parametrize("path", COMMANDS, ids=lambda path: path.stem)
def test_a_command_imports_its_task_options_and_rendering_alone(path: Path) -> None:
    """Records of other rooms may be named for the type checker."""
    for found in imports_of(path.read_text()):
        if found.module.startswith("facekit") and not found.for_types:
            assert found.module.startswith(WHAT_COMMANDS_IMPORT), (
                f"{path.name}:{found.line} imports {found.module}: the work belongs into a task"
            )


def test_tasks_know_neither_click_nor_print() -> None:
    for path in FILES:
        if room(name_of(path)) in ("tasks", "server", "api"):
            tree = ast.parse(path.read_text())
            assert "click" not in {found.module for found in imports_of(path.read_text())}, path
            called = {
                ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)
            }
            assert not called & {"print", "sys.exit", "exit"}, path
            raised = {
                ast.unparse(node.exc)
                for node in ast.walk(tree)
                if isinstance(node, ast.Raise) and node.exc is not None
            }
            assert not any(text.startswith("SystemExit") for text in raised), path


def test_no_circle_of_files() -> None:
    """Imports inside functions count as well: a circle that is put off is a circle."""
    below = {
        name_of(path): {
            found.module
            for found in imports_of(path.read_text())
            if found.module.startswith("facekit.") and found.module != name_of(path)
        }
        for path in FILES
    }
    while free := {name for name, imported in below.items() if not imported & below.keys()}:
        for name in free:
            del below[name]
    assert not below, "circles among, or above: " + ", ".join(sorted(below))


def test_no_two_test_files_have_one_name() -> None:
    """pytest imports a test file by its bare name, and refuses the second."""
    names = sorted(path.name for path in (ROOT / "tests").rglob("test_*.py"))
    assert not {name for name in names if names.count(name) > 1}
