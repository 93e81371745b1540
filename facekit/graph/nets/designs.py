"""The embedding nets that facekit builds, by name, and how each is usually fed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from facekit.enums import Architecture, ColourOrder, CropRule, Flip, ResizeFilter
from facekit.errors import ModelBuildError
from facekit.graph.nets.inception_resnet_v1 import inception_resnet_v1
from facekit.graph.nets.sphereface20 import HEIGHT_PX, WIDTH_PX, sphereface20
from facekit.system.keras_backend import keras
from facekit.types import CropSpec, InputSpec


@dataclass(frozen=True, slots=True)
class Design:
    """One architecture."""

    graph: Callable[..., keras.Model]
    """takes embedding_size, and for training batch_size=None and dropout; its input is
    (batch_size or 1, height, width, 3), its one output the embedding"""
    input: InputSpec
    """as its authors feed it; a card may say otherwise but for the size"""
    crop: CropSpec
    embedding_size: int
    """length of the net's own output"""
    flip: Flip = Flip.NONE
    """as its authors use the mirror image"""


DESIGNS: dict[Architecture, Design] = {
    Architecture.INCEPTION_RESNET_V1: Design(
        graph=inception_resnet_v1,
        input=InputSpec(160, 160, ColourOrder.RGB, 127.5, 128.0),
        crop=CropSpec(CropRule.MARGIN, 32.0, ResizeFilter.BILINEAR),
        embedding_size=512,
    ),
    Architecture.SPHEREFACE20: Design(
        graph=sphereface20,
        input=InputSpec(HEIGHT_PX, WIDTH_PX, ColourOrder.BGR, 127.5, 128.0),
        crop=CropSpec(CropRule.SIMILARITY, 0.0, ResizeFilter.BILINEAR),
        embedding_size=512,
        flip=Flip.CONCAT,
    ),
}


def new_net(
    architecture: Architecture,
    *,
    input_spec: InputSpec,
    embedding_size: int,
    designs: Mapping[Architecture, Design] = DESIGNS,
) -> keras.Model:
    """The graph with fresh weights.  Raises ModelBuildError where it is not of the input's size."""
    design = designs[architecture]
    wanted = (design.input.height_px, design.input.width_px)
    received = (input_spec.height_px, input_spec.width_px)
    if received != wanted:
        raise ModelBuildError(
            f"{architecture.value} is built for {wanted[0]} x {wanted[1]} pixels. "
            f"Received: {received[0]} x {received[1]}."
        )
    return design.graph(embedding_size=embedding_size)
