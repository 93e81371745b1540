"""The embedding nets that facekit draws, by name, and how each is usually fed."""

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
    """One architecture."""

    net: Callable[..., Graph]
    """takes Weights, and embedding_size; its input is (1, height, width, 3), its one output the
    embedding"""
    input: InputSpec
    """as its authors feed it; a card may say otherwise but for the size"""
    crop: CropSpec
    embedding_size: int
    """length of the net's own output"""
    flip: Flip = Flip.NONE
    """as its authors use the mirror image"""
    initial: Initial = initial
    """weights before training"""

    def fresh(self, *, embedding_size: int, seed: int) -> Graph:
        """The net before training."""
        return self.net(FreshWeights(self.initial, seed=seed), embedding_size=embedding_size)


DESIGNS: dict[Architecture, Design] = {
    Architecture.INCEPTION_RESNET_V1: Design(
        net=inception_resnet_v1,
        input=InputSpec(SIZE_PX, SIZE_PX, ColorOrder.RGB, 127.5, 128.0),
        crop=CropSpec(CropRule.MARGIN, 32.0, ResizeFilter.BILINEAR),
        embedding_size=512,
    ),
    Architecture.SPHEREFACE20: Design(
        net=sphereface20.sphereface20,
        input=InputSpec(
            sphereface20.HEIGHT_PX, sphereface20.WIDTH_PX, ColorOrder.BGR, 127.5, 128.0
        ),
        crop=CropSpec(CropRule.SIMILARITY, 0.0, ResizeFilter.BILINEAR),
        embedding_size=512,
        flip=Flip.CONCAT,
        initial=sphereface20.initial,
    ),
}
