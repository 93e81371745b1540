"""Whether and how text is colored: on a terminal only, and not where NO_COLOR is set."""

from __future__ import annotations

import os
import sys
from enum import Enum
from typing import TextIO

import click


class Style(Enum):
    """What a piece of text is, by which it is colored."""

    HEADING = "heading"
    ERROR = "error"
    YES = "yes"
    NO = "no"


_COLORS = {Style.ERROR: "red", Style.YES: "green", Style.NO: "yellow"}


def styled(text: str, style: Style, *, stream: TextIO | None = None) -> str:
    """`text` with the escape sequences of its color where `stream` shows them.

    `stream`: where it will be written; None for stdout.
    """
    if not shows_color(sys.stdout if stream is None else stream):
        return text
    return click.style(text, fg=_COLORS.get(style), bold=style is not Style.YES)


def shows_color(stream: TextIO) -> bool:
    """Whether it is a terminal, and the user has not turned color off (https://no-color.org)."""
    return not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb" and stream.isatty()
