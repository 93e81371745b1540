"""Types of options and arguments: files, numbers, sizes, closed sets of words, and words that a
shell can complete."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.types import StringParamType

from facekit.system.suggest import did_you_mean

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

AnyCommand = TypeVar("AnyCommand", bound=Callable[..., Any])

FILE = click.Path(path_type=Path, dir_okay=False)
FOLDER = click.Path(path_type=Path, file_okay=False)
FOLDER.name = "dir"


LARGEST = 1_000_000_000
"""Of numbers whose option needs no smaller limit: it fits in 32 bits, and so do the products that
are made of it in 64."""


class Whole(click.IntRange):
    """A whole number of a range that always has an end."""

    def __init__(self, min: int = 0, max: int = LARGEST) -> None:
        super().__init__(min, max)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        text: Any = str(value)  # int() would round a number from a configuration
        return super().convert(text, param, ctx)


class Real(click.FloatRange):
    """A finite number of a range that always has two ends; neither nan nor inf."""

    def __init__(
        self,
        min: float = -LARGEST,
        max: float = LARGEST,
        *,
        min_open: bool = False,
        max_open: bool = False,
    ) -> None:
        super().__init__(min, max, min_open, max_open)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        text: Any = str(value)
        number = super().convert(text, param, ctx)
        if not math.isfinite(number):  # nan is in every range
            self.fail(f"a number is needed. Received: {value!r}", param, ctx)
        return number


class Numbers(click.ParamType):  # type: ignore[type-arg]  # older clicks have no parameter
    """Positive whole numbers of at most `largest`, separated by commas."""

    name = "N,..."

    def __init__(self, largest: int) -> None:
        self._largest = largest

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, ...]:
        if isinstance(value, tuple):
            return value
        parts = [part.strip() for part in str(value).split(",")]
        if not all(re.fullmatch("[0-9]{1,9}", part) for part in parts) or not all(
            1 <= int(part) <= self._largest for part in parts
        ):
            self.fail(
                f"whole numbers of 1 to {self._largest} needed, such as 1,2. Received: {value!r}",
                param,
                ctx,
            )
        return tuple(map(int, parts))


class Video(click.Path):
    """A file, a pipe, a URL, "-", or a camera's number."""

    def __init__(self) -> None:
        super().__init__(path_type=str, allow_dash=True, readable=False)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if value.isdecimal() and len(value) > 3:
            self.fail(f"a camera's number has at most 3 digits. Received: {value}", param, ctx)
        return super().convert(value, param, ctx)


class Words(click.Choice):  # type: ignore[type-arg]  # older clicks have no parameter
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


class PixelSize(click.ParamType):  # type: ignore[type-arg]  # older clicks have no parameter
    """ "182" to (182, 182), "112x96" to (112, 96): height, then width, in pixels."""

    name = "size"
    _FORM = re.compile("([0-9]{1,9})(?:x([0-9]{1,9}))?")
    _SIDES_PX = range(16, 4097)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if isinstance(value, tuple):
            return value
        found = self._FORM.fullmatch(str(value))
        height, width = (int(found[1]), int(found[2] or found[1])) if found else (0, 0)
        if height not in self._SIDES_PX or width not in self._SIDES_PX:
            self.fail(
                "pixels needed, of 16 to 4096 a side: 182, or height x width as 112x96. "
                f"Received: {value!r}"
            )
        return height, width


class Word(StringParamType):
    """Text, of which completion.py knows by the parameter's name what may stand there."""

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        from facekit.cli.completion import completions

        return completions(ctx, param, incomplete)
