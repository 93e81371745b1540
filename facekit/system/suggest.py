"""Finds the known word that a mistyped word was most probably meant to be."""

from __future__ import annotations

from collections.abc import Iterable


def closest(word: str, known: Iterable[str]) -> str | None:
    """Returns the known word with the most similar spelling; None if none is similar.

    Case, hyphens, underscores and dots do not count: "FaceNet512casia" is "facenet512-casia".
    """
    from difflib import get_close_matches

    by_letters = {_letters(one): one for one in known}
    found = get_close_matches(_letters(word), by_letters, n=1)
    return by_letters[found[0]] if found else None


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Returns " Did you mean sface?", to follow a sentence; "" if no known word is similar."""
    found = closest(word, known)
    return "" if found is None else f" Did you mean {found}?"


def _letters(word: str) -> str:
    return word.casefold().translate({ord(sign): None for sign in "-_."})
