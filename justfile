# What continuous integration runs, in parts.  `just` alone lists it; scripts/test.sh does the work.

set positional-arguments

_list:
    @just --list --unsorted

# .venv with everything for development, and the models that the tests need
setup:
    bash -c '. scripts/lib.sh && use_venv "[dev]" && have_models mtcnn facenet512-casia sface yunet'
    .venv/bin/pre-commit install

# everything, as CI does
all:
    bash .ci/run

# format, lint, spelling, files of the project
lint:
    bash scripts/test.sh lint

# mypy, strict
types:
    bash scripts/test.sh types

# whether the outputs in README and docs are those of the commands
docs:
    bash scripts/test.sh docs

# the manual as pages, strict, in out/site
site:
    bash scripts/test.sh site

# all tests, or: just tests -k verify
tests *arguments:
    bash scripts/test.sh tests "$@"

# one file or test in this process: just one tests/cli/test_verify.py -k json
one +arguments:
    FACEKIT_THREADS=1 .venv/bin/pytest -q "$@"

# format, and mend what ruff and typos can
fix:
    .venv/bin/ruff format .
    .venv/bin/ruff check --fix .
    .venv/bin/typos --write-changes

# write the outputs in README and docs anew
write-docs:
    PATH="$PWD/.venv/bin:$PATH" cog -r -I . README.md docs/*.md docs/*/*.md

# write requirements-dev.lock anew; --upgrade: the newest versions
lock *arguments:
    bash scripts/lock.sh "$@"
