"""A user's own Keras weights to a float32 LiteRT file with its card."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from pathlib import Path

from facekit.enums import Architecture
from facekit.errors import ModelBuildError
from facekit.files import write_atomically
from facekit.host.architectures import new_net
from facekit.host.backend import captured_output, keras, tf
from facekit.host.selftest import self_test
from facekit.host.tflite import to_litert
from facekit.host.weights.deepface_h5 import load_deepface_h5
from facekit.models.card import Card, Source, Task
from facekit.models.checksum import sha256_of
from facekit.models.registry import CardDefaults
from facekit.models.store import CARD_SUFFIX, DEFAULT_VARIANT, MODEL_SUFFIX, InstalledModel
from facekit.version import __version__

_NOT_PLAIN = re.compile(r"[^A-Za-z0-9._-]+")


def build_from_keras(
    path: Path,
    architecture: Architecture,
    defaults: CardDefaults,
    into: Path,
    *,
    progress: Callable[[str], None],
) -> InstalledModel:
    """Reads weights (.keras, .weights.h5, or .h5 with deepface's names) into facekit's graph.

    The file's own graph is not used, so the result has a batch of 1, and no code in the file
    runs.  `defaults`: preprocessing and crop, which no Keras file tells.
    Raises ModelBuildError where the weights do not fit the graph.
    """
    name = _NOT_PLAIN.sub("-", path.name.partition(".")[0]).strip("-._") or "model"
    progress(f"reading {path.name}")
    net = new_net(architecture, input_spec=defaults.input, embedding_size=defaults.embedding_size)
    if path.suffix == ".h5" and not path.name.endswith(".weights.h5"):
        load_deepface_h5(net, path)
    else:
        _load(net, path, architecture)
    progress(f"converting {path.name} to LiteRT")
    content = to_litert(net)
    card = Card(
        name=name,
        variant=DEFAULT_VARIANT,
        task=Task.EMBEDDING,
        architecture=architecture.value,
        file_name=f"{name}_{DEFAULT_VARIANT}{MODEL_SUFFIX}",
        file_sha256=hashlib.sha256(content).hexdigest(),
        file_size_bytes=len(content),
        source=Source(
            title=f"Keras weights {path.name}",
            url="",
            sha256=sha256_of(path),
            licence="not stated: the weights are the user's own",
        ),
        input=defaults.input,
        crop=defaults.crop,
        embedding_size=defaults.embedding_size,
        tools={"facekit": __version__, "tensorflow": tf.__version__, "keras": keras.__version__},
    )
    model = into / card.file_name
    write_atomically(model, content)
    self_test(net, model, card, progress=progress)
    write_atomically(model.with_suffix(CARD_SUFFIX), card.to_json().encode())
    return InstalledModel(card, model)


def _load(net: keras.Model, path: Path, architecture: Architecture) -> None:
    try:
        with captured_output():
            net.load_weights(path)
    except Exception as error:  # Keras, zipfile and h5py each have errors of their own
        first_line = str(error).strip().partition("\n")[0]
        raise ModelBuildError(
            f"{path} does not hold weights of {architecture.value} that Keras can read: "
            f"{type(error).__name__}: {first_line}"
        ) from error
