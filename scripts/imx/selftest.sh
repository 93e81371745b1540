#!/bin/sh
# Does this board compute what it should?  Usage: selftest.sh [OPTION...], options of facekit
# selftest.  The bundle's networks run on its NPU and on the CPU: --device cpu for the CPU alone.
# Exit code 0: yes; 6: the NPU cannot be used, or answers otherwise than the CPU; 5: the CPU is wrong.
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
exec "$here/run.sh" selftest "$@"
