#!/usr/bin/env bash
# Runs facekit as a board would: in Debian 13 for arm64 (Python 3.13 and Debian's own NumPy, OpenCV
# and click), on a Cortex-A53 that QEMU emulates, from bundles that are made here.
# Usage: scripts/emulate-board.sh FOLDER
# FOLDER (2.5 GB, outside the checkout) keeps the packages, the root and the models for the next run; a
# run that was cut off goes on where it was.  Prints what each step answered there and here, and
# how long it took; exit code 0 only where all answers are right.
#   STEPS=WORD...     only the steps whose name has one of the words
#   LFW=DIR           also the first PAIRS (10) same and different pairs of View 1's test set
#   LITERT=2.1.0      version of the LiteRT runtime
# Needs no root user and changes nothing of this machine: the packages are unpacked, and run in
# namespaces of their own.  sudo apt-get install qemu-user-static debian-archive-keyring
set -euo pipefail

[ $# -eq 1 ] || { sed -n '2,13s/^# //p' "$0" >&2; exit 2; }
folder=$(realpath --canonicalize-missing "$1")
export LFW=${LFW:+$(realpath "$LFW")}
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. scripts/lib.sh

suite=trixie
packages=(bash coreutils dash findutils gawk grep libc-bin procps sed tar
  python3 python3-numpy python3-opencv python3-click)
litert=${LITERT:-2.1.0}
mirror=${MIRROR:-http://deb.debian.org/debian}
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
root=$folder/root
case $folder/ in "$PWD"/*) die "FOLDER must lie outside of the checkout. Received: $folder" ;; esac
mkdir -p "$folder"

needed=()
for tool in apt-get:apt dpkg-deb:dpkg unshare:util-linux; do
  command -v "${tool%:*}" >/dev/null || needed+=("${tool#*:}")
done
qemu=$(command -v qemu-aarch64-static || command -v qemu-aarch64 || :)
[ -n "$qemu" ] || needed+=(qemu-user-static)
[ -f "$keyring" ] || needed+=(debian-archive-keyring)
[ ${#needed[@]} -eq 0 ] ||
  die "not all tools are here; on Debian and Ubuntu: sudo apt-get install ${needed[*]}"
command -v facekit >/dev/null || use_venv '[convert]'
python=$(dirname "$(command -v facekit)")/python

# make_board: the command FOLDER/board, which runs another in the root, with none of this machine's
# settings.  Its mounts, and QEMU as what runs arm64, exist in a namespace that ends with it.
make_board() {
  cat >"$folder/board" <<EOF
#!/bin/sh
# A command on the emulated board, such as: $folder/board python3 --version
root='$root' qemu='$qemu'
EOF
  cat >>"$folder/board" <<'EOF'
export root qemu
exec unshare --user --map-root-user --mount --pid --fork --kill-child sh -euc '
  known=/proc/sys/fs/binfmt_misc
  magic="\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00"
  mask="\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff"
  if mount -t binfmt_misc none $known 2>/dev/null; then
    printf %s ":board:M::$magic:$mask:$qemu:F" >$known/register
  fi
  mount --rbind /dev "$root/dev"
  mount --rbind /sys "$root/sys"
  mount -t proc proc "$root/proc" 2>/dev/null || mount --rbind /proc "$root/proc"
  exec chroot "$root" /usr/bin/env -i PATH=/usr/bin:/bin HOME=/root LANG=C.UTF-8 \
    QEMU_CPU=cortex-a53 FACEKIT_THREADS=1 sh -c "cd; exec \"\$@\"" sh "$@"
' board "$@"
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
  printf '%s\n' "$lib/blas" "$lib/lapack" >"$part/etc/ld.so.conf.d/board.conf"
  echo 'root:x:0:0:root:/root:/bin/bash' >"$part/etc/passwd"
  mv "$part" "$root"
  [ "$("$folder/board" uname -m)" = aarch64 ] || die "programs for arm64 do not run here: that needs
user namespaces and Linux 6.7, or QEMU registered for all (sudo apt-get install binfmt-support)"
  "$folder/board" /sbin/ldconfig
}

# install: the wheels of facekit and LiteRT into the root, without what they depend on.  By this
# machine's pip, as who makes an image does: the board's needs many minutes on an emulated processor.
install() {
  "$python" -m pip install --quiet --disable-pip-version-check --root-user-action=ignore --upgrade \
    --no-deps --no-compile --only-binary=:all: --implementation cp --python-version 3.13 \
    --platform manylinux_2_28_aarch64 --platform manylinux_2_27_aarch64 \
    --target "$root/usr/local/lib/python3.13/dist-packages" \
    "ai-edge-litert==$litert" "$folder"/here/facekit-cpu/wheels/*.whl
}

# bundles: the archives for no NPU and for the i.MX 93, unpacked here and there
bundles() {
  local target made wheel=()
  for target in cpu imx93; do
    facekit --quiet bundle sface --detector yunet --target "$target" --models "$folder/models" \
      "${wheel[@]}" -o "$folder/facekit-$target.tar.gz" --force >/dev/null
    for made in "$folder/here" "$root/root"; do
      rm -rf "${made:?}/facekit-$target"
      mkdir -p "$made"
      tar -xzf "$folder/facekit-$target.tar.gz" -C "$made"
    done
    wheel=(--wheel "$folder"/here/facekit-cpu/wheels/*.whl)
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
  rm -f "$folder/unpacked"
  timed 'packages fetched' fetch
  timed 'root unpacked' unpack
  echo "$wanted" >"$folder/unpacked"
fi
for model in sface yunet; do
  facekit models verify "$model" >/dev/null 2>&1 || facekit models build "$model" >&2
done
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
