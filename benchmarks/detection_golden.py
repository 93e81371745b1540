"""The faces that the mtcnn package finds in tests/data, for tests without the package.

    python benchmarks/detection_golden.py > tests/golden/detect.json

Needs the extra dev.
"""

from __future__ import annotations

import json
from importlib.metadata import version
from typing import Any

import numpy as np
from peers import REPOSITORY, mtcnn_package, pixels

from facekit.types import Face


def main() -> None:
    detect = mtcnn_package()
    photos = sorted((REPOSITORY / "tests" / "data").glob("*.jpg"))
    golden = {
        "command": "python benchmarks/detection_golden.py > tests/golden/detect.json",
        "made_by": f"mtcnn {version('mtcnn')}, threshold_onet=0.7, fit_to_image=False",
        "faces": {photo.name: [plain(face) for face in detect(pixels(photo))] for photo in photos},
    }
    print(json.dumps(golden, indent=1))


def plain(face: Face) -> dict[str, Any]:
    return {
        "box_xyxy": np.round(face.box_xyxy.astype(float), 3).tolist(),
        "landmarks_xy": np.round(face.landmarks_xy.astype(float), 3).tolist(),
        "score": round(face.score, 5),
    }


if __name__ == "__main__":
    main()
