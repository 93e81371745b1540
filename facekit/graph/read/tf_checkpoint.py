"""facenet's TensorFlow 1 checkpoints (model-*.ckpt-N.index and .data-*) into our graph.

The variables have the names of the training graph, so the .meta file that holds that graph is
not needed, and nothing is executed.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from facekit.errors import ModelBuildError
from facekit.graph.nets.layer_names import EMBEDDING_KERNEL, variable_rules
from facekit.graph.weights import MAX_BYTES, SourceWeights, embedding_size_of, port
from facekit.system.keras_backend import keras, tf
from facekit.system.native_output import captured_output
from facekit.types import Float32Array

INDEX_SUFFIX = ".index"
_TABLE_MAGIC = b"\x57\xfb\x80\x8b\x24\x75\x47\xdb"
"""the last bytes of an index, which is a table of LevelDB's"""
_NOT_OURS = re.compile(
    r"/(Adam|Adam_1|Adagrad|Adadelta|Adadelta_1|Momentum|RMSProp|RMSProp_1|RMSProp_2)$"
    r"|/ExponentialMovingAverage$"  # shadows; facenet itself runs on the variables
    r"|/avg$"  # running means of losses
    r"|^(global_step|learning_rate|beta1_power|beta2_power|centers|Variable(_\d+)?)$"
    r"|^Logits/"  # the classifier after the embedding
    r"|/(biased|local_step)$"  # of moving averages that start at zero
)
"""Training's own variables, which an embedding net has no place for."""


def is_checkpoint(path: Path) -> bool:
    """Whether it is a checkpoint's index, or a folder with one."""
    if path.is_dir():
        return bool(_indices(path))
    with path.open("rb") as file:
        file.seek(max(path.stat().st_size - len(_TABLE_MAGIC), 0))
        return path.suffix == INDEX_SUFFIX and file.read() == _TABLE_MAGIC


def checkpoint_files(path: Path) -> tuple[Path, ...]:
    """The index that `path` is or contains, then the data.  Raises ModelBuildError for several."""
    index = path
    if path.is_dir():
        indices = _indices(path)
        if len(indices) != 1:
            raise ModelBuildError(
                f"{path} holds {len(indices)} checkpoints. Name the one that is meant: "
                f"{', '.join(map(str, indices))}"
            )
        (index,) = indices
    data = sorted(index.parent.glob(f"{index.stem}.data-*"))
    if not data:
        raise ModelBuildError(f"{index} has no {index.stem}.data-* beside it.")
    return index, *data


def read_checkpoint(path: Path) -> SourceWeights:
    """Raises ModelBuildError naming the file, and later the tensor."""
    files = checkpoint_files(path)
    index = files[0]
    if (size := sum(file.stat().st_size for file in files)) > 4 * MAX_BYTES:
        raise ModelBuildError(f"{index} has {size} bytes of data; {4 * MAX_BYTES} are allowed.")
    try:
        with captured_output():
            reader = tf.train.load_checkpoint(str(index.with_suffix("")))
            names = sorted(reader.get_variable_to_shape_map())
            ignored = tuple(name for name in names if _NOT_OURS.search(name))
            tensors: dict[str, Float32Array] = {
                name: np.asarray(reader.get_tensor(name)) for name in names if name not in ignored
            }
    except (tf.errors.OpError, LookupError, OSError, ValueError, RuntimeError) as error:
        # its errors become Python's own: a file cut off is an IndexError
        first_line = str(error).strip().partition("\n")[0]
        raise ModelBuildError(f"{index} is damaged, or no checkpoint: {first_line}") from error
    return SourceWeights(
        embedding_size_of(tensors, EMBEDDING_KERNEL, axis=1, origin=index.name),
        lambda net: _fill(net, tensors, index.name),
        ignored,
    )


def _fill(net: keras.Model, tensors: dict[str, Float32Array], origin: str) -> None:
    port(net, tensors, variable_rules(net), origin=origin)


def _indices(folder: Path) -> list[Path]:
    return sorted(folder.glob(f"*{INDEX_SUFFIX}"))
