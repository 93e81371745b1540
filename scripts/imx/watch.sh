#!/bin/sh
# Compares each photo that arrives in a folder with one of a known person.
# Usage: watch.sh [-1] FOLDER KNOWN_PHOTO [OPTION...], options of facekit verify.
# A line a photo on stdout: same, different or error with its exit code, a tab, the file's name.
# Waits with inotifywait where there is one, else looks every INTERVAL seconds (2); -1: only the
# photos that are there now.
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
once=
if [ "${1:-}" = -1 ]; then
  once=yes
  shift
fi
if [ $# -lt 2 ] || [ ! -d "$1" ]; then
  echo "usage: $0 [-1] FOLDER KNOWN_PHOTO [OPTION...]" >&2
  exit 2
fi
folder=$1
known=$2
shift 2

is_photo() {
  case $1 in
  *.jpg | *.jpeg | *.png | *.bmp | *.webp | *.JPG | *.JPEG | *.PNG) [ -f "$folder/$1" ] ;;
  *) false ;;
  esac
}

# check NAME OPTION...
check() {
  name=$1
  shift
  code=0
  "$here/run.sh" verify "$@" "$known" "$folder/$name" </dev/null >/dev/null || code=$?
  case $code in
  0) answer=same ;;
  1) answer=different ;;
  *) answer="error $code" ;;
  esac
  printf '%s\t%s\n' "$answer" "$name"
}

# SIZE NAME of each photo that is there
list() {
  for path in "$folder"/*; do
    name=${path##*/}
    if is_photo "$name"; then
      printf '%s %s\n' "$(($(wc -c <"$path")))" "$name"
    fi
  done
}

if [ -n "$once" ]; then
  list | while read -r _ name; do
    check "$name" "$@"
  done
elif command -v inotifywait >/dev/null; then
  inotifywait --quiet --monitor --event close_write --event moved_to --format %f "$folder" |
    while read -r name; do
      if is_photo "$name"; then
        check "$name" "$@"
      fi
    done
else
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  trap 'exit 130' INT TERM
  list >"$work/before"
  cp "$work/before" "$work/done"
  while :; do
    sleep "${INTERVAL:-2}"
    list >"$work/now"
    # A photo is whole when its size has not changed since the last look.
    while read -r size name; do
      if grep -qxF "$size $name" "$work/before" && ! grep -qxF "$size $name" "$work/done"; then
        check "$name" "$@"
        printf '%s %s\n' "$size" "$name" >>"$work/done"
      fi
    done <"$work/now"
    mv "$work/now" "$work/before"
  done
fi
