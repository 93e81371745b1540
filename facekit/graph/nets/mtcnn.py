"""The three networks of MTCNN's cascade.

Zhang, Zhang, Li, Qiao, "Joint Face Detection and Alignment using Multi-task Cascaded Convolutional
Networks", 2016 (arXiv:1604.02878), figure 2.  NB: the available weights were trained with wider
first layers of R-Net and O-Net than the paper's, and with PReLU throughout; the sizes here are
those of the weights.

Input values are (pixel - 127.5) / 128, RGB.  The outputs are, in this order:
  boxes        four offsets of the corners x1, y1, x2, y2, relative to the window size
  landmarks    O-Net only: x of five points, then y of the five, relative to the window size
  probability  of no face, and of a face; the two sum to one
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from facekit.errors import ModelBuildError
from facekit.graph import moves, operations
from facekit.graph.graph import DYNAMIC, NO_PADS, Graph, Node
from facekit.types import Float32Array

PNET_WINDOW_PX = 12
RNET_SIZE_PX = 24
ONET_SIZE_PX = 48


class Weights:
    """A network's arrays, returned in the order in which the layers below request them."""

    def __init__(self, arrays: Sequence[Float32Array], *, origin: str) -> None:
        self._arrays = arrays
        self._origin = origin
        self._used = 0

    def take(self, *shape: int) -> Float32Array:
        """Returns the next array.

        Raises ModelBuildError if the array is missing, or has another shape.
        """
        name = f"{self._origin}[{self._used}]"
        if self._used == len(self._arrays):
            raise ModelBuildError(f"The mtcnn wheel lacks the array {name}.")
        array = self._arrays[self._used]
        if array.shape != shape:
            raise ModelBuildError(
                f"The mtcnn wheel's {name} does not fit: shape {shape} needed, received "
                f"{array.shape}."
            )
        self._used += 1
        return array

    def graph(self, name: str, *outputs: Node) -> Graph:
        """Returns the finished network.  Raises ModelBuildError if arrays remain unused."""
        if self._used < len(self._arrays):
            raise ModelBuildError(
                f"The mtcnn wheel's {self._origin}[{self._used}] has no place in {name}."
            )
        return Graph(name, outputs)


def pnet(weights: Weights) -> Graph:
    """Builds the proposal network: (1, H, W, 3) -> boxes (1, h, w, 4), probability (1, h, w, 2).

    The network evaluates a 12 x 12 window every 2 pixels: h = ceil((H - 2) / 2) - 4, and likewise
    w.
    """
    x = operations.graph_input("image", (1, DYNAMIC, DYNAMIC, 3))
    x = conv(x, weights, 10, 3, "1")  # (1, H - 2, W - 2, 10)
    x = pool(x, 2, "1", same=True)
    x = conv(x, weights, 16, 3, "2")
    x = conv(x, weights, 32, 3, "3")  # (1, h, w, 32)
    boxes = plain_conv(x, weights, 4, 1, "boxes")
    scores = plain_conv(x, weights, 2, 1, "scores")
    return weights.graph("pnet", boxes, operations.softmax(scores, "probability"))


def rnet(weights: Weights) -> Graph:
    """Builds the refinement network: (N, 24, 24, 3) -> boxes (N, 4), probability (N, 2)."""
    x = operations.graph_input("windows", (DYNAMIC, RNET_SIZE_PX, RNET_SIZE_PX, 3))
    x = conv(x, weights, 28, 3, "1")  # (N, 22, 22, 28)
    x = pool(x, 3, "1", same=True)  # (N, 11, 11, 28)
    x = conv(x, weights, 48, 3, "2")  # (N, 9, 9, 48)
    x = pool(x, 3, "2")  # (N, 4, 4, 48)
    x = conv(x, weights, 64, 2, "3")  # (N, 3, 3, 64)
    x = dense(x, weights, 128, "4")
    boxes = plain_dense(x, weights, 4, "boxes")
    scores = plain_dense(x, weights, 2, "scores")
    return weights.graph("rnet", boxes, operations.softmax(scores, "probability"))


def onet(weights: Weights) -> Graph:
    """Builds the output network.

    (N, 48, 48, 3) -> boxes (N, 4), landmarks (N, 10), probability (N, 2).
    """
    x = operations.graph_input("windows", (DYNAMIC, ONET_SIZE_PX, ONET_SIZE_PX, 3))
    x = conv(x, weights, 32, 3, "1")  # (N, 46, 46, 32)
    x = pool(x, 3, "1", same=True)  # (N, 23, 23, 32)
    x = conv(x, weights, 64, 3, "2")  # (N, 21, 21, 64)
    x = pool(x, 3, "2")  # (N, 10, 10, 64)
    x = conv(x, weights, 64, 3, "3")  # (N, 8, 8, 64)
    x = pool(x, 2, "3", same=True)  # (N, 4, 4, 64)
    x = conv(x, weights, 128, 2, "4")  # (N, 3, 3, 128)
    x = dense(x, weights, 256, "5")
    boxes = plain_dense(x, weights, 4, "boxes")
    landmarks = plain_dense(x, weights, 10, "landmarks")
    scores = plain_dense(x, weights, 2, "scores")
    return weights.graph("onet", boxes, landmarks, operations.softmax(scores, "probability"))


NETS: dict[str, Callable[[Weights], Graph]] = {"pnet": pnet, "rnet": rnet, "onet": onet}


def conv(x: Node, weights: Weights, filters: int, kernel: int, number: str) -> Node:
    """Adds an unpadded convolution with bias, and a PReLU with one slope per channel."""
    x = plain_conv(x, weights, filters, kernel, f"conv{number}")
    return operations.prelu(x, weights.take(1, 1, filters).reshape(-1), f"prelu{number}")


def plain_conv(x: Node, weights: Weights, filters: int, kernel: int, name: str) -> Node:
    array = weights.take(kernel, kernel, x.shape[3], filters)
    return operations.convolution(x, array, name, bias=weights.take(filters))


def pool(x: Node, size: int, number: str, *, same: bool = False) -> Node:
    """Adds a max pool of stride 2, which halves height and width."""
    pads = None if same else NO_PADS
    return operations.max_pool(x, (size, size), f"pool{number}", stride=(2, 2), pads=pads)


def dense(x: Node, weights: Weights, units: int, number: str) -> Node:
    """Adds a flatten, a dense layer and a PReLU: (N, height, width, channels) -> (N, units).

    NB: the weights were trained in MATLAB, which flattens columns first: (x, y, channel).
    """
    _, height, width, channels = x.shape
    x = moves.flatten(x, f"flatten{number}")
    array = weights.take(height * width * channels, units)
    by_row = array.reshape(width, height, channels, units).swapaxes(0, 1).reshape(array.shape)
    x = operations.dense(x, by_row, f"dense{number}", bias=weights.take(units))
    return operations.prelu(x, weights.take(units), f"prelu{number}")


def plain_dense(x: Node, weights: Weights, units: int, name: str) -> Node:
    array = weights.take(x.shape[1], units)
    return operations.dense(x, array, name, bias=weights.take(units))
