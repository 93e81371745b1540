"""`python -m facekit`, and the entry point of the program facekit.

The command line is made with click: a click that is missing, or too old to be imported by it, is
told here, and so is whatever else nothing below has caught.
"""

from __future__ import annotations

import json
import os
import sys
from contextlib import suppress
from typing import NoReturn

from facekit.errors import INTERRUPTED, FacekitError, mistake
from facekit.version import SCHEMA_VERSION


def main() -> NoReturn:
    """Runs the command that was typed, and exits with its code."""
    _replace_closed_streams()
    try:
        from facekit import cli

        cli.main()
    except SystemExit:
        raise
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except BaseException as error:  # such as a panic of a Rust library: Python's own 1 is an answer
        sys.exit(_told(error))


def _told(error: BaseException) -> int:
    """Tells what nothing has caught, and returns its exit code."""
    from facekit.system.requirements import package_at_fault

    fault: FacekitError | None = None
    if isinstance(error, Exception):
        fault = package_at_fault(error)
    if fault is None:
        sys.excepthook(type(error), error, error.__traceback__)
        fault = mistake(error)
    with suppress(OSError):  # nobody reads it
        if "--json" in sys.argv[1:]:
            line = json.dumps({"schema_version": SCHEMA_VERSION, **fault.to_dict()})
            print(line, flush=True)
    with suppress(OSError):
        print(f"facekit: error: {fault}", file=sys.stderr, flush=True)
    return fault.exit_code


def _replace_closed_streams() -> None:
    """Takes the place of each standard stream that was closed by whoever started the process.

    Otherwise the next file that is opened, such as a gallery, would have its descriptor, and what
    libraries write to stderr would go into that file.  What is written to a closed stdout fails,
    as it would without a replacement; what is written to a closed stderr is lost; a closed stdin
    stays None.
    """
    for name, flags in (("stdin", os.O_RDONLY), ("stdout", os.O_RDONLY), ("stderr", os.O_WRONLY)):
        if getattr(sys, name) is None:
            descriptor = os.open(os.devnull, flags)  # the lowest that is free
            os.set_inheritable(descriptor, True)
            if name != "stdin":
                setattr(sys, name, os.fdopen(descriptor, "w", encoding="utf-8", errors="replace"))


if __name__ == "__main__":
    main()
