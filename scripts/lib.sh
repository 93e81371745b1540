# shellcheck shell=bash
# Shared by the scripts beside it; sourced, not run.  Works from a bare machine with Python and pip.

say() { printf '==> %s\n' "$*" >&2; }
die() { printf 'error: %s\n' "$*" >&2; exit 1; }

# A Python that LiteRT has wheels for: $PYTHON, or the first of the usual names that fits.
# 3.14 comes last: TensorFlow has a release candidate for it, and no release.
find_python() {
  local candidate
  for candidate in ${PYTHON:-python3 python3.13 python3.12 python3.11 python3.10 python3.14}; do
    if "$candidate" -c 'import sys; sys.exit(not (3, 10) <= sys.version_info < (3, 15))' 2>/dev/null
    then
      echo "$candidate"
      return
    fi
  done
  die "Python 3.10 to 3.14 is needed and was not found. Install one, or set PYTHON to its path."
}

# use_venv EXTRAS: the virtual environment .venv with this project and its extras, on PATH, in the
# versions of requirements-dev.lock.  Installs only when the packaging has changed since the last time.
use_venv() {
  local extras=$1 stamp=".venv/installed$1" wanted versions=(--constraint requirements-dev.lock)
  if ! .venv/bin/python -m pip --version >/dev/null 2>&1; then
    say 'making .venv'
    "$(find_python)" -m venv --clear .venv ||
      die 'no virtual environment could be made; on Debian and Ubuntu: apt install python3-venv'
  fi
  wanted=$(cat pyproject.toml setup.py facekit/version.py requirements-dev.lock | .venv/bin/python -c \
    'import hashlib, sys; print(hashlib.sha256(sys.stdin.buffer.read()).hexdigest())')
  if [ "$(cat "$stamp" 2>/dev/null)" != "$wanted" ]; then
    say "installing facekit-cli$extras into .venv"
    # The locked TensorFlow, and what must fit it, have no releases for Python 3.14.
    .venv/bin/python -c 'import sys; sys.exit(sys.version_info >= (3, 14))' ||
      versions=(--constraint <(grep --extended-regexp --invert-match '^(tensorflow|keras|h5py)==' requirements-dev.lock))
    .venv/bin/python -m pip install --quiet --disable-pip-version-check "${versions[@]}" \
      --editable ".$extras"
    echo "$wanted" >"$stamp"
  fi
  PATH=$PWD/.venv/bin:$PATH
}

# have_chromium: whether there is one, by the names that tests/chromium.py looks for.
have_chromium() { command -v chromium || command -v chromium-browser || command -v google-chrome; } >/dev/null

# install_chromium: by Debian's package manager, as root or with sudo that asks nothing; else says so.
install_chromium() {
  local as_root=()
  if [ "$(id --user)" != 0 ]; then as_root=(sudo --non-interactive); fi
  say 'installing Chromium, for the tests of pages'
  { "${as_root[@]}" apt-get update --quiet=2 && "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get install --quiet=2 --yes --no-install-recommends chromium >/dev/null; } ||
    say 'Chromium could not be installed: the tests with the marker browser will be skipped'
}

# have_models NAME...: builds each model that is missing, not as its card says, or older than the
# registry and the calibrations that ship.
have_models() {
  local name stamp wanted
  wanted="$(cat facekit/model/registry/*.json facekit/model/calibrations/*.json | cksum) in ${FACEKIT_HOME:-the cache}"
  for name in "$@"; do
    stamp=.venv/.built-$name
    if [ "$(cat "$stamp" 2>/dev/null)" != "$wanted" ] || ! facekit models verify "$name" >/dev/null 2>&1; then
      say "building the model $name (once)"
      facekit models build "$name" >&2
      echo "$wanted" >"$stamp"
    fi
  done
}
