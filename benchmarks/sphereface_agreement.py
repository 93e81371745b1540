"""Random SphereFace-20 weights through facekit and through others' implementations.

    python benchmarks/sphereface_agreement.py --opencv DIR --write sphereface_random.caffemodel
    facekit models import sphereface_random.caffemodel --as sphereface-random

DIR holds an OpenCV that still reads Caffe's files (5 does not):

    pip install --no-deps --target DIR opencv-python-headless==4.12.0.88

The weights are seeded noise that keeps a picture's signal alive, not a trained net: they serve
for agreement, speed and size.  The Caffe file is put together by tests/networks/sphereface_files.py
after caffe.proto; OpenCV-DNN runs it by the authors' prototxt, PyTorch runs the same tensors, and
facekit imports the file.  Prints the greatest difference between embeddings of unit length.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
PICTURES = 8
_BY_OPENCV = """
import sys
import numpy as np
folder, prototxt, weights, pictures, answers = sys.argv[1:]
sys.path.insert(0, folder)
import cv2
net = cv2.dnn.readNetFromCaffe(prototxt, weights)
found = []
for picture in np.load(pictures):
    net.setInput(np.ascontiguousarray(picture.transpose(2, 0, 1)[None]))
    found.append(net.forward()[0].copy())
np.save(answers, np.stack(found))
print(cv2.__version__)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--opencv", type=Path, metavar="DIR", help="an OpenCV 4, see above")
    parser.add_argument("--write", type=Path, metavar="FILE", help="keep the Caffe file")
    arguments = parser.parse_args()
    sys.path.insert(0, str(ROOT))
    from facekit.conversion.import_options import ImportOptions
    from facekit.conversion.import_weights import import_weights
    from facekit.runtime.litert import LiteRtNet
    from tests.networks import sphereface_files as files

    tensors = files.random_tensors()
    pictures = np.random.default_rng(3).uniform(-1, 1, (PICTURES, 112, 96, 3)).astype(np.float32)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        weights = arguments.write or folder / "sphereface_random.caffemodel"
        weights.write_bytes(files.caffe_model(tensors))
        imported = import_weights(weights, "sphereface-random", ImportOptions(), folder)
        (ours,) = LiteRtNet(imported.model.path).run(pictures)
        _print("PyTorch", ours, files.embed_by_torch(tensors, pictures))
        if arguments.opencv is not None:
            np.save(folder / "pictures.npy", pictures)
            (folder / "deploy.prototxt").write_text(files.prototxt())
            given = [arguments.opencv, folder / "deploy.prototxt", weights]
            given += [folder / "pictures.npy", folder / "answers.npy"]
            version = subprocess.run(
                [sys.executable, "-c", _BY_OPENCV, *map(str, given)],
                check=True,
                capture_output=True,
                text=True,
            ).stdout.strip()
            _print(f"OpenCV-DNN {version}", ours, np.load(folder / "answers.npy"))


def _print(which: str, ours: np.ndarray, theirs: np.ndarray) -> None:
    a, b = (one / np.linalg.norm(one, axis=1, keepdims=True) for one in (ours, theirs))
    apart = np.abs(b[0] - b[1]).max()
    print(
        f"{which:18} greatest difference {np.abs(a - b).max():.1e}, least cosine "
        f"{(a * b).sum(1).min():.7f} (two pictures differ by {apart:.1e})"
    )


if __name__ == "__main__":
    main()
