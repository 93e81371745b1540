"""Fills deepface's own Facenet512 graph with facekit's default weights, where deepface looks.

    .venv-peers/bin/python benchmarks/deepface_weights.py .venv-peers

Reads the frozen graph that `facekit models fetch facenet512-casia` has fetched.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

_SECOND_BRANCH = re.compile(r"^(Block(?:17|8)_(\d+))_Branch_\2_")
_OURS = """
import sys
from pathlib import Path
import numpy as np
from facekit.graph.names import keras_layer_name
from facekit.graph.read.facenet_pb import read_frozen_graph
graph = read_frozen_graph(Path(sys.argv[1])).graph
leaves = {"mean": "moving_mean", "variance": "moving_variance"}
np.savez(sys.argv[2], **{
    f"{keras_layer_name(node)}/{leaves.get(role, role)}": weight
    for node in graph.nodes for role, weight in node.weights.items() if role != "constant"
})
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("home", type=Path, help="DEEPFACE_HOME to write to")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        ours = Path(folder) / "ours.npz"
        # In a process of its own: deepface's environment need not have what facekit wants.
        subprocess.run([sys.executable, "-c", _OURS, str(_source()), str(ours)], check=True)
        with np.load(ours) as arrays:
            _write(args.home, dict(arrays))


def _source() -> Path:
    from facekit.model.store import sources_folder

    files = [path for path in sources_folder("facenet512-casia").iterdir() if path.is_file()]
    if len(files) != 1:
        raise SystemExit("Fetch the weights first: facekit models fetch facenet512-casia")
    return files[0]


def _write(home: Path, arrays: dict[str, Any]) -> None:
    os.environ["DEEPFACE_HOME"] = str(home)
    import h5py
    from deepface.models.facial_recognition.tf.Facenet import InceptionResNetV1
    from keras.src.legacy.saving import legacy_h5_format

    graph = InceptionResNetV1(dimension=512)
    for layer in graph.layers:
        if not layer.weights:
            continue
        name = _SECOND_BRANCH.sub(r"\1_Branch_1_", layer.name)
        leaves = [weight.name.rpartition("/")[2].removesuffix(":0") for weight in layer.weights]
        layer.set_weights([arrays.pop(f"{name}/{leaf}") for leaf in leaves])
    if arrays:
        raise SystemExit(f"deepface's graph has no place for {', '.join(arrays)}")
    folder = home / ".deepface" / "weights"
    folder.mkdir(parents=True, exist_ok=True)
    # The old layout of HDF5 files, which Keras reads under this name and no longer writes.
    with h5py.File(folder / "facenet512_weights.h5", "w") as file:
        legacy_h5_format.save_weights_to_hdf5_group(file, graph)


if __name__ == "__main__":
    main()
