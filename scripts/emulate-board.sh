#!/usr/bin/env bash
# Runs facekit as a board would: in Debian 13 for arm64 (Python 3.13 and Debian's own NumPy, OpenCV
# and click), on a Cortex-A53 that QEMU emulates, from bundles that are made here.
# Usage: scripts/emulate-board.sh FOLDER
# FOLDER (2.5 GB, outside the checkout) keeps the packages, the root and the models for the next run; a
# run that was cut off goes on where it was.  Prints what each step answered there and here, and
# how long it took; exit code 0 only where all answers are right.
#   STEPS=WORD...     only the steps whose name has one of the words
#   LFW=DIR           also the first PAIRS (20) same and different pairs of View 1's test set
#   LITERT=2.1.0      version of the LiteRT runtime
# Needs no root user, mounts nothing and starts no service: the packages are unpacked, and proot
# shows them to QEMU as a root folder.  sudo apt-get install proot qemu-user-static debian-archive-keyring
set -euo pipefail

[ $# -eq 1 ] || { sed -n '2,13s/^# //p' "$0" >&2; exit 2; }
mkdir -p "$1"
folder=$(realpath "$1")
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. scripts/lib.sh

suite=trixie
packages=(bash coreutils dash findutils gawk grep libc-bin procps sed tar
  ca-certificates python3 python3-pip python3-numpy python3-opencv python3-click)
litert=${LITERT:-2.1.0}
mirror=${MIRROR:-http://deb.debian.org/debian}
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
root=$folder/root
case $folder/ in "$PWD"/*) die "FOLDER must lie outside of the checkout. Received: $folder" ;; esac

needed=()
for tool in apt-get:apt dpkg-deb:dpkg proot:proot; do
  command -v "${tool%:*}" >/dev/null || needed+=("${tool#*:}")
done
qemu=$(command -v qemu-aarch64-static || command -v qemu-aarch64 || :)
[ -n "$qemu" ] || needed+=(qemu-user-static)
[ -f "$keyring" ] || needed+=(debian-archive-keyring)
[ ${#needed[@]} -eq 0 ] ||
  die "not all tools are here; on Debian and Ubuntu: sudo apt-get install ${needed[*]}"
command -v facekit >/dev/null || use_venv '[convert]'
python=$(dirname "$(command -v facekit)")/python

# board: the command FOLDER/board, which runs another in the root with none of this machine's settings
make_board() {
  cat >"$folder/board" <<EOF
#!/bin/sh
# A command on the emulated board, such as: $folder/board python3 --version
QEMU_CPU=cortex-a53 exec proot -q "$qemu" -r "$root" -b /dev -b /proc -w /root \\
  /usr/bin/env -i PATH=/usr/bin:/bin HOME=/root LANG=C.UTF-8 FACEKIT_THREADS=1 "\$@"
EOF
  chmod +x "$folder/board"
}

# fetch: the packages' files into FOLDER/apt/archives, with apt's own checks of signatures and sums
fetch() {
  local apt=$folder/apt
  mkdir -p "$apt"/{etc/apt.conf.d,etc/preferences.d,archives/partial,lists/partial}
  : >"$apt/status"
  echo "deb [signed-by=$keyring] $mirror $suite main" >"$apt/sources.list"
  cat >"$apt/apt.conf" <<EOF
APT::Architecture "arm64";
APT::Architectures "arm64";
APT::Install-Recommends "false";
APT::Sandbox::User "";
Dir::Etc "$apt/etc";
Dir::Etc::SourceList "$apt/sources.list";
Dir::State::status "$apt/status";
Dir::State::Lists "$apt/lists";
Dir::Cache "$apt";
Dir::Cache::Archives "$apt/archives";
EOF
  export APT_CONFIG=$apt/apt.conf
  if ! apt-get --quiet=2 update ||
    ! apt-get --quiet=2 --yes --download-only install "${packages[@]}" >&2; then
    die "the packages for arm64 cannot be had from $mirror; run it again where they can, or set MIRROR"
  fi
  unset APT_CONFIG
}

# unpack: FOLDER/root from the packages' files, with what their scripts would have set up
unpack() {
  local part=$folder/root.part file lib=/usr/lib/aarch64-linux-gnu
  rm -rf "$part" "$root"
  mkdir -p "$part"/usr/{bin,sbin,lib,lib64} "$part"/{root,tmp}
  for file in bin sbin lib lib64; do ln -s "usr/$file" "$part/$file"; done
  for file in "$folder"/apt/archives/*.deb; do
    dpkg-deb --fsys-tarfile "$file" | tar --extract --directory "$part" --keep-directory-symlink \
      --no-same-owner --exclude=./usr/share/{doc,man,locale,icons}
  done
  mkdir -p "$part/etc/ssl/certs"
  printf '%s\n' "$lib/blas" "$lib/lapack" >"$part/etc/ld.so.conf.d/board.conf"
  cat "$part"/usr/share/ca-certificates/mozilla/*.crt >"$part/etc/ssl/certs/ca-certificates.crt"
  echo 'root:x:0:0:root:/root:/bin/bash' >"$part/etc/passwd"
  mv "$part" "$root"
  "$folder/board" /sbin/ldconfig
  [ "$("$folder/board" uname -m)" = aarch64 ] || die "$qemu does not run programs for arm64 here"
}

# install: the wheels of facekit and LiteRT into the root, by the board's own pip
install() {
  local wheels=$root/root/wheels wanted files
  mkdir -p "$folder/wheels" "$wheels"
  "$python" -m pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: \
    --implementation cp --python-version 3.13 --platform manylinux_2_28_aarch64 \
    --platform manylinux_2_27_aarch64 --platform manylinux_2_17_aarch64 \
    --dest "$folder/wheels" "ai-edge-litert==$litert" ||
    die "no wheel of LiteRT $litert for Python 3.13 on arm64; set LITERT"
  rm -f "$wheels"/*
  cp "$folder"/wheels/ai_edge_litert-"$litert"-*.whl "$folder"/here/facekit-cpu/wheels/*.whl "$wheels"
  wanted=$(cd "$wheels" && sha256sum -- *.whl)
  [ "$(cat "$folder/installed" 2>/dev/null)" = "$wanted" ] && return
  files=("$wheels"/*.whl)
  "$folder/board" python3 -m pip install --quiet --no-deps --no-index --force-reinstall \
    --break-system-packages --root-user-action=ignore "${files[@]#"$root"}"
  echo "$wanted" >"$folder/installed"
}

# bundles: the archives for no NPU and for the i.MX 93, unpacked here and there
bundles() {
  local target made
  for target in cpu imx93; do
    facekit bundle sface --detector yunet --target "$target" --models "$folder/models" \
      -o "$folder/facekit-$target.tar.gz" --force >/dev/null
    for made in "$folder/here" "$root/root"; do
      rm -rf "${made:?}/facekit-$target"
      mkdir -p "$made"
      tar -xzf "$folder/facekit-$target.tar.gz" -C "$made"
    done
  done
}

# timed WORDS COMMAND...
timed() {
  local start=$SECONDS
  "${@:2}"
  say "$1 ($((SECONDS - start)) s)"
}

make_board
wanted="$suite $mirror ${packages[*]}"
if [ "$(cat "$folder/unpacked" 2>/dev/null)" != "$wanted" ]; then
  rm -f "$folder"/{unpacked,installed}
  timed 'packages fetched' fetch
  timed 'root unpacked' unpack
  echo "$wanted" >"$folder/unpacked"
fi
have_models sface yunet
models="$(cat facekit/version.py facekit/model/registry/{sface,yunet}.json | cksum)"
if [ "$(cat "$folder/converted" 2>/dev/null)" != "$models" ]; then
  for model in sface yunet; do
    timed "$model converted" facekit convert "$model" --int8 --vela imx93 -o "$folder/models" --force >/dev/null
  done
  echo "$models" >"$folder/converted"
fi
timed 'bundles made' bundles
timed 'wheels installed' install

say 'steps'
exec "$python" -m scripts.board_steps "$folder"
