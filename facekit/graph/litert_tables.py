"""Makes the tables of which a LiteRT file consists, with any version of ai-edge-litert."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def filled(table: Callable[[], Any], **members: Any) -> Any:
    """Returns a new table of LiteRT's schema with these members; all others keep their defaults.

    The schema's classes take no arguments before ai-edge-litert 2.  Raises TypeError if the table
    has no such member.
    """
    made = table()
    for name, value in members.items():
        if not hasattr(made, name):
            raise TypeError(f"{type(made).__name__} has no member {name}")
        setattr(made, name, value)
    return made
