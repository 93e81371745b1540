"""The embedding networks that facekit can build, with their usual preprocessing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from facekit.enums import Architecture, ColorOrder, CropRule, Flip, ResizeFilter
from facekit.graph.graph import Graph
from facekit.graph.nets import sphereface20
from facekit.graph.nets.inception_resnet_v1 import SIZE_PX, inception_resnet_v1
from facekit.graph.weights import FreshWeights, Initial, initial
from facekit.types import CropSpec, InputSpec


@dataclass(frozen=True, slots=True)
class Design:
    """An architecture, its usual preprocessing and its initial weights."""

    build: Callable[..., Graph]
    """Builds the network from Weights and an embedding_size.  Its input is (1, height, width, 3),
    its only output the embedding."""
    input: InputSpec
    """The input size and the authors' normalization.  A card may state another normalization."""
    crop: CropSpec
    embedding_size: int
    """The length of the published network's embedding."""
    flip: Flip = Flip.NONE
    """The authors' use of the mirrored image."""
    initial: Initial = initial
    """The initial weights for training."""

    def untrained(self, *, embedding_size: int, seed: int) -> Graph:
        """Returns the network with initial weights; the same seed gives the same weights."""
        return self.build(FreshWeights(self.initial, seed=seed), embedding_size=embedding_size)


DESIGNS: dict[Architecture, Design] = {
    Architecture.INCEPTION_RESNET_V1: Design(
        build=inception_resnet_v1,
        input=InputSpec(SIZE_PX, SIZE_PX, ColorOrder.RGB, 127.5, 128.0),
        crop=CropSpec(CropRule.MARGIN, 32.0, ResizeFilter.BILINEAR),
        embedding_size=512,
    ),
    Architecture.SPHEREFACE20: Design(
        build=sphereface20.sphereface20,
        input=InputSpec(
            sphereface20.HEIGHT_PX, sphereface20.WIDTH_PX, ColorOrder.BGR, 127.5, 128.0
        ),
        crop=CropSpec(CropRule.SIMILARITY, 0.0, ResizeFilter.BILINEAR),
        embedding_size=512,
        flip=Flip.CONCAT,
        initial=sphereface20.initial,
    ),
}
