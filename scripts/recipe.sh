#!/usr/bin/env bash
# From published weights to archives for boards, in facekit commands only.
# Usage: scripts/recipe.sh [--short] [FOLDER], where everything goes; default: out/recipe.
#   MODEL=NAME        registry model (facenet512-casia)
#   CALIBRATION=DIR   photos to calibrate on and to measure drift on; default: what ships
#   LFW=DIR           Labeled Faces in the Wild: accuracy of float32 and int8, too
# --short, or RECIPE_SHORT=1: models that are built stay, one compile, one archive: some 2 minutes.
set -euo pipefail

short=${RECIPE_SHORT:-}
if [ "${1:-}" = --short ]; then
  short=1
  shift
fi
mkdir -p "${1:-out/recipe}"
out=$(realpath "${1:-out/recipe}")
files=$out/models
model=${MODEL:-facenet512-casia}
calibration=()
if [ -n "${CALIBRATION:-}" ]; then
  calibration=(--calibration "$(realpath "$CALIBRATION")")
fi
drift=(--layers --plot "$out/drift/$model.png")
if [ -n "${LFW:-}" ]; then
  drift+=(--evaluate-on "$(realpath "$LFW")")
fi
photos=(tests/data/obama.jpg tests/data/obama2.jpg)
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. scripts/lib.sh

# run COMMAND...: in the open, with its time
run() {
  local start=$SECONDS
  printf '\n$ %s\n' "$*"
  "$@"
  printf '(%d s)\n' $((SECONDS - start))
}

command -v facekit >/dev/null || use_venv '[convert,evaluate,plot]'
if [ -n "$short" ]; then
  have_models mtcnn "$model"
else
  for name in mtcnn "$model"; do
    run facekit models fetch "$name"
    run facekit models build "$name"
  done
fi

run facekit convert "$model" --float32 --int8 --uint8 "${calibration[@]}" -o "$files" --force
run facekit inspect "$files/${model}_int8.tflite"

targets=(imx93)
compile=(--target imx93 -o "$files/model_imx93" --force)
if [ -n "$short" ]; then
  run facekit compile "$files/${model}_uint8.tflite" "${compile[@]}" --no-bandwidths
else
  run facekit compile "$files/${model}_uint8.tflite" "${compile[@]}"
  run facekit quantize "$model" "${calibration[@]}" "${drift[@]}" -o "$out/drift" --force
  targets+=(imx8mp cpu)
fi

for target in "${targets[@]}"; do
  archive=facekit-$target
  run facekit bundle "$model" --target "$target" --models "$files" -o "$out/$archive.tar.gz" --force
  rm -rf "${out:?}/$archive"
  tar -xzf "$out/$archive.tar.gz" -C "$out"
  run facekit verify "${photos[@]}" --bundle "$out/$archive" --device cpu
done
