#!/usr/bin/env bash
# Installs the base package alone into a new virtual environment and prints its size in MB
# (10^6 bytes, pip included).  Usage: scripts/install_size.sh [FOLDER], kept; default: temporary.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. scripts/lib.sh

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
environment=${1:-$work/environment}
mkdir "$work/source"
# A build in place would leave build/.
cp -r pyproject.toml setup.py README.md LICENSE facekit configs scripts "$work/source"
mkdir "$work/source/docs"
cp -r docs/schemas "$work/source/docs"
"$(find_python)" -m venv "$environment"
"$environment/bin/python" -m pip install --quiet --disable-pip-version-check "$work/source" >&2
du --summarize --bytes "$environment" | awk '{print int($1 / 1e6 + 0.5)}'
