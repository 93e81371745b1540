#!/usr/bin/env bash
# Makes verify.jpg, the picture of the README and of the manual's first page, from the portraits in
# tests/data, which are in the public domain.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
(cd ../../tests/data && facekit verify obama.jpg obama2.jpg --plot "$work/verify.png")
python - "$work/verify.png" verify.jpg <<'PYTHON'
import sys, cv2
cv2.imwrite(sys.argv[2], cv2.imread(sys.argv[1]), [cv2.IMWRITE_JPEG_QUALITY, 85])
PYTHON
