#!/bin/sh
# Runs facekit with this folder's models, from its wheel, with nothing installed:
#   ./run.sh verify a.jpg b.jpg --json
# Needs python3 with NumPy, OpenCV, click and a LiteRT runtime.  PYTHON names another Python,
# FACEKIT an installed facekit to run instead of the wheel, FACEKIT_BUNDLE another bundle.
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
bundle=${FACEKIT_BUNDLE:-$here}
python=${PYTHON:-python3}
# What facekit keeps lies in the bundle too.
export FACEKIT_HOME="${FACEKIT_HOME:-$bundle}" FACEKIT_GALLERY="${FACEKIT_GALLERY:-$bundle/gallery.db}"

die() {
  printf 'error: %s\n' "$*" >&2
  exit 5
}

case ${1:-} in
verify | embed | compare | enroll | identify | cluster | watch | selftest | doctor | serve | serve-stdin)
  command=$1
  shift
  set -- "$command" --bundle "$bundle" "$@"
  ;;
esac

if [ -n "${FACEKIT:-}" ]; then
  exec "$FACEKIT" "$@"
fi

wheel=
for candidate in "$bundle"/wheels/facekit_cli-*.whl; do
  wheel=$candidate
done
[ -f "$wheel" ] || die "no wheel of facekit in $bundle/wheels; set FACEKIT to an installed facekit"
command -v "$python" >/dev/null || die "no $python; set PYTHON to a Python of 3.10 or later"
unpacked=$bundle/python/$(basename "$wheel" .whl)
if [ ! -d "$unpacked" ]; then
  part=$unpacked.$$
  "$python" -m zipfile -e "$wheel" "$part" || die "$wheel cannot be unpacked"
  mv "$part" "$unpacked"
fi
PYTHONPATH=$unpacked${PYTHONPATH:+:$PYTHONPATH}
export PYTHONPATH
exec "$python" -m facekit "$@"
