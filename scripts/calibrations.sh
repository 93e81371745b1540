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
for model in mtcnn yunet facenet512-casia sface; do
  facekit models build "$model"
done
facekit convert facenet512-casia --int8 --uint8 --install facenet512-casia
facekit convert sface --int8 --uint8 --install sface
facekit export facenet512-casia --format onnx --precision int8 --install facenet512-casia
measure() { # MODEL:VARIANT DETECTOR
  facekit calibrate --model "$1" --detector "$2" --data "$photos" -o "$output/${1/:/_}_$2.json" \
    --force
}
for model in facenet512-casia:{float32,int8,uint8,onnx-int8} sface:{float32,int8,uint8}; do
  measure "$model" mtcnn
done
for model in {facenet512-casia,sface}:{float32,int8,uint8}; do
  measure "$model" yunet
done
