"""The table of docs/explanation/security.md, for its cog block: what is read, and how much."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from pathlib import Path

from facekit.system.inputs import InputKind

ROOT = Path(__file__).resolve().parents[1]
NEEDS_TENSORFLOW = "from facekit.training.backend import"
"""The import by which a module needs TensorFlow; none of these declares a kind of file itself."""


def kinds() -> Iterator[InputKind]:
    """Yields every kind of file that the modules of facekit declare, but for facekit's memories.

    A memory that is damaged is forgotten, so that it has no exit code.
    """
    for path in sorted((ROOT / "facekit").rglob("*.py")):
        source = path.read_text(encoding="utf-8")
        if "InputKind(" not in source or NEEDS_TENSORFLOW in source:
            continue
        module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for value in vars(importlib.import_module(module)).values():
            if isinstance(value, InputKind) and value.max_bytes and not _is_memory(value):
                yield value


def _is_memory(kind: InputKind) -> bool:
    return kind.noun.startswith("remembered ")


def table() -> None:
    """Writes the kinds by limit and exit code, the largest last; for a cog block."""
    import cog

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
