#!/usr/bin/env bash
# Measures anew what facekit/model/calibrations ships, wherever the bytes of built files change.
#
#   scripts/calibrations.sh LFW_DEEPFUNNELED [OUTPUT_FOLDER]
#
# Wants facekit with the extras `convert` and `evaluate` on the PATH; builds in a store of its own.
set -euo pipefail
photos=$(realpath "$1")
cd "$(dirname "${BASH_SOURCE[0]}")/.."
output=${2:-facekit/model/calibrations}

FACEKIT_HOME=$(mktemp -d)
export FACEKIT_HOME
trap 'rm -rf "$FACEKIT_HOME"' EXIT
facekit models build mtcnn
facekit models build facenet512-casia
facekit models build sface
facekit convert facenet512-casia --int8 --uint8-input --install
facekit export facenet512-casia --format onnx --precision int8 --install
for model in facenet512-casia:{float32,int8,uint8,onnx-int8} sface:float32; do
  facekit calibrate --model "$model" --data "$photos" -o "$output/${model/:/_}.json"
done
