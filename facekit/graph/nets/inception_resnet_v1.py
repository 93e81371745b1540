"""Inception-ResNet-v1: a 160 x 160 face to an embedding.

Szegedy, Ioffe, Vanhoucke, Alemi, "Inception-v4, Inception-ResNet and the Impact of Residual
Connections on Learning", 2016 (arXiv:1602.07261), figures 10 to 15, in the variant that David
Sandberg's facenet trains: residual branches are scaled by 0.17, 0.10 and 0.20, a sixth
Inception-ResNet-C block is neither scaled nor activated, and the pooled features go through a
linear bottleneck with batch normalisation.  Dropout before the bottleneck acts in training
only and is left out.

Layer names are the ones the field's checkpoints use.  Spatial sizes below are for 160 x 160.
"""

from __future__ import annotations

from typing import TypeAlias

from facekit.system.keras_backend import keras

Tensor: TypeAlias = "keras.KerasTensor"

SIZE_PX = 160
BATCH_NORM_EPSILON = 0.001
BATCH_NORM_MOMENTUM = 0.995
RESIDUAL_SCALE_A = 0.17
RESIDUAL_SCALE_B = 0.10
RESIDUAL_SCALE_C = 0.20


def inception_resnet_v1(
    *, embedding_size: int = 512, batch_size: int | None = 1, dropout: float = 0.0
) -> keras.Model:
    """(1, 160, 160, 3) float32 -> (1, embedding_size) float32, not of unit length.

    The batch is fixed at one, since accelerators want every shape known; training passes None,
    for any batch, and the share of the pooled features that dropout leaves out.  23,497,424
    parameters at 512 numbers, of which the batch norms' 29,600 moving means and variances do not
    train.
    """
    image = keras.Input((SIZE_PX, SIZE_PX, 3), batch_size=batch_size, name="image")
    x = stem(image)
    for index in range(1, 6):
        x = inception_resnet_a(x, f"Block35_{index}")
    x = reduction_a(x)
    for index in range(1, 11):
        x = inception_resnet_b(x, f"Block17_{index}")
    x = reduction_b(x)
    for index in range(1, 6):
        x = inception_resnet_c(x, f"Block8_{index}")
    x = inception_resnet_c(x, "Block8_6", scale=1.0, activation=False)
    x = keras.layers.GlobalAveragePooling2D(name="AvgPool")(x)  # (1, 1792)
    if dropout:
        x = keras.layers.Dropout(dropout, name="Dropout")(x)
    x = keras.layers.Dense(embedding_size, use_bias=False, name="Bottleneck")(x)
    embedding = batch_norm(x, "Bottleneck")
    return keras.Model(image, embedding, name="inception_resnet_v1")


def stem(x: Tensor) -> Tensor:
    """Figure 14.  (1, 160, 160, 3) -> (1, 17, 17, 256)."""
    x = conv(x, 32, (3, 3), "Conv2d_1a_3x3", stride=2, padding="valid")  # (1, 79, 79, 32)
    x = conv(x, 32, (3, 3), "Conv2d_2a_3x3", padding="valid")  # (1, 77, 77, 32)
    x = conv(x, 64, (3, 3), "Conv2d_2b_3x3")  # (1, 77, 77, 64)
    x = keras.layers.MaxPooling2D(3, strides=2, name="MaxPool_3a_3x3")(x)  # (1, 38, 38, 64)
    x = conv(x, 80, (1, 1), "Conv2d_3b_1x1", padding="valid")  # (1, 38, 38, 80)
    x = conv(x, 192, (3, 3), "Conv2d_4a_3x3", padding="valid")  # (1, 36, 36, 192)
    return conv(x, 256, (3, 3), "Conv2d_4b_3x3", stride=2, padding="valid")  # (1, 17, 17, 256)


def inception_resnet_a(x: Tensor, name: str) -> Tensor:
    """Inception-ResNet-A, figure 10.  (1, 17, 17, 256) -> same shape."""
    branch_0 = conv(x, 32, (1, 1), f"{name}_Branch_0_Conv2d_1x1")
    branch_1 = conv(x, 32, (1, 1), f"{name}_Branch_1_Conv2d_0a_1x1")
    branch_1 = conv(branch_1, 32, (3, 3), f"{name}_Branch_1_Conv2d_0b_3x3")
    branch_2 = conv(x, 32, (1, 1), f"{name}_Branch_2_Conv2d_0a_1x1")
    branch_2 = conv(branch_2, 32, (3, 3), f"{name}_Branch_2_Conv2d_0b_3x3")
    branch_2 = conv(branch_2, 32, (3, 3), f"{name}_Branch_2_Conv2d_0c_3x3")
    return add_residual(x, [branch_0, branch_1, branch_2], name, scale=RESIDUAL_SCALE_A)


def reduction_a(x: Tensor) -> Tensor:
    """Reduction-A, figure 7 with k, l, m, n = 192, 192, 256, 384.

    (1, 17, 17, 256) -> (1, 8, 8, 896).
    """
    name = "Mixed_6a"
    branch_0 = conv(x, 384, (3, 3), f"{name}_Branch_0_Conv2d_1a_3x3", stride=2, padding="valid")
    branch_1 = conv(x, 192, (1, 1), f"{name}_Branch_1_Conv2d_0a_1x1")
    branch_1 = conv(branch_1, 192, (3, 3), f"{name}_Branch_1_Conv2d_0b_3x3")
    branch_1 = conv(
        branch_1, 256, (3, 3), f"{name}_Branch_1_Conv2d_1a_3x3", stride=2, padding="valid"
    )
    branch_2 = keras.layers.MaxPooling2D(3, strides=2, name=f"{name}_Branch_2_MaxPool_1a_3x3")(x)
    return keras.layers.Concatenate(name=name)([branch_0, branch_1, branch_2])


def inception_resnet_b(x: Tensor, name: str) -> Tensor:
    """Inception-ResNet-B, figure 11.  (1, 8, 8, 896) -> same shape."""
    branch_0 = conv(x, 128, (1, 1), f"{name}_Branch_0_Conv2d_1x1")
    branch_1 = conv(x, 128, (1, 1), f"{name}_Branch_1_Conv2d_0a_1x1")
    branch_1 = conv(branch_1, 128, (1, 7), f"{name}_Branch_1_Conv2d_0b_1x7")
    branch_1 = conv(branch_1, 128, (7, 1), f"{name}_Branch_1_Conv2d_0c_7x1")
    return add_residual(x, [branch_0, branch_1], name, scale=RESIDUAL_SCALE_B)


def reduction_b(x: Tensor) -> Tensor:
    """Reduction-B, figure 12.  (1, 8, 8, 896) -> (1, 3, 3, 1792)."""
    name = "Mixed_7a"
    branch_0 = conv(x, 256, (1, 1), f"{name}_Branch_0_Conv2d_0a_1x1")
    branch_0 = conv(
        branch_0, 384, (3, 3), f"{name}_Branch_0_Conv2d_1a_3x3", stride=2, padding="valid"
    )
    branch_1 = conv(x, 256, (1, 1), f"{name}_Branch_1_Conv2d_0a_1x1")
    branch_1 = conv(
        branch_1, 256, (3, 3), f"{name}_Branch_1_Conv2d_1a_3x3", stride=2, padding="valid"
    )
    branch_2 = conv(x, 256, (1, 1), f"{name}_Branch_2_Conv2d_0a_1x1")
    branch_2 = conv(branch_2, 256, (3, 3), f"{name}_Branch_2_Conv2d_0b_3x3")
    branch_2 = conv(
        branch_2, 256, (3, 3), f"{name}_Branch_2_Conv2d_1a_3x3", stride=2, padding="valid"
    )
    branch_3 = keras.layers.MaxPooling2D(3, strides=2, name=f"{name}_Branch_3_MaxPool_1a_3x3")(x)
    return keras.layers.Concatenate(name=name)([branch_0, branch_1, branch_2, branch_3])


def inception_resnet_c(
    x: Tensor, name: str, *, scale: float = RESIDUAL_SCALE_C, activation: bool = True
) -> Tensor:
    """Inception-ResNet-C, figure 13.  (1, 3, 3, 1792) -> same shape."""
    branch_0 = conv(x, 192, (1, 1), f"{name}_Branch_0_Conv2d_1x1")
    branch_1 = conv(x, 192, (1, 1), f"{name}_Branch_1_Conv2d_0a_1x1")
    branch_1 = conv(branch_1, 192, (1, 3), f"{name}_Branch_1_Conv2d_0b_1x3")
    branch_1 = conv(branch_1, 192, (3, 1), f"{name}_Branch_1_Conv2d_0c_3x1")
    return add_residual(x, [branch_0, branch_1], name, scale=scale, activation=activation)


def add_residual(
    x: Tensor, branches: list[Tensor], name: str, *, scale: float, activation: bool = True
) -> Tensor:
    """Branches side by side, a linear 1 x 1 convolution back to x's depth, scaled, added to x."""
    mixed = keras.layers.Concatenate(name=f"{name}_Concatenate")(branches)
    residual = keras.layers.Conv2D(x.shape[-1], 1, name=f"{name}_Conv2d_1x1")(mixed)
    if scale != 1.0:
        residual = keras.layers.Rescaling(scale, name=f"{name}_Scale")(residual)
    x = keras.layers.Add(name=f"{name}_Add")([x, residual])
    return keras.layers.Activation("relu", name=f"{name}_Activation")(x) if activation else x


def conv(
    x: Tensor,
    filters: int,
    kernel: tuple[int, int],
    name: str,
    *,
    stride: int = 1,
    padding: str = "same",
) -> Tensor:
    """Convolution without bias, batch norm, ReLU: one box of the figures."""
    x = keras.layers.Conv2D(
        filters, kernel, strides=stride, padding=padding, use_bias=False, name=name
    )(x)
    return keras.layers.Activation("relu", name=f"{name}_Activation")(batch_norm(x, name))


def batch_norm(x: Tensor, name: str) -> Tensor:
    return keras.layers.BatchNormalization(
        epsilon=BATCH_NORM_EPSILON,
        momentum=BATCH_NORM_MOMENTUM,
        scale=False,
        name=f"{name}_BatchNorm",
    )(x)
