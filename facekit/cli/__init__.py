"""The command line: parse, call one library function, render."""

from __future__ import annotations

import errno
import gc
import importlib
import itertools
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NoReturn

import click

from facekit.cli.command import TYPED, Group
from facekit.cli.render.output import begin_telling, emit_error, lose, tell_usage
from facekit.errors import INTERRUPTED, READER_GONE, FacekitError, StorageError, UsageError
from facekit.version import __version__

if TYPE_CHECKING:
    from facekit.cli.pages import Section

_OUTPUT_ERRORS = (errno.ENOSPC, errno.EIO, errno.EDQUOT, errno.EFBIG, errno.EBADF)
_PATH_ERRORS: Mapping[int, type[FacekitError]] = {
    errno.ENAMETOOLONG: UsageError,
    errno.EACCES: StorageError,
    errno.EPERM: StorageError,
}
"""What asking whether a path exists may raise."""

_HEADINGS = {
    "Verify": {
        "verify": ("verify:verify", "Decide whether two photos show the same person"),
        "compare": ("compare:compare", "Compare every photo with every other"),
        "detect": ("detect:detect", "Find the faces in photos"),
        "quality": ("quality:quality", "Rate how well the faces in photos can be recognized"),
        "embed": ("embed:embed", "Write the embeddings of photos to a file"),
    },
    "Known people": {
        "enroll": ("enroll:enroll", "Add people to the gallery from their photos"),
        "identify": ("identify:identify", "Name the people in photos by the gallery"),
        "gallery": ("gallery:gallery", "List, change, check and move enrolled people"),
        "cluster": ("cluster:cluster", "Group the faces of many photos by person"),
        "track": ("track:track", "Follow people through a video"),
    },
    "Measure": {
        "evaluate": (
            "evaluate:evaluate",
            "Measure accuracy on labeled photos: one or several data sets",
        ),
        "eval-lfw": ("evaluate:eval_lfw", "Measure accuracy on LFW or on pairs of your own"),
        "calibrate": ("calibrate:calibrate", "Measure a model's thresholds on labeled photos"),
        "benchmark": ("benchmark:benchmark", "Measure the time and memory of each stage"),
        "data": ("data:data", "Fetch photos to measure on"),
    },
    "Models and boards": {
        "models": ("models:models", "List, fetch, build, check and move models"),
        "convert": ("convert:convert", "Convert a model to LiteRT files, for NPUs too"),
        "quantize": ("quantize:quantize", "Quantize a model by a recipe, and report its drift"),
        "export": ("export:export_command", "Write a model in the format of other systems"),
        "inspect": ("inspect:inspect_command", "Show what a model file holds"),
        "compile": ("compile:compile_command", "Compile an integer model for an Arm Ethos-U NPU"),
        "bundle": ("bundle:bundle", "Pack all that a board needs into one archive"),
    },
    "Train": {
        "align-dataset": (
            "align_dataset:align_dataset",
            "Crop the faces of labeled photos for training",
        ),
        "train": ("train:train", "Train a model, or fine-tune one"),
    },
    "Serve": {
        "serve": ("serve:serve", "Answer requests over HTTP"),
        "watch": ("watch:watch", "Answer for each photo that arrives in a folder"),
        "serve-stdin": ("serve_stdin:serve_stdin", "Answer requests as JSON Lines on stdin"),
    },
    "This installation": {
        "config": ("config:config", "List and print recipes, targets and configurations"),
        "doctor": ("doctor:doctor", "Show what is installed, and what is wrong"),
        "selftest": ("selftest:selftest", "Test that this machine computes what it should"),
        "completion": ("completion:completion", "Print the script that completes words in a shell"),
        "help": ("help:help_command", "Explain a command, or write man pages"),
    },
}
"""Each heading of the front page with its commands: where a command is, and its summary.

A module is imported when its command is asked for.  The summary is the docstring's first line, and
stands here too so that the front page and a shell's completion import none.
"""
COMMANDS = {name: place for commands in _HEADINGS.values() for name, place in commands.items()}

_EXIT_CODES = (
    ("0", "done; yes: same person, found, known"),
    ("1", "no: different, not found, unknown, below what was asserted"),
    ("2", "options or arguments that are not valid"),
    ("3", "no face, or several where one is needed"),
    ("4", "a photo or another input that cannot be read"),
    ("5", "a model that is missing, or not as its card says; a missing or old package"),
    ("6", "a delegate or runtime that is missing, accepts nothing or is wrong"),
    ("7", "something that cannot be written, locked or read back"),
    ("8", "a service that is away or busy, or has lost the request"),
    ("70", "a mistake in facekit"),
    ("130", "ended by Ctrl-C"),
    ("141", "the reader of stdout has gone"),
    ("143", "ended by SIGTERM, as systemd does"),
)


class Cli(Group):
    """Loads commands lazily and turns every FacekitError into its message and exit code."""

    def names_by_heading(self) -> Mapping[str, Sequence[str]]:
        return {heading: tuple(commands) for heading, commands in _HEADINGS.items()}

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        module, attribute = COMMANDS[name][0].split(":")
        command = getattr(importlib.import_module(f"facekit.cli.commands.{module}"), attribute)
        assert isinstance(command, click.Command)
        return command

    def summary_of(self, ctx: click.Context, name: str) -> str:
        return COMMANDS[name][1]

    def more_sections(self) -> tuple[Section, ...]:
        from facekit.cli.pages import Section

        return (Section("Exit codes", _EXIT_CODES),)

    def elsewhere(self, ctx: click.Context, name: str) -> str:
        groups = (self.get_command(ctx, one) for one in COMMANDS)
        found = [
            f"{ctx.command_path} {group.name} {name}"
            for group in groups
            if isinstance(group, Group) and name in group.commands
        ]
        return f" There is {' and '.join(found)}." if found else ""

    def main(self, args: Sequence[str] | None = None, **extra: Any) -> NoReturn:  # type: ignore[override]
        """Runs and exits: click's own may return, this never does, hence the override's type."""
        arguments = sys.argv[1:] if args is None else list(args)
        as_json = _asks_for_json(arguments)
        begin_telling()
        if "_FACEKIT_COMPLETE" in os.environ:
            importlib.import_module("facekit.cli.completion")  # which knows bash better than click
        try:
            code = super().main(arguments, obj=as_json, standalone_mode=False, **extra)
        except click.ClickException as error:
            tell_usage(error, as_json=as_json)
            code = UsageError.exit_code
        sys.exit(code)

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: Any,
    ) -> click.Context:
        typed = tuple(args)
        with _exit_codes(lambda: bool(extra.get("obj"))):
            ctx = super().make_context(info_name, args, parent, **extra)
        ctx.meta[TYPED] = typed
        return ctx

    def invoke(self, ctx: click.Context) -> Any:
        # The option may be said in a configuration file; the error may come before it is read.
        with _exit_codes(lambda: ctx.obj or "facekit.json" in ctx.meta):
            return super().invoke(ctx)


@contextmanager
def _exit_codes(as_json: Callable[[], bool]) -> Iterator[None]:
    """Ends with the exit code of what is raised in this context, after telling it.

    Signals are caught here since click's own main() prints a line for Ctrl-C and exits 1 for a
    broken pipe, which in facekit means "different".
    """
    try:
        yield
    except (click.ClickException, click.exceptions.Exit):
        raise
    except FacekitError as error:
        _fail(error, as_json=as_json())
    except (click.Abort, KeyboardInterrupt):
        raise click.exceptions.Exit(INTERRUPTED) from None
    except BrokenPipeError:  # the reader of stdout, e.g. `head`, has gone
        lose(sys.stdout)
        raise click.exceptions.Exit(READER_GONE) from None
    except OSError as error:
        if error.filename is None and error.errno in _OUTPUT_ERRORS:
            lose(sys.stdout)
            reason = f"The result cannot be written to stdout: {error.strerror}."
            _fail(StorageError(reason), as_json=False)
        kind = _PATH_ERRORS.get(error.errno or 0)
        if error.filename is None or kind is None:
            raise
        reason = f"{os.fsdecode(error.filename)} cannot be used: {error.strerror}."
        _fail(kind(reason), as_json=as_json())
    except Exception as error:
        from facekit.system.requirements import package_at_fault

        if (fault := package_at_fault(error)) is None:
            raise
        _fail(fault, as_json=as_json())


def _fail(error: FacekitError, *, as_json: bool) -> NoReturn:
    emit_error(error, as_json=as_json)
    raise click.exceptions.Exit(error.exit_code)


def _asks_for_json(arguments: Sequence[str]) -> bool:
    """Whether --json is given, also where the other arguments cannot be understood."""
    options = itertools.takewhile(lambda argument: argument != "--", arguments)
    return "--json" in options


@click.group(cls=Cli)
@click.version_option(
    __version__, "-V", "--version", prog_name="facekit", help="Show the version and exit."
)
def cli() -> None:
    """Face verification from the shell: is this the same person?

    \b
    Example: facekit verify a.jpg b.jpg
             facekit enroll "Ada Lovelace" ada1.jpg ada2.jpg
             facekit identify somebody.jpg
    """


_QUICK = frozenset(("verify", "detect", "embed", "serve-stdin"))
"""Commands that scripts call in a loop; their largest product is of two vectors"""


def main() -> NoReturn:
    """Runs the command that was typed, and exits; facekit/__main__.py tells what it raises."""
    quick = bool(_QUICK.intersection(sys.argv[1:3]))
    if quick:
        # NumPy's OpenBLAS otherwise starts a thread a core when it is imported: 30 ms of a verify.
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
        # What importing makes is kept to the end: looking through it for garbage costs 15 ms.
        gc.set_threshold(100_000)
    try:
        cli.main(prog_name="facekit")
    finally:
        if quick:
            # Nor is it looked through when Python ends, which would cost 60 ms; os._exit instead
            # would spare 9 ms more (processor time after the answer, on busy cores).
            gc.freeze()
