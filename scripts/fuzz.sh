#!/usr/bin/env bash
# Feeds what reads files from outside with spoilt ones, and keeps in fuzz-found/ each that does harm.
#   bash scripts/fuzz.sh MINUTES [DOOR...]
# The doors are listed in tests/fuzz/doors.py.  An input that did harm belongs, once mended, into
# tests/fuzz/found/DOOR, where a test gives it to its door again.  Make it small before that, with the
# harm still in facekit: python -m tests.fuzz.run --minimize FILE DOOR
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. scripts/lib.sh

minutes=${1:?Usage: bash scripts/fuzz.sh MINUTES [DOOR...]}
use_venv '[dev]'
FACEKIT_THREADS=1 python -W ignore -m tests.fuzz.run --minutes "$minutes" "${@:2}"
