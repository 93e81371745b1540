"""A help page as a man page, in the language of man(7) that groff and mandoc read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from facekit.cli.pages import Page
from facekit.version import __version__

_SIGNS = {"\\": r"\e", "-": r"\-", "'": r"\(aq", "`": r"\(ga", "^": r"\(ha", "~": r"\(ti"}
_ESCAPED = str.maketrans(_SIGNS)


def man_page(page: Page, *, see_also: Iterable[str]) -> str:
    """The page in section 1.  `see_also`: names of other pages of that section."""
    return "\n".join((*_lines(page, tuple(see_also)), ""))


def man_name(command: str) -> str:
    """ "facekit models list" -> "facekit-models-list" """
    return "-".join(command.split())


def _lines(page: Page, see_also: tuple[str, ...]) -> Iterator[str]:
    name = _text(man_name(page.command))
    yield f'.TH "{name.upper()}" 1 "" "facekit {_text(__version__)}" "facekit manual"'
    yield from (".SH NAME", f"{name} \\- {_text(page.summary)}")
    yield from (".SH SYNOPSIS", f".B {_text(page.command)}", _text(page.usage))
    if page.examples:
        yield from (".SH EXAMPLES", ".nf", *map(_text, page.examples), ".fi")
    if page.details:
        yield ".SH DESCRIPTION"
        for number, paragraph in enumerate(page.details):
            lines = [_text(line) for line in paragraph.splitlines()]
            yield from ([".PP"] if number else [])
            yield from ((".nf", *lines, ".fi") if len(lines) > 1 else lines)
    for section in page.sections:
        yield f'.SH "{_text(section.heading.upper())}"'
        for term, text in section.rows:
            yield from (".TP", rf"\fB{_text(term)}\fR", _text(text))
    yield ".SH SEE ALSO"
    yield ",\n".join(f".BR {_text(other)} (1)" for other in see_also).replace("(1),", '"(1),"')


def _text(text: str) -> str:
    """As groff prints it again; a line may begin with a dot, which would be a request."""
    escaped = text.translate(_ESCAPED)
    return rf"\&{escaped}" if escaped.startswith(".") else escaped
