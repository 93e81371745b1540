"""An installed float32 model as a Keras net: where training and other formats start from."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from facekit.enums import Architecture
from facekit.errors import ModelBuildError
from facekit.graph.nets.designs import DESIGNS, Design, new_net
from facekit.graph.probe import probe, require_same_answer
from facekit.graph.read.litert_steps import load_litert
from facekit.model.card import Task
from facekit.model.store import InstalledModel
from facekit.model.variants import DEFAULT_VARIANT
from facekit.runtime.litert import LiteRtNet
from facekit.system.keras_backend import keras


def keras_net(
    model: InstalledModel, *, designs: Mapping[Architecture, Design] = DESIGNS
) -> keras.Model:
    """The net that the file was converted from, its batch norms as conversion folded them.

    `designs`: graphs by architecture.

    They have beta, a moving mean of 0 and a moving variance of 1 - epsilon; the kernels before
    them hold the rest.  The net answers a known picture as the file does, within 1e-5.
    Raises ModelBuildError for a model that is not a float32 embedding net of a graph that
    facekit builds, or whose file does not fit that graph.
    """
    card = model.card
    if card.task is not Task.EMBEDDING or card.quantisation.scheme != "none":
        raise ModelBuildError(
            f"A {DEFAULT_VARIANT} embedding model is needed. Received: {card.name}:{card.variant}, "
            f"for {card.task.value}."
        )
    known = {one.value: one for one in Architecture}
    if card.architecture not in known:
        raise ModelBuildError(
            f"{card.name} is of the architecture {card.architecture}. Graphs that facekit builds: "
            f"{', '.join(known)}."
        )
    net = new_net(
        known[card.architecture],
        input_spec=card.input,
        embedding_size=card.output_size,
        designs=designs,
    )
    load_litert(net, model.path)
    picture = probe(net.name, card.input)
    require_same_answer(
        np.asarray(net(picture)), LiteRtNet(model.path).run(picture)[0], model.path.name
    )
    return net
