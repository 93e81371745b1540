#!/bin/sh
# Compares each photo that arrives in a folder with one of a known person.
# Usage: watch.sh [-1] FOLDER KNOWN_PHOTO [OPTION...], options of facekit watch; -1: only the photos
# that are there now.  Who is in the gallery instead: ./run.sh watch FOLDER
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
once=
if [ "${1:-}" = -1 ]; then
  once=--once
  shift
fi
if [ $# -lt 2 ]; then
  echo "usage: $0 [-1] FOLDER KNOWN_PHOTO [OPTION...]" >&2
  exit 2
fi
folder=$1
known=$2
shift 2
exec "$here/run.sh" watch --known "$known" ${once:+"$once"} "$@" -- "$folder"
