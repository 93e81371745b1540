"""facekit completion"""

from __future__ import annotations

import click

from facekit.cli.command import Command
from facekit.cli.types import Words


@click.command(cls=Command)
@click.argument("shell", type=Words(("bash", "zsh", "fish")))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print the script that completes words in a shell.

    Commands, options, files, and the names of models, people, recipes, targets and
    configurations are completed.  To have it always, add a line to the shell's own file:

    \b
    ~/.bashrc                   eval "$(facekit completion bash)"
    ~/.zshrc                    eval "$(facekit completion zsh)"
    ~/.config/fish/config.fish  facekit completion fish | source

    \b
    Example: facekit completion bash
             facekit completion fish > ~/.config/fish/completions/facekit.fish
    """
    from facekit.cli.completion import script

    click.echo(script(ctx.find_root().command, shell), nl=False)
