"""What may stand where an option or argument is typed, for the completion of a shell.

It runs whenever the Tab key is pressed: nothing here imports NumPy or opens a network.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable
from contextlib import closing

import click
from click.shell_completion import (
    BashComplete,
    CompletionItem,
    add_completion_class,
    get_completion_class,
    split_arg_string,
)

from facekit.errors import UsageError
from facekit.model.folders import REGISTRY, known_names, stored_names, stored_variants
from facekit.system.configs import TOML_SUFFIX, config_names

SHELLS = ("bash", "zsh", "fish")
VARIABLE = "_FACEKIT_COMPLETE"
"""of the environment, by which a shell's script asks for completions"""

MODELS = frozenset(("model", "models", "like", "start_from"))
OTHERS = frozenset(
    ("detector", "quality_model", "liveness_model", "recipe", "target", "vela", "config", "video")
)
"""parameters of plain text that name a file, or something that facekit knows by name"""
WORDS = frozenset(("protocol",))
"""parameters that are one of some words, which are no files"""
PEOPLE = frozenset(("name", "other", "old", "new"))
_PROTOCOLS = ("devtrain", "devtest", "view1", "view2", "fold1", "folders")


def completions(ctx: click.Context, param: click.Parameter, typed: str) -> list[CompletionItem]:
    """Words and files for a parameter of plain text, by its name."""
    name = str(param.name)
    words = _words(ctx, param)
    items = [CompletionItem(word) for word in words if word.casefold().startswith(typed.casefold())]
    if name in MODELS | OTHERS:
        items.append(CompletionItem(typed, type="file"))
    return items


def script(command: click.Command, shell: str) -> str:
    """What the shell is to run, once, to complete the words of `facekit`."""
    kind = get_completion_class(shell)
    assert kind is not None, f"click completes nothing in {shell}"
    return kind(command, {}, "facekit", VARIABLE).source()


def _words(ctx: click.Context, param: click.Parameter) -> Iterable[str]:
    """All that may stand there, whatever was typed."""
    match param.name:
        case "recipe":
            return config_names("recipes", suffix=".json")
        case "target" | "vela":
            return config_names("targets", suffix=TOML_SUFFIX)
        case "config":
            return config_names(str(ctx.info_name), suffix=TOML_SUFFIX)
        case "protocol":
            return _PROTOCOLS
        case "words":
            return _commands(ctx)
        case "name" if " config " in ctx.command_path:
            from facekit.tasks.config import list_configs

            return [one.name for one in list_configs().configs]
        case name if name in PEOPLE:
            return _people(ctx)
        case "detector":
            return _models("detection")
        case "quality_model":
            return _models("quality")
        case "liveness_model":
            return _models("attack-detection")
        case name if name in MODELS:
            return _models("embedding" if isinstance(param, click.Option) else None)
    return ()


def _commands(ctx: click.Context) -> list[str]:
    """Of `facekit help`: what may follow the words that stand there."""
    group = ctx.find_root().command
    for word in ctx.params.get("words") or ():
        found = group.get_command(ctx, word) if isinstance(group, click.Group) else None
        if not isinstance(found, click.Group):
            return []
        group = found
    return group.list_commands(ctx) if isinstance(group, click.Group) else []


def _models(task: str | None = None) -> list[str]:
    """The name of each model for this task, and NAME:VARIANT of each file that is stored."""
    names = [
        name
        for name in known_names()
        if task in (None, json.loads((REGISTRY / f"{name}.json").read_bytes())["task"])
    ]
    if task != "detection":
        names += [name for name in stored_names() if name not in known_names()]
    return [*names, *(f"{name}:{variant}" for name in names for variant in stored_variants(name))]


def _people(ctx: click.Context) -> list[str]:
    """Everybody in the gallery that is meant, where that is an SQLite file."""
    import sqlite3  # 5 ms

    from facekit.gallery.address import default_url, is_postgres, sqlite_path

    url = ctx.params.get("gallery") or ctx.params.get("gallery_url") or default_url()
    if is_postgres(url):
        return []
    try:
        address = f"{sqlite_path(url).resolve().as_uri()}?mode=ro"
        with closing(sqlite3.connect(address, uri=True, timeout=0.1)) as file:
            return [str(row[0]) for row in file.execute("SELECT name FROM person ORDER BY name")]
    except (sqlite3.Error, UsageError):  # the command itself says what is wrong, once it is run
        return []


@add_completion_class
class _Bash(BashComplete):
    """Completes words with spaces or colons, and files beside words, which click's does not."""

    source_template = """\
%(complete_func)s() {
    local kind word files=
    COMPREPLY=()
    while IFS=, read -r kind word; do
        case $kind in
            plain) COMPREPLY+=("$word") ;;
            quoted) COMPREPLY+=("$word"); compopt -o filenames ;;
            dir) compopt -o dirnames ;;
            file) files=yes ;;
        esac
    done < <(COMP_WORDS="${COMP_LINE:0:COMP_POINT}" COMP_CWORD="$COMP_WORDBREAKS" \\
        %(complete_var)s=bash_complete "$1")
    if [[ $files && ${#COMPREPLY[@]} -eq 0 ]]; then
        compopt -o default
    elif [[ $files ]]; then
        compopt -o filenames
        mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(compgen -f -- "${COMP_WORDS[COMP_CWORD]}")
    fi
}
complete -o nosort -F %(complete_func)s %(prog_name)s
"""

    def get_completion_args(self) -> tuple[list[str], str]:
        """Of the line as it was typed, since bash takes words apart at colons."""
        words = split_arg_string(f"{os.environ['COMP_WORDS']}|")
        *args, last = words[1:] or ["|"]
        typed = last.removesuffix("|")
        value = typed.partition("=")[2] if typed.startswith("-") else typed
        breaks = ":" in os.environ["COMP_CWORD"]
        self._kept = value[: value.rfind(":") + 1] if breaks else ""
        return args, typed

    def format_completion(self, item: CompletionItem) -> str:
        """Without what stands before the last colon, which bash leaves where it is."""
        text = str(item.value)
        kind = item.type
        if kind == "plain":
            text = text[len(self._kept) :]
            kind = "plain" if re.fullmatch(r"[\w.:/=+@-]*", text) else "quoted"
        return f"{kind},{text}"
