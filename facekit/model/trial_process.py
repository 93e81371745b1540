"""What a network from outside does in a process of its own; see trial.py.

The runtimes are native libraries that trust much of a file: a few changed bytes can crash them.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np

from facekit.errors import FacekitError, ModelMismatchError
from facekit.face.liveness import PadDetector
from facekit.graph.inspect.litert import open_litert
from facekit.graph.inspect.onnx import inspect_onnx
from facekit.graph.probe import pattern
from facekit.model.card import Card, Task, embedder_of, read_card
from facekit.model.folders import CARD_SUFFIX
from facekit.model.variants import ONNX_SUFFIX
from facekit.runtime.delegates import AcceleratorRequest, open_net
from facekit.runtime.net import DYNAMIC, Net
from facekit.system.trial import limit_memory
from facekit.types import Float32Array

_SIDES_PX = (64, 32)
"""Heights and widths that are tried of a network that takes any: multiples of all strides."""
_BATCH = 2


def try_network(item: dict[str, Any]) -> dict[str, Any]:
    """Opens the model file "path" on the CPU, runs it on test images, and checks what it answers.

    If "by_card" is true and there is a card beside it, it must answer as that says.
    Members of the answer: "refused", why it cannot be used, or None; with None also "is_settled",
    False if this says nothing of the file, because a package is missing.  A file that the CPU's
    runtime does not know how to run, such as one that is compiled for an NPU, is opened only.
    """
    limit_memory()
    path = Path(item["path"])
    try:
        card = path.with_suffix(CARD_SUFFIX)
        _run(path, read_card(card) if item["by_card"] and card.is_file() else None)
    except FacekitError as error:
        is_elsewhere = _runs_elsewhere(error.__cause__)
        if isinstance(error, ModelMismatchError) and not is_elsewhere:
            return {"refused": str(error)}
        return {"refused": None, "is_settled": is_elsewhere}
    except Exception as error:
        why = " ".join(f"{type(error).__name__}: {error}".split())
        return {"refused": f"{path} cannot be run: {why}"}
    return {"refused": None, "is_settled": True}


def try_opening(path: str) -> str | None:
    """Opens a .tflite file with LiteRT, or reads an .onnx file with the package onnx.

    Returns why the file is not valid, or None.
    """
    limit_memory()
    try:
        if path.endswith(ONNX_SUFFIX):
            inspect_onnx(Path(path))
        else:
            open_litert(Path(path))
    except ModelMismatchError as error:
        return str(error)
    except FacekitError:  # of a package that is missing, which the caller's own reading tells
        return None
    return None


def _run(path: Path, card: Card | None) -> None:
    net = open_net(path, request=AcceleratorRequest()).net
    if card is not None and card.task is Task.EMBEDDING:
        size = card.input.height_px, card.input.width_px
        answers = [embedder_of(net, card).embed_uncentered(pattern(_BATCH, *size))]
    elif card is not None and card.pad is not None:
        detector = PadDetector(net, spec=card.input, pad=card.pad, name=str(path))
        size = card.input.height_px, card.input.width_px
        answers = [detector.bona_fide_scores(pattern(_BATCH, *size))]
    else:
        answers = [answer for image in _images(net) for answer in net.run(image)]
    if not all(np.isfinite(answer).all() for answer in answers):
        raise ModelMismatchError(f"{path} answers a test image with what is no number.")


def _images(net: Net) -> list[Float32Array]:
    """Returns a test batch, (N, ...) from -1 to 1, for each of the sizes that are tried."""
    (spec,) = net.inputs
    images = []
    for side_px in _SIDES_PX:
        shape = [side_px if side == DYNAMIC else side for side in spec.shape[1:]]
        values = pattern(_BATCH, math.prod(shape), 1)[..., :1].reshape(_BATCH, *shape)
        images.append(np.asarray(values / np.float32(127.5) - 1, np.float32))
    return images if DYNAMIC in spec.shape[1:] else images[:1]


def _runs_elsewhere(error: BaseException | None) -> bool:
    """Returns whether this says that the CPU's runtime lacks an operator of the file.

    LiteRT's message is that of its operator resolver; ONNX Runtime has a class for it.
    """
    return "unresolved custom op" in str(error) or type(error).__name__ == "NotImplemented"
