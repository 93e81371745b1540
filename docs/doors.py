"""The table of docs/explanation/security.md, for its cog block: what is read, and how much."""

from __future__ import annotations

import ast
import importlib
from collections.abc import Iterator
from pathlib import Path

import cog

from facekit.system.inputs import InputKind

ROOT = Path(__file__).resolve().parents[1]


def kinds() -> Iterator[InputKind]:
    """Yields every kind of file that the modules of facekit declare."""
    for path in sorted((ROOT / "facekit").rglob("*.py")):
        source = path.read_text(encoding="utf-8")
        if "InputKind(" not in source:
            continue
        module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for node in ast.parse(source).body:
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                value = getattr(importlib.import_module(module), node.targets[0].id)
                if isinstance(value, InputKind) and value.max_bytes:
                    yield value


def table() -> None:
    """Writes the kinds by their limit and by the exit code of an error, the largest last."""
    nouns: dict[tuple[int, int], set[str]] = {}
    for kind in kinds():
        nouns.setdefault((kind.max_bytes, kind.error.exit_code), set()).add(kind.noun)
    cog.outl("| at most | what | exit code |")
    cog.outl("| --- | --- | --- |")
    for (max_bytes, code), names in sorted(nouns.items()):
        cog.outl(f"| {_size(max_bytes)} | {'; '.join(sorted(names))} | {code} |")


def _size(count: int) -> str:
    for unit, divisor in (("kB", 1e3), ("MB", 1e6)):
        if count < 1000 * divisor:
            return f"{count / divisor:.3g} {unit}"
    return f"{count / 1e9:,.3g} GB" if count < 1e12 else f"{count / 1e12:.3g} TB"
