"""What every reader of a format gives."""

from __future__ import annotations

from dataclasses import dataclass

from facekit.enums import Architecture
from facekit.graph.graph import Graph


@dataclass(frozen=True, slots=True, eq=False)  # eq=False: holds arrays
class ReadNetwork:
    """A network as its file has it, batch norms unfolded."""

    graph: Graph
    ignored: tuple[str, ...] = ()
    """tensors that have no place in an embedding net, by a rule of the format"""
    architecture: Architecture | None = None
    """one of which facekit knows how its authors feed it; None for any other network"""
