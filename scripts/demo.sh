#!/usr/bin/env bash
# From a fresh checkout to two answers: the same person, and different people.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. scripts/lib.sh

use_venv ''
have_models mtcnn facenet512-casia

# expect EXIT_CODE COMMAND...: runs the command in the open and checks its exit code.
expect() {
  local wanted=$1 code=0
  shift
  printf '\n$ %s\n' "$*"
  "$@" || code=$?
  echo "exit code $code"
  [ "$code" -eq "$wanted" ] || die "exit code $wanted was expected"
}

expect 0 facekit verify tests/data/obama.jpg tests/data/obama2.jpg
expect 1 facekit verify tests/data/obama.jpg tests/data/biden.jpg
