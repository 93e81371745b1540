#!/usr/bin/env bash
# All that must pass: format, lint, types, docs, tests.  Needs Python 3.10 to 3.13 with pip.
# Arguments go to pytest:  bash scripts/test.sh -k verify
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. scripts/lib.sh

use_venv '[dev]'
have_models mtcnn facenet512-casia sface yunet
export FACEKIT_THREADS=1 # the test workers share the cores

say 'ruff, mypy, docs'
ruff format --check --quiet .
ruff check --quiet .
mypy
cog --check --diff -I . README.md docs/*.md docs/*/*.md ||
  die 'the docs are behind the code; write them anew with: cog -r -I . README.md docs/*.md docs/*/*.md'

say 'pytest'
exec pytest -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder "$@"
