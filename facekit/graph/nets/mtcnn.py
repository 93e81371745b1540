"""The three nets of MTCNN's cascade.

Zhang, Zhang, Li, Qiao, "Joint Face Detection and Alignment using Multi-task Cascaded
Convolutional Networks", 2016 (arXiv:1604.02878), figure 2.  NB: the weights in use were
trained with wider R- and O-Nets' first layers and PReLU throughout; sizes here are theirs.

Input values are (pixel - 127.5) / 128, RGB.  Outputs in this order:
  boxes        four offsets of the corners x1, y1, x2, y2, in window sides
  landmarks    O-Net only: x of five points, then y of the five, in window sides
  probability  not a face, a face; they sum to one
"""

from __future__ import annotations

from typing import TypeAlias

from facekit.system.keras_backend import keras

Tensor: TypeAlias = "keras.KerasTensor"

PNET_WINDOW_PX = 12
RNET_SIZE_PX = 24
ONET_SIZE_PX = 48


def pnet() -> keras.Model:
    """Proposals: (1, H, W, 3) -> boxes (1, h, w, 4), probability (1, h, w, 2).

    A 12-pixel window every 2 pixels: h = ceil((H - 2) / 2) - 4, and w likewise.
    """
    image = keras.Input((None, None, 3), batch_size=1, name="image")
    x = conv(image, 10, 3, "1")  # (1, H - 2, W - 2, 10)
    x = keras.layers.MaxPooling2D(2, padding="same", name="pool1")(x)
    x = conv(x, 16, 3, "2")
    x = conv(x, 32, 3, "3")  # (1, h, w, 32)
    boxes = keras.layers.Conv2D(4, 1, name="boxes")(x)
    probability = keras.layers.Conv2D(2, 1, activation="softmax", name="probability")(x)
    return keras.Model(image, [boxes, probability], name="pnet")


def rnet() -> keras.Model:
    """Refinement: (N, 24, 24, 3) -> boxes (N, 4), probability (N, 2)."""
    windows = keras.Input((RNET_SIZE_PX, RNET_SIZE_PX, 3), name="windows")
    x = conv(windows, 28, 3, "1")  # (N, 22, 22, 28)
    x = keras.layers.MaxPooling2D(3, strides=2, padding="same", name="pool1")(x)  # (N, 11, 11, 28)
    x = conv(x, 48, 3, "2")  # (N, 9, 9, 48)
    x = keras.layers.MaxPooling2D(3, strides=2, name="pool2")(x)  # (N, 4, 4, 48)
    x = conv(x, 64, 2, "3")  # (N, 3, 3, 64)
    x = dense(x, 128, "4")
    boxes = keras.layers.Dense(4, name="boxes")(x)
    probability = keras.layers.Dense(2, activation="softmax", name="probability")(x)
    return keras.Model(windows, [boxes, probability], name="rnet")


def onet() -> keras.Model:
    """Output: (N, 48, 48, 3) -> boxes (N, 4), landmarks (N, 10), probability (N, 2)."""
    windows = keras.Input((ONET_SIZE_PX, ONET_SIZE_PX, 3), name="windows")
    x = conv(windows, 32, 3, "1")  # (N, 46, 46, 32)
    x = keras.layers.MaxPooling2D(3, strides=2, padding="same", name="pool1")(x)  # (N, 23, 23, 32)
    x = conv(x, 64, 3, "2")  # (N, 21, 21, 64)
    x = keras.layers.MaxPooling2D(3, strides=2, name="pool2")(x)  # (N, 10, 10, 64)
    x = conv(x, 64, 3, "3")  # (N, 8, 8, 64)
    x = keras.layers.MaxPooling2D(2, padding="same", name="pool3")(x)  # (N, 4, 4, 64)
    x = conv(x, 128, 2, "4")  # (N, 3, 3, 128)
    x = dense(x, 256, "5")
    boxes = keras.layers.Dense(4, name="boxes")(x)
    landmarks = keras.layers.Dense(10, name="landmarks")(x)
    probability = keras.layers.Dense(2, activation="softmax", name="probability")(x)
    return keras.Model(windows, [boxes, landmarks, probability], name="onet")


def conv(x: Tensor, filters: int, kernel: int, number: str) -> Tensor:
    """Unpadded convolution with bias, then PReLU with one slope a channel."""
    x = keras.layers.Conv2D(filters, kernel, name=f"conv{number}")(x)
    return keras.layers.PReLU(shared_axes=[1, 2], name=f"prelu{number}")(x)


def dense(x: Tensor, units: int, number: str) -> Tensor:
    """(N, height, width, channels), flattened in that order, -> (N, units), then PReLU."""
    x = keras.layers.Flatten(name=f"flatten{number}")(x)
    x = keras.layers.Dense(units, name=f"dense{number}")(x)
    return keras.layers.PReLU(name=f"prelu{number}")(x)
