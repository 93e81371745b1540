#!/usr/bin/env bash
# Builds the source archive, and of it the wheel, from the files that git tracks.  The same files give
# the same bytes.  Usage: scripts/dist.sh [FOLDER]; default: dist.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. scripts/lib.sh

output=$(realpath -m "${1:-dist}")
python=$(find_python)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
umask 022 # a wheel keeps the modes of its files
mkdir "$work/source"
git ls-files -z | xargs -0 cp --parents --target-directory="$work/source"
if ! "$python" -m build --version >/dev/null 2>&1; then
  "$python" -m venv "$work/tools"
  python=$work/tools/bin/python
  "$python" -m pip install --quiet --disable-pip-version-check build
fi
# The time that facekit bundle gives its wheel too: the earliest that a zip file can store.
SOURCE_DATE_EPOCH=315532800 "$python" -m build --outdir "$output" "$work/source" >&2
