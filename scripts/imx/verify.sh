#!/bin/sh
# Are two photos of the same person?  Usage: verify.sh A B [OPTION...], options of facekit verify.
# Exit code 0 the same, 1 different, more: an error, explained on stderr.
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
if [ $# -lt 2 ]; then
  echo "usage: $0 A B [OPTION...]" >&2
  exit 2
fi
exec "$here/run.sh" verify "$@"
