"""Types of options and arguments: closed sets of words, and words that a shell can complete."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from typing import TYPE_CHECKING, Any

import click
from click.types import StringParamType

from facekit.system.suggest import did_you_mean

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem


class Words(click.Choice[Any]):
    """One of a few words, in any case; what is mistyped gets a suggestion."""

    def __init__(self, words: Iterable[str]) -> None:
        super().__init__(tuple(words), case_sensitive=False)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        try:
            return super().convert(value, param, ctx)
        except click.BadParameter as error:
            self.fail(error.message + did_you_mean(str(value), self.choices), param, ctx)


class EnumChoice(Words):
    """The values of an enum; yields its members."""

    def __init__(self, members: type[Enum]) -> None:
        super().__init__(str(member.value) for member in members)
        self._members = members

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if isinstance(value, self._members):
            return value
        return self._members(super().convert(value, param, ctx))


class Word(StringParamType):
    """Text, of which completion.py knows by the parameter's name what may stand there."""

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        from facekit.cli.completion import completions

        return completions(ctx, param, incomplete)
