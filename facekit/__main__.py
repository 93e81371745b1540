"""`python -m facekit`, and the entry point of the program facekit.

The command line is made with click: a click that is missing, or too old to be imported by it, is
told here.
"""

from __future__ import annotations

import json
import sys
from typing import NoReturn

from facekit.errors import FacekitError
from facekit.version import SCHEMA_VERSION


def main() -> NoReturn:
    """Runs the command that was typed, and exits with its code."""
    try:
        from facekit import cli
    except Exception as error:
        from facekit.system.requirements import package_at_fault

        fault = package_at_fault(error)
        if fault is None:
            sys.excepthook(*sys.exc_info())
            sys.exit(FacekitError.exit_code)
        if "--json" in sys.argv[1:]:
            print(json.dumps({"schema_version": SCHEMA_VERSION, **fault.to_dict()}, indent=1))
        print(f"facekit: error: {fault}", file=sys.stderr)
        sys.exit(fault.exit_code)
    cli.main()


if __name__ == "__main__":
    main()
