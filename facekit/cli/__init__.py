"""The command line: parse, call one library function, render."""

from __future__ import annotations

import errno
import gc
import importlib
import itertools
import os
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

import click

from facekit.cli.render.output import emit_error, emit_json
from facekit.errors import FacekitError, StorageError, UsageError
from facekit.version import __version__

INTERRUPTED = 130  # what shells report for a process ended by Ctrl-C: 128 + SIGINT
_OUTPUT_ERRORS = (errno.ENOSPC, errno.EIO, errno.EDQUOT, errno.EFBIG)
READER_GONE = 141  # the same for 128 + SIGPIPE

COMMANDS = {
    "verify": "facekit.cli.commands.verify:verify",
    "detect": "facekit.cli.commands.detect:detect",
    "embed": "facekit.cli.commands.embed:embed",
    "compare": "facekit.cli.commands.compare:compare",
    "enroll": "facekit.cli.commands.enroll:enroll",
    "identify": "facekit.cli.commands.identify:identify",
    "gallery": "facekit.cli.commands.gallery:gallery",
    "cluster": "facekit.cli.commands.cluster:cluster",
    "track": "facekit.cli.commands.track:track",
    "eval-lfw": "facekit.cli.commands.eval_lfw:eval_lfw",
    "calibrate": "facekit.cli.commands.calibrate:calibrate",
    "data": "facekit.cli.commands.data:data",
    "models": "facekit.cli.commands.models:models",
    "align-dataset": "facekit.cli.commands.align_dataset:align_dataset",
    "train": "facekit.cli.commands.train:train",
    "convert": "facekit.cli.commands.convert:convert",
    "quantize": "facekit.cli.commands.quantize:quantize",
    "export": "facekit.cli.commands.export:export_command",
    "benchmark": "facekit.cli.commands.benchmark:benchmark",
    "serve-stdin": "facekit.cli.commands.serve_stdin:serve_stdin",
    "inspect": "facekit.cli.commands.inspect:inspect_command",
    "compile": "facekit.cli.commands.compile:compile_command",
    "bundle": "facekit.cli.commands.bundle:bundle",
    "config": "facekit.cli.commands.config:config",
    "doctor": "facekit.cli.commands.doctor:doctor",
}
"""In the order of the help page; a module is imported when its command is asked for."""


class Cli(click.Group):
    """Loads commands lazily and turns every FacekitError into its message and exit code."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        module, attribute = COMMANDS[name].split(":")
        command = getattr(importlib.import_module(module), attribute)
        assert isinstance(command, click.Command)
        return command

    def main(self, args: Sequence[str] | None = None, **extra: Any) -> NoReturn:  # type: ignore[override]
        """Runs and exits: click's own may return, this never does, hence the override's type."""
        arguments = sys.argv[1:] if args is None else list(args)
        as_json = _asks_for_json(arguments)
        try:
            code = super().main(arguments, obj=as_json, standalone_mode=False, **extra)
        except click.ClickException as error:
            error.show()
            if as_json:
                emit_json(UsageError(error.format_message()).to_dict())
            code = UsageError.exit_code
        sys.exit(code)

    def invoke(self, ctx: click.Context) -> Any:
        # NB: signals are caught here since click's own main() prints a line for Ctrl-C and
        # exits 1 for a broken pipe, which in facekit means "different".
        try:
            return super().invoke(ctx)
        except FacekitError as error:
            # The option may be said in a configuration file; the error may come before it is read.
            emit_error(error, as_json=ctx.obj or "facekit.json" in ctx.meta)
            ctx.exit(error.exit_code)
        except (click.Abort, KeyboardInterrupt):
            ctx.exit(INTERRUPTED)
        except BrokenPipeError:  # the reader of stdout, e.g. `head`, has gone
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            ctx.exit(READER_GONE)
        except OSError as error:
            if error.errno not in _OUTPUT_ERRORS or error.filename is not None:
                raise
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            failure = StorageError(f"The result cannot be written to stdout: {error.strerror}.")
            emit_error(failure, as_json=False)
            ctx.exit(failure.exit_code)


def _asks_for_json(arguments: Sequence[str]) -> bool:
    """Whether --json is given, also where the other arguments cannot be understood."""
    options = itertools.takewhile(lambda argument: argument != "--", arguments)
    return "--json" in options


@click.group(cls=Cli, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="facekit")
def cli() -> None:
    """Is this the same person?  Face verification from the shell.

    \b
    Exit codes: 0 same / found, 1 different / not found, 2 usage, 3 no face or
    ambiguous, 4 unreadable input, 5 model missing or not as its card says,
    6 delegate unavailable, 7 storage.
    """


_QUICK = frozenset(("verify", "detect", "embed", "serve-stdin"))
"""Commands that scripts call in a loop; their largest product is of two vectors"""


def main() -> NoReturn:
    """Entry point of the console script."""
    quick = bool(_QUICK.intersection(sys.argv[1:2]))
    if quick:
        # NumPy's OpenBLAS otherwise starts a thread a core when it is imported: 30 ms of a verify.
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
        # What importing makes is kept to the end: looking through it for garbage costs 15 ms.
        gc.set_threshold(100_000)
    try:
        cli.main(prog_name="facekit")
    except Exception:
        # Python's own 1 would say "different".
        sys.excepthook(*sys.exc_info())
        sys.exit(FacekitError.exit_code)
    finally:
        if quick:
            # Nor is it looked through when Python ends, which would cost 60 ms; os._exit instead
            # would spare 9 ms more (processor time after the answer, on busy cores).
            gc.freeze()
