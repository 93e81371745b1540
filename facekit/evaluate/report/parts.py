"""Pieces of HTML that the page is made of."""

from __future__ import annotations

from html import escape


def section(title: str, content: str) -> str:
    return f"<section><h2>{title}</h2>\n{content}</section>\n"


def table(name: str, head: str, body: str) -> str:
    # Focusable, so that a keyboard can scroll it where it is wider than the page.
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{name}"><table>\n'
        f"<thead><tr>{head}</tr></thead>\n<tbody>{body}</tbody>\n</table></div>\n"
    )


def text(value: str) -> str:
    return escape(value, quote=True)
