"""Converts photos to batches: decodes, augments and scales them as the card's InputSpec states.

Every random number is computed from the seed, the epoch and the photo's index in the epoch
(TensorFlow's stateless functions).  A batch is therefore the same after a resume, and with one
process or with four.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from facekit.enums import ColorOrder
from facekit.errors import ImageError
from facekit.photo.decode import read_image
from facekit.training.backend import tf
from facekit.training.config import AugmentConfig
from facekit.training.dataset.epoch import IntArray, PhotoSet
from facekit.types import Float32Array, InputSpec, UInt8Array

Tensor: TypeAlias = Any

_AHEAD = 4  # number of batches prepared in advance


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """The photos that one process feeds to its replicas in one step."""

    images: Float32Array
    """(B, H, W, 3) float32 model input."""
    labels: NDArray[np.int32]
    """(B,) int32, the class index of each photo."""


@dataclass(frozen=True, slots=True, eq=False)
class Share:
    """The part of each batch that this process prepares.

    The part is a range of columns of the plan (steps, batch).
    """

    first: int
    last: int
    """The column after the last one."""


class Photos:
    """The crops of a photo set.

    If the crops fit into memory and all have one size, each crop is decoded once.  Otherwise a crop
    is decoded at each use.
    """

    def __init__(self, photos: PhotoSet, spec: InputSpec, *, memory_mb: int) -> None:
        """`memory_mb` limits the decoded crops, in units of 10^6 bytes.

        Raises ImageError if a crop that is read here is unreadable or smaller than the net's input.
        If the crops fit into memory, all are read here, up to the first crop of another size;
        otherwise only the first crop is.
        """
        self.photos = photos
        self.spec = spec
        self._decoded: UInt8Array | None = None
        if photos.paths:
            shape = _read(photos.paths[0], spec).shape
            if len(photos) * int(np.prod(shape)) <= memory_mb * 10**6:
                self._decoded = _read_all(photos.paths, spec, shape)

    def pixels(self, index: int) -> UInt8Array:
        """Returns crop `index` as (H, W, 3) RGB uint8, at least as large as the net's input.

        Raises ImageError, which names the photo, if the crop is unreadable or too small.
        """
        if self._decoded is not None:
            return np.asarray(self._decoded[index])
        return _read(self.photos.paths[index], self.spec)

    def batches(
        self,
        plan: IntArray,
        augment: AugmentConfig,
        *,
        seed: int,
        epoch: int,
        first_step: int = 0,
        share: Share | None = None,
    ) -> Iterator[Batch]:
        """Yields the epoch's batches from `first_step` on.

        `plan` holds indices of photos, (steps, batch).  `share` selects the columns that this
        process prepares; None selects all columns.
        Raises ImageError, which names the photo, if a crop is unreadable or too small.
        """
        share = share or Share(0, plan.shape[1])
        indices = plan[first_step:, share.first : share.last]
        # The random numbers of a photo depend on its position within the epoch, not on the share.
        positions = np.arange(plan.size).reshape(plan.shape)[first_step:, share.first : share.last]
        augment_crop = augmentation(augment, self.spec, seed=seed, epoch=epoch)

        def prepare(index: Tensor, label: Tensor, position: Tensor) -> tuple[Tensor, Tensor]:
            pixels = tf.numpy_function(
                lambda value: self.pixels(int(value)), [index], tf.uint8, stateful=False
            )
            pixels.set_shape((None, None, 3))
            return augment_crop(pixels, position), label

        with tf.device("CPU"):
            data = tf.data.Dataset.from_tensor_slices(
                (
                    indices.ravel(),
                    self.photos.labels[indices.ravel()].astype(np.int32),
                    positions.ravel(),
                )
            )
            data = data.map(prepare, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
            data = data.batch(share.last - share.first, drop_remainder=True).prefetch(_AHEAD)
        return _batches(data)

    def center_crops(self, batch_size: int) -> Iterator[Float32Array]:
        """Yields the centers of all crops, in order, as model input (B, H, W, 3) float32.

        B is at most `batch_size`.  Raises ImageError, which names the photo, if a crop is
        unreadable or too small.
        """
        from facekit.runtime.preprocess import model_input

        for first in range(0, len(self.photos), batch_size):
            indices = range(first, min(first + batch_size, len(self.photos)))
            yield model_input(
                np.stack([_center(self.pixels(index), self.spec) for index in indices]), self.spec
            )


def _batches(data: Tensor) -> Iterator[Batch]:
    try:
        for images, labels in data.as_numpy_iterator():
            yield Batch(images, labels)
    except tf.errors.OpError as error:  # carries the error that numpy_function's Python raised
        _head, found, message = str(error.message).partition("ImageError: ")
        if not found:
            raise
        raise ImageError(message.partition("\n")[0]) from error


def _read(path: Path, spec: InputSpec) -> UInt8Array:
    pixels = read_image(path)
    if pixels.shape[0] < spec.height_px or pixels.shape[1] < spec.width_px:
        raise ImageError(
            f"{path}: a crop of at least {spec.width_px} x {spec.height_px} pixels is needed. "
            f"Received: {pixels.shape[1]} x {pixels.shape[0]}. Make crops with align-dataset "
            "--size."
        )
    return pixels


def _read_all(
    paths: tuple[Path, ...], spec: InputSpec, shape: tuple[int, ...]
) -> UInt8Array | None:
    """Returns all crops as (N, H, W, 3) uint8, or None if the crops differ in size."""
    decoded = np.empty((len(paths), *shape), np.uint8)
    for index, path in enumerate(paths):
        pixels = _read(path, spec)
        if pixels.shape != shape:
            return None
        decoded[index] = pixels
    return decoded


def _center(pixels: UInt8Array, spec: InputSpec) -> UInt8Array:
    top = (pixels.shape[0] - spec.height_px) // 2
    left = (pixels.shape[1] - spec.width_px) // 2
    return pixels[top : top + spec.height_px, left : left + spec.width_px]


def augmentation(
    config: AugmentConfig, spec: InputSpec, *, seed: int, epoch: int
) -> Callable[[Tensor, Tensor], Tensor]:
    """Returns a TensorFlow function that maps a crop and its position to model input.

    The crop is (H, W, 3) RGB uint8, its position in the epoch an int64 scalar, and the result
    (h, w, 3) float32.  For one seed and epoch, equal crops and positions give equal results.  With
    every augmentation off the result is the crop's center, scaled as `model_input` scales.
    """
    height, width = spec.height_px, spec.width_px

    def augment(pixels: Tensor, position: Tensor) -> Tensor:
        root = tf.stack([tf.constant(seed, tf.int64), epoch * (1 << 32) + position])

        def draw(stream: int, low: float, high: float) -> Tensor:
            return tf.random.stateless_uniform(
                (), tf.stack([root[0], root[1] + (stream << 56)]), low, high
            )

        x = tf.cast(pixels, tf.float32)
        if config.rotate_degrees or config.zoom:
            degrees = draw(1, -config.rotate_degrees, config.rotate_degrees)
            x = rotate_and_zoom(x, degrees * np.pi / 180, 1 + draw(2, -config.zoom, config.zoom))
        spare_y, spare_x = tf.shape(x)[0] - height, tf.shape(x)[1] - width
        if config.random_crop:
            top = tf.cast(draw(3, 0, 1) * tf.cast(spare_y + 1, tf.float32), tf.int32)
            left = tf.cast(draw(4, 0, 1) * tf.cast(spare_x + 1, tf.float32), tf.int32)
            top, left = tf.minimum(top, spare_y), tf.minimum(left, spare_x)
        else:
            top, left = spare_y // 2, spare_x // 2
        x = tf.image.crop_to_bounding_box(x, top, left, height, width)
        if config.flip:
            x = tf.where(draw(5, 0, 1) < 0.5, x[:, ::-1], x)
        if config.contrast:
            mean = tf.reduce_mean(x, (0, 1), keepdims=True)
            x = mean + (x - mean) * (1 + draw(6, -config.contrast, config.contrast))
        if config.saturation:
            gray = tf.reduce_mean(x, -1, keepdims=True)
            x = gray + (x - gray) * (1 + draw(7, -config.saturation, config.saturation))
        if config.brightness:
            x += draw(8, -config.brightness, config.brightness)
        if config.erase:
            x = _erase(x, config.erase, draw(9, 0, 1), draw(10, 0, 1), root)
        x = tf.clip_by_value(x, 0.0, 255.0)
        if spec.color_order is ColorOrder.BGR:
            x = x[..., ::-1]
        x = (x - np.float32(spec.mean)) / np.float32(spec.std)
        return tf.ensure_shape(x, (height, width, 3))

    return augment


def rotate_and_zoom(x: Tensor, angle: Tensor, scale: Tensor) -> Tensor:
    """Rotates (H, W, C) about its center by `angle` radians and enlarges it by the factor `scale`.

    The result has the same shape.  Positive angles turn the content counterclockwise as displayed.
    Pixels are interpolated bilinearly; beyond the edges the photo is mirrored.
    """
    size = tf.cast(tf.shape(x)[:2], tf.float32)
    center_y, center_x = (size[0] - 1) / 2, (size[1] - 1) / 2
    cos, sin = tf.cos(angle) / scale, tf.sin(angle) / scale
    # The eight coefficients of ImageProjectiveTransform map output pixels to input pixels.
    matrix = [cos, -sin, center_x - cos * center_x + sin * center_y,
              sin, cos, center_y - sin * center_x - cos * center_y, 0.0, 0.0]  # fmt: skip
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=x[tf.newaxis],
        transforms=tf.stack(matrix)[tf.newaxis],
        output_shape=tf.shape(x)[:2],
        interpolation="BILINEAR",
        fill_mode="REFLECT",
        fill_value=0.0,
    )[0]


def _erase(
    x: Tensor, side_fraction: float, position_y: Tensor, position_x: Tensor, root: Tensor
) -> Tensor:
    """Covers a rectangle with noise (Zhong et al. 2017, "Random Erasing").

    The rectangle's height and width are `side_fraction` of the height and width of x (H, W, C).  A
    position of 0 means the top or left edge, and 1 the last position at which the rectangle fits.
    """
    height, width = x.shape[0], x.shape[1]
    side_y, side_x = round(side_fraction * height), round(side_fraction * width)
    top = tf.cast(position_y * (height - side_y + 1), tf.int32)
    left = tf.cast(position_x * (width - side_x + 1), tf.int32)
    rows, columns = tf.range(height)[:, None], tf.range(width)[None]
    inside = (rows >= top) & (rows < top + side_y) & (columns >= left) & (columns < left + side_x)
    noise = tf.random.stateless_uniform(
        tf.shape(x), tf.stack([root[0], root[1] + (11 << 56)]), 0.0, 255.0
    )
    return tf.where(inside[..., None], noise, x)
