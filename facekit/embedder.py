"""From crops to unit-length embeddings, by the model's card."""

from __future__ import annotations

import numpy as np

from facekit.errors import ModelMismatchError
from facekit.match import centred, unit_length
from facekit.models.card import Card, Task
from facekit.preprocess import model_input
from facekit.runtime.net import Net
from facekit.types import Float32Array, UInt8Array


class Embedder:
    """An embedding network with the card that says how to feed it."""

    def __init__(self, net: Net, card: Card) -> None:
        """Raises ModelMismatchError where the net's input or output is not what the card says."""
        if card.task is not Task.EMBEDDING:
            raise ModelMismatchError(
                f"An embedding model is needed. Model {card.name} ({card.variant}) is for "
                f"{card.task.value}."
            )
        wanted = (card.input.height_px, card.input.width_px, 3)
        received = net.inputs[0].shape[1:]
        if received != wanted or net.outputs[0].shape[1:] != (card.embedding_size,):
            raise ModelMismatchError(
                f"The card of {card.name} ({card.variant}) says input {wanted} and "
                f"{card.embedding_size} outputs; the model has {received} and "
                f"{net.outputs[0].shape[1:]}."
            )
        self.card = card
        self._net = net

    def embed(self, crops: UInt8Array) -> Float32Array:
        """(N, H, W, 3) RGB uint8 -> (N, embedding_size) float32, unit length about the card's mean.

        These are the vectors that thresholds in the card are for.
        """
        return centred(self._raw(crops), self.card.calibration.embedding_mean)

    def embed_uncentred(self, crops: UInt8Array) -> Float32Array:
        """The same before the card's mean is taken off, for measuring that mean and for peers."""
        return unit_length(self._raw(crops))

    def _raw(self, crops: UInt8Array) -> Float32Array:
        if not len(crops):
            return np.zeros((0, self.card.embedding_size), np.float32)
        return np.asarray(self._net.run(model_input(crops, self.card.input))[0], np.float32)
