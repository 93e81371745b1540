"""The network that a file reader returns."""

from __future__ import annotations

from dataclasses import dataclass

from facekit.enums import Architecture
from facekit.graph.graph import Graph


@dataclass(frozen=True, slots=True, eq=False)  # eq=False: holds arrays
class ImportedNetwork:
    """A network read from a file.  Batch norms are not folded."""

    graph: Graph
    ignored: tuple[str, ...] = ()
    """Names of tensors in the file that an embedding network does not use, by a rule of the format.
    """
    architecture: Architecture | None = None
    """The architecture if facekit knows the preprocessing; None for any other network."""
