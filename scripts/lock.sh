#!/usr/bin/env bash
# Writes requirements-dev.lock anew: every package of the extra `dev`, for Python 3.10 to 3.13.
#   scripts/lock.sh              what is locked stays where it still fits
#   scripts/lock.sh --upgrade    the newest versions
# Needs uv (python -m pip install uv; 0.13 was used).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# What PyTorch's builds for GPUs bring; facekit's tests use the one for CPUs.
printf '%s\n' cuda-bindings cuda-toolkit triton \
  nvidia-{cublas,cudnn-cu13,cusparselt-cu13,nccl-cu13,nvshmem-cu13} >"$work/gpu"
cp requirements-dev.lock "$work/lock"
uv pip compile pyproject.toml --extra dev --universal --python-version 3.10 \
  --excludes "$work/gpu" --no-header --no-annotate --no-emit-index-url --quiet \
  --output-file "$work/lock" "$@"
{
  echo '# What the extra dev brings, on Python 3.10 to 3.13.  Written by scripts/lock.sh.'
  cat "$work/lock"
} >requirements-dev.lock
