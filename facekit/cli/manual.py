"""The man pages of all commands, from what their help pages say."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from facekit.cli.command import Group, context_below, page_of
from facekit.cli.render.man import man_name, man_page
from facekit.system.files import put_files, require_free


def man_pages(root: click.Context) -> dict[str, bytes]:
    """The file of each page, by its name: facekit.1, facekit-verify.1, facekit-models-list.1."""
    return dict(_below(root))


def write_man_pages(root: click.Context, folder: Path, *, force: bool) -> None:
    """Raises UsageError where a page exists and `force` does not allow replacing it."""
    pages = man_pages(root)
    require_free(*(folder / name for name in pages), force=force)
    put_files(folder, pages)


def _below(ctx: click.Context) -> Iterator[tuple[str, bytes]]:
    page = page_of(ctx, everything=True)
    contexts = []
    if isinstance(ctx.command, Group):
        contexts = [context_below(ctx, name) for name in ctx.command.list_commands(ctx)]
    near = [one.command_path for one in (*([ctx.parent] if ctx.parent else []), *contexts)]
    text = man_page(page, see_also=map(man_name, near))
    yield f"{man_name(page.command)}.1", text.encode()
    for context in contexts:
        yield from _below(context)
