"""SphereFace-20: a 112 x 96 face (height x width) to an embedding.

Liu, Wen, Yu, Li, Raj, Song, "SphereFace: Deep Hypersphere Embedding for Face Recognition", 2017
(arXiv:1704.08063), table 2, the 20-layer column: four stages, each a 3 x 3 convolution of stride 2
and then residual units of two 3 x 3 convolutions, every convolution followed by a PReLU with one
slope a channel; a fully connected layer makes the embedding.  There is no batch normalisation, and
nothing is activated after an addition.

Layer names and initial weights are those of the authors' Caffe net (wy1iu/sphereface,
sphereface_model.prototxt), which their checkpoints carry.
"""

from __future__ import annotations

from typing import TypeAlias

from facekit.system.keras_backend import keras

Tensor: TypeAlias = "keras.KerasTensor"

HEIGHT_PX = 112
WIDTH_PX = 96
FILTERS = (64, 128, 256, 512)
UNITS = (1, 2, 4, 1)
"""residual units of each stage"""


def sphereface20(
    *, embedding_size: int = 512, batch_size: int | None = 1, dropout: float = 0.0
) -> keras.Model:
    """(1, 112, 96, 3) float32 -> (1, embedding_size) float32, not of unit length.

    The batch is fixed at one, since accelerators want every shape known; training passes None,
    for any batch, and the share of the last features that dropout leaves out.  22,670,656
    parameters at 512 numbers, all of which train, and 1,749,737,472 multiply-accumulates.
    """
    image = keras.Input((HEIGHT_PX, WIDTH_PX, 3), batch_size=batch_size, name="image")
    x = image
    for index, (filters, units) in enumerate(zip(FILTERS, UNITS, strict=True), start=1):
        x = stage(x, filters, units, index)
        # (1, 56, 48, 64), (1, 28, 24, 128), (1, 14, 12, 256), (1, 7, 6, 512)
    x = keras.layers.Flatten(name="flatten5")(x)  # (1, 21504): rows, columns, channels
    if dropout:
        x = keras.layers.Dropout(dropout, name="dropout5")(x)
    embedding = keras.layers.Dense(
        embedding_size, kernel_initializer=keras.initializers.LecunUniform(), name="fc5"
    )(x)
    return keras.Model(image, embedding, name="sphereface20")


def stage(x: Tensor, filters: int, units: int, index: int) -> Tensor:
    """ConvN.x of table 2: halves the sides.  (1, H, W, C) -> (1, H / 2, W / 2, filters)."""
    # NB: Caffe pads by one pixel all round; the last row and column of an even side go unused,
    # so padding above and to the left is the same, where Keras's "same" pads below and to the
    # right.
    x = keras.layers.ZeroPadding2D(((1, 0), (1, 0)), name=f"pad{index}_1")(x)
    x = conv(x, filters, f"{index}_1", stride=2)
    for unit in range(units):
        x = residual_unit(x, filters, index, first=2 * unit + 2)
    return x


def residual_unit(x: Tensor, filters: int, index: int, *, first: int) -> Tensor:
    """Layers `first` and `first` + 1 of a stage, added to what they were given."""
    branch = conv(x, filters, f"{index}_{first}")
    branch = conv(branch, filters, f"{index}_{first + 1}")
    return keras.layers.Add(name=f"res{index}_{first + 1}")([x, branch])


def conv(x: Tensor, filters: int, number: str, *, stride: int = 1) -> Tensor:
    """A 3 x 3 convolution with bias, then PReLU.

    Initial weights: Caffe's "xavier" (uniform, variance 1 / fan-in) for the strided layers, a
    Gaussian of 0.01 for those of residual units, which so start near the identity; slopes 0.25.
    """
    strided = stride > 1
    x = keras.layers.Conv2D(
        filters,
        3,
        strides=stride,
        padding="valid" if strided else "same",
        kernel_initializer=(
            keras.initializers.LecunUniform()
            if strided
            else keras.initializers.RandomNormal(0, 0.01)
        ),
        name=f"conv{number}",
    )(x)
    return keras.layers.PReLU(
        shared_axes=[1, 2],
        alpha_initializer=keras.initializers.Constant(0.25),
        name=f"relu{number}",
    )(x)
