"""From crops to unit-length embeddings, by the model's card."""

from __future__ import annotations

import numpy as np

from facekit.enums import Flip
from facekit.errors import ModelMismatchError
from facekit.model.card import Card, Task
from facekit.runtime.net import Net
from facekit.runtime.preprocess import model_input
from facekit.template.match import centred, joined, unit_length
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
        if received != wanted or net.outputs[0].shape[1:] != (card.output_size,):
            raise ModelMismatchError(
                f"The card of {card.name} ({card.variant}) says input {wanted} and "
                f"{card.output_size} outputs; the model has {received} and "
                f"{net.outputs[0].shape[1:]}."
            )
        self.card = card
        self._net = net

    def embed(self, crops: UInt8Array) -> Float32Array:
        """(N, H, W, 3) RGB uint8 -> (N, embedding_size) float32, unit length about the card's mean.

        These are the templates that thresholds in the card are for: with the mirror image where
        the card says so.
        """
        return centred(self.embed_uncentred(crops), self.card.calibration.embedding_mean)

    def embed_uncentred(self, crops: UInt8Array) -> Float32Array:
        """The same before the card's mean is taken off, for measuring that mean and for peers."""
        flip = self.card.flip
        return joined(self.embed_views(crops, mirrored=flip is not Flip.NONE), flip)

    def embed_views(self, crops: UInt8Array, *, mirrored: bool) -> Float32Array:
        """(N, H, W, 3) -> (N, 1 or 2, output_size): the net's own vectors, unit length.

        One for the crop and, if `mirrored`, one for its mirror image, whatever the card says.
        """
        views = [crops, crops[:, :, ::-1]] if mirrored else [crops]
        if not len(crops):
            return np.zeros((0, len(views), self.card.output_size), np.float32)
        rows = model_input(np.concatenate(views), self.card.input)
        vectors = unit_length(np.asarray(self._net.run(rows)[0], np.float32))
        by_view = vectors.reshape(len(views), len(crops), -1)
        return np.ascontiguousarray(by_view.swapaxes(0, 1))
