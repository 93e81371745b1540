#!/usr/bin/env bash
# What a new user waits for and stores: the plain install into an empty environment, then the first
# verify, which fetches and builds its models.  Usage: scripts/first_answer.sh [MODEL [DETECTOR]]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export FACEKIT_HOME=$work/home
TIMEFORMAT='%R s, of which the processor worked %U + %S s'
options=(${1:+--model "$1"} ${2:+--detector "$2"})

printf '==> plain install\n' >&2
time scripts/install_size.sh "$work/environment" >/dev/null
printf '==> first verify\n' >&2
time "$work/environment/bin/facekit" verify "${options[@]}" tests/data/obama.jpg tests/data/obama2.jpg
for part in environment home; do
  du --summarize --bytes "$work/$part" | awk -v part="$part" '{print part ": " int($1 / 1e6 + 0.5) " MB"}'
done
