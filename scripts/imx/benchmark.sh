#!/bin/sh
# Measures the embedding network with the board's own benchmark_model, and reads its log.
# Usage: benchmark.sh [MODEL.tflite [DELEGATE.so|none]]
# Without arguments: the bundle's model for the NPU, and the first delegate where boards keep them
# that is built for what the tool is: TensorFlow Lite's (lib*_delegate.so) in a folder
# tensorflow-lite-*, LiteRT's (liblitert_*_delegate.so) in one that is named litert-*.
# BENCHMARK_MODEL names the tool, RUNS (50) and THREADS (1) its settings.  Writes benchmark.log and
# facekit's reading of it, benchmark.json and benchmark.txt, into the folder OUT (.).
# Exit code 6 where the delegate did nothing, or is built for the other runtime.
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
bundle=${FACEKIT_BUNDLE:-$here}
root=${SYSROOT:-}
out=${OUT:-.}

die() {
  printf 'error: %s\n' "$2" >&2
  exit "$1"
}

# first FILE...: the first that exists; nothing where none does
first() {
  for candidate; do
    if [ -e "$candidate" ]; then
      printf '%s\n' "$candidate"
      return
    fi
  done
}

# last FILE...: the last that can be run; nothing where none can
last() {
  found=
  for candidate; do
    if [ -x "$candidate" ]; then
      found=$candidate
    fi
  done
  printf '%s\n' "$found"
}

# flavor FILE: the runtime that a tool or a delegate is built for; any where its path does not say
flavor() {
  case $1 in
  */tensorflow-lite-*/* | libethosu_delegate.so* | libvx_delegate.so* | libneutron_delegate.so*)
    echo tflite_runtime
    ;;
  */litert-*/* | liblitert_*_delegate.so*) echo ai_edge_litert ;;
  *) echo any ;;
  esac
}

# match DELEGATE: whether the tool can load it
match() {
  needed=$(flavor "${1##*/}")
  [ "$needed" = any ] || [ "$tool_flavor" = any ] || [ "$needed" = "$tool_flavor" ]
}

tool=${BENCHMARK_MODEL:-$(last "$root"/usr/bin/litert-*/examples/benchmark_model \
  "$root"/usr/bin/tensorflow-lite-*/examples/benchmark_model)}
tool=${tool:-$(command -v benchmark_model || :)}
[ -n "$tool" ] ||
  die 6 "no $root/usr/bin/tensorflow-lite-*/examples/benchmark_model; set BENCHMARK_MODEL"
tool_flavor=$(flavor "$tool")

model=${1:-$(first "$bundle"/models/*/*_vela.tflite "$bundle"/models/*/*_neutron.tflite \
  "$bundle"/models/*/*_int8.tflite \
  "$bundle"/models/*/*_float32.tflite)}
[ -f "$model" ] || die 5 "no model ${model:-in $bundle/models}; name a .tflite file"

delegate=${2:-}
if [ -z "$delegate" ]; then
  for name in libethosu_delegate.so libvx_delegate.so libneutron_delegate.so \
    liblitert_ethosu_delegate.so liblitert_vx_delegate.so liblitert_neutron_delegate.so \
    libteflon.so; do
    for folder in lib lib64 lib/aarch64-linux-gnu local/lib lib/teflon; do
      if match "$name"; then
        delegate=${delegate:-$(first "$root/usr/$folder/$name")}
      fi
    done
  done
  [ -n "$delegate" ] ||
    die 6 "no delegate in $root/usr/lib that $tool can load; name one, or none for the CPU"
fi

set -- --graph="$model" --num_runs="${RUNS:-50}" --num_threads="${THREADS:-1}"
if [ "$delegate" != none ]; then
  [ -e "$delegate" ] || die 6 "no delegate $delegate"
  match "$delegate" ||
    die 6 "$delegate is built for $needed, $tool for $tool_flavor; name the other delegate"
  case $delegate in
  *vx_delegate.so*) # the driver's compiled graphs are kept, as facekit does
    export VIV_VX_ENABLE_CACHE_GRAPH_BINARY="${VIV_VX_ENABLE_CACHE_GRAPH_BINARY:-1}"
    export VIV_VX_CACHE_BINARY_GRAPH_DIR="${VIV_VX_CACHE_BINARY_GRAPH_DIR:-${FACEKIT_HOME:-$bundle}/vx-graphs}"
    mkdir -p "$VIV_VX_CACHE_BINARY_GRAPH_DIR"
    echo "the first run of a network compiles it for the NPU, 40 s to 2 minutes" >&2
    ;;
  esac
  set -- "$@" --external_delegate_path="$delegate"
fi
mkdir -p "$out"
code=0
"$tool" "$@" >"$out/benchmark.log" 2>&1 || code=$?
if [ "$code" -ne 0 ]; then
  tail -n 5 "$out/benchmark.log" >&2
  die 6 "$tool has failed with exit code $code; its log is $out/benchmark.log"
fi
exec "$here/run.sh" benchmark --parse-log "$out/benchmark.log" -o "$out" --force
