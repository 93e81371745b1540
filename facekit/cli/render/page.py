"""A help page as text for a terminal, at most 80 columns wide."""

from __future__ import annotations

import re
import shutil
import textwrap
from collections.abc import Iterable, Iterator

from facekit.cli.pages import Page, Rows
from facekit.cli.render.style import Style, styled

WIDEST, NARROWEST = 80, 30
_INDENT = "  "
_TERMS_AT_MOST = 28
"""columns of what is typed; a longer term has a line of its own"""


def page_text(page: Page) -> str:
    """As wide as the terminal, or as COLUMNS says, and never wider than 80 columns."""
    width = max(NARROWEST, min(WIDEST, shutil.get_terminal_size().columns))
    return "\n".join(_lines(page, width))


def _lines(page: Page, width: int) -> Iterator[str]:
    usage = f"Usage: {page.command}"
    indent = " " * min(len(usage) + 1, width // 2)
    yield from textwrap.wrap(f"{usage} {page.usage}", width, subsequent_indent=indent)
    yield from ("", *_wrapped(page.summary, width))
    if page.examples:
        yield from ("", _heading("Examples"))
        for example in page.examples:
            yield from _command(example, width)
    if page.details:
        yield from ("", _heading("Details"))
        for number, paragraph in enumerate(page.details):
            if number:
                yield ""
            for line in paragraph.splitlines():
                yield from _wrapped(line, width)
    terms = [term for section in page.sections for term, _ in section.rows]
    column = max((len(term) for term in terms if len(term) <= _longest(width)), default=0)
    for section in page.sections:
        yield from ("", _heading(section.heading), *_rows(section.rows, column, width))
    if page.closing:
        yield ""
        for line in page.closing:
            yield from textwrap.wrap(line, width)


def _heading(text: str) -> str:
    return styled(f"{text}:", Style.HEADING)


def _wrapped(text: str, width: int, indent: str = _INDENT) -> list[str]:
    """Words and what is hyphenated stay whole; spaces at the start of a line stay too."""
    own = text[: len(text) - len(text.lstrip())]
    return textwrap.wrap(
        text.strip(),
        width,
        initial_indent=indent + own,
        subsequent_indent=indent + own,
        break_on_hyphens=False,
        break_long_words=False,
    )


def _command(line: str, width: int) -> Iterator[str]:
    """A command line; where it is too long, broken between words as a shell allows."""
    quoted = r"""(?:"[^"]*"|'[^']*'|[^\s"'])+"""
    text = ""
    for part in re.findall(rf"-\S+\s+(?![-|<>]){quoted}|{quoted}", line):
        if text and len(f"{_INDENT}{text} {part} \\") > width:
            yield f"{_INDENT}{text} \\"
            text = _INDENT * 2 + part
        else:
            text = f"{text} {part}" if text else part
    yield _INDENT + text


def _longest(width: int) -> int:
    """How long a term may be to stand beside its explanation."""
    return min(_TERMS_AT_MOST, width // 2)


def _rows(rows: Rows, column: int, width: int) -> Iterator[str]:
    """Terms on the left, `column` wide, and explanations beside them."""
    for term, text in rows:
        explained = _wrapped(text, width, " " * (column + 2 * len(_INDENT)))
        if len(term) <= column and explained:
            yield f"{_INDENT}{term:{column}}{_INDENT}{explained.pop(0).lstrip()}"
        else:
            yield from _long_term(term, width)
        yield from explained


def _long_term(term: str, width: int) -> Iterable[str]:
    """A term of its own line; a list of choices is broken after |."""
    pieces = re.findall(r"[^|\s]+\|?|\s+", term)
    text = _INDENT
    for piece in pieces:
        if len(text) + len(piece) > width and text.strip():
            yield text.rstrip()
            text = _INDENT * 3 + piece.lstrip()
        else:
            text += piece
    yield text.rstrip()
