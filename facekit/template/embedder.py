"""Embeds crops at unit length, with the card's mirror image and mean embedding."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from facekit.enums import Flip
from facekit.errors import ModelMismatchError
from facekit.runtime.net import Net
from facekit.runtime.preprocess import model_input
from facekit.template.match import centered, joined, unit_length
from facekit.types import Float32Array, InputSpec, UInt8Array


class Embedder:
    """Computes templates with an embedding network; see facekit.model.card.embedder_of."""

    def __init__(
        self,
        net: Net,
        *,
        name: str,
        spec: InputSpec,
        output_size: int,
        flip: Flip,
        mean: Float32Array | None,
    ) -> None:
        """`name` is the name in messages, `output_size` the length of the net's output vector.

        `mean`, (embedding_size,) float32, is subtracted from each template; None subtracts nothing.
        Raises ModelMismatchError if the net's input or output differs from these values.
        """
        wanted = (spec.height_px, spec.width_px, 3)
        received = net.inputs[0].shape[1:]
        if received != wanted or net.outputs[0].shape[1:] != (output_size,):
            hint = ""
            if received == (3, *wanted[:2]):
                hint = (
                    " Its channels come first, which facekit models import FILE --as NAME puts "
                    "right."
                )
            raise ModelMismatchError(
                f"The card of {name} says input {wanted} and {output_size} outputs; the model has "
                f"{received} and {net.outputs[0].shape[1:]}.{hint}"
            )
        self._net = net
        self._spec = spec
        self._output_size = output_size
        self._flip = flip
        self._mean = mean

    def embed(self, crops: UInt8Array) -> Float32Array:
        """Maps (N, H, W, 3) RGB uint8 to (N, embedding_size) float32, centered and of unit length.

        The thresholds in the card apply to these templates.  Unless `flip` is NONE, the mirror
        image of each crop is embedded, too.  Raises ModelMismatchError if the network answers a
        crop with an embedding that has no direction: all zeros, or not finite.
        """
        vectors = self.embed_uncentered(crops)
        with _directions():
            return centered(vectors, self._mean)

    def embed_uncentered(self, crops: UInt8Array) -> Float32Array:
        """Embeds like `embed` without subtracting the mean, e.g. to measure the mean."""
        views = self.embed_views(crops, mirrored=self._flip is not Flip.NONE)
        with _directions():
            return joined(views, self._flip)

    def embed_views(self, crops: UInt8Array, *, mirrored: bool) -> Float32Array:
        """Maps (N, H, W, 3) to (N, 1 or 2, output_size): the net's output vectors at unit length.

        The second view, if `mirrored`, is the crop's mirror image, whatever `flip` is.  Raises
        ModelMismatchError as `embed` does.
        """
        views = [crops, crops[:, :, ::-1]] if mirrored else [crops]
        if not len(crops):
            return np.zeros((0, len(views), self._output_size), np.float32)
        rows = model_input(np.concatenate(views), self._spec)
        answers = np.asarray(self._net.run(rows)[0], np.float32)
        with _directions():
            vectors = unit_length(answers)
        by_view = vectors.reshape(len(views), len(crops), -1)
        return np.ascontiguousarray(by_view.swapaxes(0, 1))


@contextmanager
def _directions() -> Iterator[None]:
    """Raises ModelMismatchError for vectors that cannot be given unit length."""
    try:
        yield
    except ValueError as error:
        raise ModelMismatchError(
            "The network answers a photo with an embedding of zeros, or of values that are not "
            "finite. Its card may state another mean or std than the network was trained with, or "
            "the file is damaged."
        ) from error
