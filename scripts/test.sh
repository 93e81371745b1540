#!/usr/bin/env bash
# All that must pass: format, lint, types, docs, tests.  Needs Python 3.10 to 3.13 with pip.
#   bash scripts/test.sh                      everything
#   bash scripts/test.sh -k verify            everything, with arguments for pytest
#   bash scripts/test.sh lint                 one part: lint, types, docs, site or tests
#   bash scripts/test.sh tests tests/face     the tests alone, with arguments for pytest
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. scripts/lib.sh

# check SCHEMA FILES...: YAML by a schema that check-jsonschema brings with it
check() { check-jsonschema --quiet --builtin-schema "vendor.$1" "${@:2}"; }

lint() {
  say 'format, lint, spelling, files of the project'
  ruff format --check --quiet .
  ruff check --quiet .
  typos
  check github-workflows .github/workflows/*.yml
  check dependabot .github/dependabot.yml
  check github-issue-config .github/ISSUE_TEMPLATE/config.yml
  check github-issue-forms .github/ISSUE_TEMPLATE/[!c]*.yml
  check citation-file-format CITATION.cff
  # No package of PyPI's has it: https://github.com/rhysd/actionlint
  if command -v actionlint >/dev/null; then actionlint; fi
}

types() {
  say 'types'
  mypy
}

docs() {
  have_models mtcnn facenet512-casia sface yunet
  say 'docs'
  cog --check --diff -I . README.md docs/*.md docs/*/*.md ||
    die 'the docs are behind the code; write them anew with: just write-docs'
}

site() {
  say 'the manual as pages'
  NO_MKDOCS_2_WARNING=1 python -m mkdocs build --strict --quiet
}

tests() {
  have_models mtcnn facenet512-casia sface yunet
  say 'tests'
  have_chromium ||
    say 'no Chromium here: the tests with the marker browser are skipped. On Debian: apt-get install chromium'
  # The test workers share the cores.
  FACEKIT_THREADS=1 pytest -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder "$@"
}

use_venv '[dev]'
case ${1:-} in
  lint | types | docs | site | tests) "$@" ;;
  *)
    lint
    types
    docs
    site
    tests "$@"
    ;;
esac
