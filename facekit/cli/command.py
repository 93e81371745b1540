"""Commands and groups of commands: their help pages, common options and suggestions."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from shlex import quote
from typing import TYPE_CHECKING, Any

import click
from click.types import StringParamType

from facekit.cli.render.output import Verbosity, set_verbosity
from facekit.cli.types import Word
from facekit.system.suggest import did_you_mean

if TYPE_CHECKING:  # what help pages take is imported where one is shown
    from facekit.cli.pages import Explanation, Page, Section


TYPED = "facekit.typed"
"""Key of a context's `meta`: the arguments of the command line."""


def command_line(ctx: click.Context) -> str:
    """Returns the command line for a shell, with ~ for the user's home folder."""
    words = ["facekit"]
    home = os.path.expanduser("~").rstrip("/") + "/"
    for word in ctx.meta[TYPED]:
        option, equals, value = word.partition("=")
        if option.startswith("--") and equals and value.startswith(home):
            words.append(option)  # a shell sees no home folder in --data=~/lfw
            word = value
        under_home = len(home) > 1 and word.startswith(home)
        words.append(f"~/{quote(word[len(home) :])}" if under_home else quote(word))
    return " ".join(words)


class Command(click.Command):
    """A command whose docstring and options make its help page; see pages.py."""

    def __init__(self, *args: Any, basic: str = "", **extra: Any) -> None:
        """`basic`: long names of the options that --help shows, without -- and with spaces between;
        "" for all of them."""
        super().__init__(*args, **_settings(extra))
        self.basic = tuple(basic.split())
        self.params += common_options(help_all=True)
        for parameter in self.params:
            if type(parameter.type) is StringParamType:
                parameter.type = Word()

    @property
    def explanation(self) -> Explanation:
        return _explanation(self.help)

    def get_short_help_str(self, limit: int = 80) -> str:
        return self.explanation.summary

    def page(self, ctx: click.Context, *, everything: bool = False) -> Page:
        """The help page, with all options or with the basic ones."""
        from facekit.cli.pages import command_page

        return command_page(self, ctx, basic=None if everything else self.basic)

    def get_help(self, ctx: click.Context) -> str:
        return _text(self.page(ctx))

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        return _parsed(self, super().parse_args, ctx, args)


class Group(click.Group):
    """Commands under headings."""

    command_class = Command

    def __init__(
        self, *args: Any, headings: Mapping[str, Sequence[str]] | None = None, **extra: Any
    ) -> None:
        """`headings`: the names of the commands below each, in the order of the page; None for all
        commands in the order in which they are added.
        """
        super().__init__(*args, **_settings(extra))
        self.headings = headings
        self.params += common_options()

    @property
    def explanation(self) -> Explanation:
        return _explanation(self.help)

    def get_short_help_str(self, limit: int = 80) -> str:
        return self.explanation.summary

    def names_by_heading(self) -> Mapping[str, Sequence[str]]:
        return self.headings or {"Commands": tuple(self.commands)}

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [name for names in self.names_by_heading().values() for name in names]

    def summary_of(self, ctx: click.Context, name: str) -> str:
        """Of one of its commands."""
        command = self.get_command(ctx, name)
        assert isinstance(command, (Command, Group)), f"{ctx.command_path} has no {name}"
        return command.explanation.summary

    def page(self, ctx: click.Context, *, everything: bool = False) -> Page:
        """The help page, with every command's summary; it always shows everything."""
        from facekit.cli.pages import group_page

        commands = {
            heading: {name: self.summary_of(ctx, name) for name in names}
            for heading, names in self.names_by_heading().items()
        }
        return group_page(self, ctx, commands, more=self.more_sections())

    def more_sections(self) -> tuple[Section, ...]:
        """What stands between the commands and the options."""
        return ()

    def get_help(self, ctx: click.Context) -> str:
        return _text(self.page(ctx))

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args and not ctx.resilient_parsing:  # click before 8.2 exits 0
            raise click.UsageError(ctx.get_help(), ctx)
        return _parsed(self, super().parse_args, ctx, args)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        known = self.list_commands(ctx)
        if ctx.resilient_parsing or args[0] in known or args[0].startswith("-"):
            return super().resolve_command(ctx, args)
        hint = did_you_mean(args[0], known) or self.elsewhere(ctx, args[0])
        raise click.UsageError(f"No such command: {args[0]}.{hint}", ctx)

    def elsewhere(self, ctx: click.Context, name: str) -> str:
        """A sentence on commands of that name that stand in other groups."""
        return ""


def context_of(root: click.Context, words: Sequence[str]) -> click.Context:
    """Of the command that is typed so.  Raises click's UsageError where there is none."""
    ctx = root
    for word in words:
        if not isinstance(ctx.command, Group):
            raise click.UsageError(f"{ctx.command_path} has no commands. Received: {word}", ctx)
        ctx.command.resolve_command(ctx, [word])
        ctx = context_below(ctx, word)
    return ctx


def context_below(ctx: click.Context, name: str) -> click.Context:
    """Of one of a group's commands, as if it were run."""
    assert isinstance(ctx.command, Group)
    command = ctx.command.get_command(ctx, name)
    assert command is not None, f"{ctx.command_path} has no {name}"
    return click.Context(command, info_name=name, parent=ctx)


def page_of(ctx: click.Context, *, everything: bool) -> Page:
    """The help page of a command or a group."""
    command = ctx.command
    assert isinstance(command, (Command, Group))
    return command.page(ctx, everything=everything)


def common_options(*, help_all: bool = False) -> list[click.Parameter]:
    """Options of every command and group."""
    options: list[click.Parameter] = [
        click.Option(
            ["-q", "--quiet"],
            is_flag=True,
            expose_value=False,
            callback=_on_given(lambda _ctx: set_verbosity(Verbosity.QUIET)),
            help="Only errors on stderr, neither notes nor progress.",
        ),
        click.Option(
            ["-v", "--verbose"],
            is_flag=True,
            expose_value=False,
            callback=_on_given(lambda _ctx: set_verbosity(Verbosity.VERBOSE)),
            help="Tell on stderr how long each stage took, and where an error came from.",
        ),
    ]
    if help_all:
        options.append(
            click.Option(
                ["--help-all"],
                is_flag=True,
                is_eager=True,
                expose_value=False,
                callback=_on_given(_show_everything),
                help="Show this help with all options, and exit.",
            )
        )
    return options


def _on_given(act: Callable[[click.Context], None]) -> Callable[..., None]:
    """A callback of a switch that does something where the switch is given."""

    def callback(ctx: click.Context, _param: click.Parameter, given: bool) -> None:
        if given and not ctx.resilient_parsing:
            act(ctx)

    return callback


def _show_everything(ctx: click.Context) -> None:
    assert isinstance(ctx.command, Command)
    click.echo(_text(ctx.command.page(ctx, everything=True)))
    ctx.exit()


def _explanation(docstring: str | None) -> Explanation:
    from facekit.cli.pages import explanation

    return explanation(docstring)


def _text(page: Page) -> str:
    from facekit.cli.render.page import page_text

    return page_text(page)


def _settings(extra: dict[str, Any]) -> dict[str, Any]:
    """Of click's command, with -h."""
    settings = {"help_option_names": ["-h", "--help"], **(extra.get("context_settings") or {})}
    return {**extra, "context_settings": settings}


def _parsed(
    command: click.Command,
    parse: Callable[[click.Context, list[str]], list[str]],
    ctx: click.Context,
    args: list[str],
) -> list[str]:
    """What `parse` answers; an unknown option gets a suggestion."""
    try:
        return parse(ctx, args)
    except click.NoSuchOption as error:
        hint = did_you_mean(error.option_name, _option_names(command, ctx))
        message = f"No such option: {error.option_name}.{hint}"
        raise click.NoSuchOption(error.option_name, message, ctx=ctx) from None


def _option_names(command: click.Command, ctx: click.Context) -> Iterator[str]:
    for parameter in command.get_params(ctx):
        if isinstance(parameter, click.Option):
            yield from (*parameter.opts, *parameter.secondary_opts)
