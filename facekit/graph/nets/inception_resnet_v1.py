"""Inception-ResNet-v1: computes an embedding of a 160 x 160 face.

Szegedy, Ioffe, Vanhoucke, Alemi, "Inception-v4, Inception-ResNet and the Impact of Residual
Connections on Learning", 2016 (arXiv:1602.07261), figures 10 to 15, in the variant that David
Sandberg's facenet trains: residual branches are scaled by 0.17, 0.10 and 0.20, a sixth
Inception-ResNet-C block is neither scaled nor activated, and the pooled features go through a
linear bottleneck with batch normalization.  Dropout before the bottleneck acts in training only and
is left out.  A batch norm may have a gamma, as in facenet-pytorch.

Layer names are those of the common checkpoints.  The shapes below are for a 160 x 160 input.
"""

from __future__ import annotations

import numpy as np

from facekit.graph import moves, operations
from facekit.graph.graph import NO_PADS, Graph, Node, Operation, Pads
from facekit.graph.names import node_name
from facekit.graph.weights import Weights
from facekit.types import Float32Array

NAME = "inception_resnet_v1"
SIZE_PX = 160
BATCH_NORM_EPSILON = 0.001
RESIDUAL_SCALE_A = 0.17
RESIDUAL_SCALE_B = 0.10
RESIDUAL_SCALE_C = 0.20
_SAME = None
"""TensorFlow's "SAME" padding."""


def inception_resnet_v1(weights: Weights, *, embedding_size: int = 512) -> Graph:
    """Builds the network: (1, 160, 160, 3) float32 -> (1, embedding_size) float32.

    The embedding does not have unit length.  With 512 elements and without gammas the network has
    23,497,424 parameters.  Of these, the 29,600 moving means and variances of the batch norms are
    not trained.
    """
    blocks = _Blocks(weights)
    x = blocks.stem(operations.graph_input("image", (1, SIZE_PX, SIZE_PX, 3)))
    for index in range(1, 6):
        x = blocks.inception_resnet_a(x, f"Block35_{index}")
    x = blocks.reduction_a(x)
    for index in range(1, 11):
        x = blocks.inception_resnet_b(x, f"Block17_{index}")
    x = blocks.reduction_b(x)
    for index in range(1, 6):
        x = blocks.inception_resnet_c(x, f"Block8_{index}")
    x = blocks.inception_resnet_c(x, "Block8_6", scale=1.0, activation=False)
    x = operations.mean(x, node_name("AvgPool", Operation.REDUCE_MEAN))  # (1, 1792)
    kernel = weights.take("Bottleneck/kernel", (x.shape[1], embedding_size))
    x = operations.dense(x, kernel, node_name("Bottleneck", Operation.DENSE))
    return weights.graph(NAME, blocks.batch_norm(x, "Bottleneck"))


class _Blocks:
    """Builds the blocks of the network with their weights."""

    def __init__(self, weights: Weights) -> None:
        self._weights = weights

    def stem(self, x: Node) -> Node:
        """Figure 14.  (1, 160, 160, 3) -> (1, 17, 17, 256)."""
        x = self.conv(x, 32, (3, 3), "Conv2d_1a_3x3", stride=2, pads=NO_PADS)  # (1, 79, 79, 32)
        x = self.conv(x, 32, (3, 3), "Conv2d_2a_3x3", pads=NO_PADS)  # (1, 77, 77, 32)
        x = self.conv(x, 64, (3, 3), "Conv2d_2b_3x3")  # (1, 77, 77, 64)
        x = self.max_pool(x, "MaxPool_3a_3x3")  # (1, 38, 38, 64)
        x = self.conv(x, 80, (1, 1), "Conv2d_3b_1x1", pads=NO_PADS)  # (1, 38, 38, 80)
        x = self.conv(x, 192, (3, 3), "Conv2d_4a_3x3", pads=NO_PADS)  # (1, 36, 36, 192)
        return self.conv(
            x, 256, (3, 3), "Conv2d_4b_3x3", stride=2, pads=NO_PADS
        )  # (1, 17, 17, 256)

    def inception_resnet_a(self, x: Node, name: str) -> Node:
        """Inception-ResNet-A, figure 10.  (1, 17, 17, 256) -> same shape."""
        branch_0 = self.conv(x, 32, (1, 1), f"{name}_Branch_0_Conv2d_1x1")
        branch_1 = self.conv(x, 32, (1, 1), f"{name}_Branch_1_Conv2d_0a_1x1")
        branch_1 = self.conv(branch_1, 32, (3, 3), f"{name}_Branch_1_Conv2d_0b_3x3")
        branch_2 = self.conv(x, 32, (1, 1), f"{name}_Branch_2_Conv2d_0a_1x1")
        branch_2 = self.conv(branch_2, 32, (3, 3), f"{name}_Branch_2_Conv2d_0b_3x3")
        branch_2 = self.conv(branch_2, 32, (3, 3), f"{name}_Branch_2_Conv2d_0c_3x3")
        return self.add_residual(x, [branch_0, branch_1, branch_2], name, scale=RESIDUAL_SCALE_A)

    def reduction_a(self, x: Node) -> Node:
        """Reduction-A, figure 7 with k, l, m, n = 192, 192, 256, 384.

        (1, 17, 17, 256) -> (1, 8, 8, 896).
        """
        name = "Mixed_6a"
        branch_0 = self.conv(
            x, 384, (3, 3), f"{name}_Branch_0_Conv2d_1a_3x3", stride=2, pads=NO_PADS
        )
        branch_1 = self.conv(x, 192, (1, 1), f"{name}_Branch_1_Conv2d_0a_1x1")
        branch_1 = self.conv(branch_1, 192, (3, 3), f"{name}_Branch_1_Conv2d_0b_3x3")
        branch_1 = self.conv(
            branch_1, 256, (3, 3), f"{name}_Branch_1_Conv2d_1a_3x3", stride=2, pads=NO_PADS
        )
        branch_2 = self.max_pool(x, f"{name}_Branch_2_MaxPool_1a_3x3")
        return self.concatenate([branch_0, branch_1, branch_2], name)

    def inception_resnet_b(self, x: Node, name: str) -> Node:
        """Inception-ResNet-B, figure 11.  (1, 8, 8, 896) -> same shape."""
        branch_0 = self.conv(x, 128, (1, 1), f"{name}_Branch_0_Conv2d_1x1")
        branch_1 = self.conv(x, 128, (1, 1), f"{name}_Branch_1_Conv2d_0a_1x1")
        branch_1 = self.conv(branch_1, 128, (1, 7), f"{name}_Branch_1_Conv2d_0b_1x7")
        branch_1 = self.conv(branch_1, 128, (7, 1), f"{name}_Branch_1_Conv2d_0c_7x1")
        return self.add_residual(x, [branch_0, branch_1], name, scale=RESIDUAL_SCALE_B)

    def reduction_b(self, x: Node) -> Node:
        """Reduction-B, figure 12.  (1, 8, 8, 896) -> (1, 3, 3, 1792)."""
        name = "Mixed_7a"
        branch_0 = self.conv(x, 256, (1, 1), f"{name}_Branch_0_Conv2d_0a_1x1")
        branch_0 = self.conv(
            branch_0, 384, (3, 3), f"{name}_Branch_0_Conv2d_1a_3x3", stride=2, pads=NO_PADS
        )
        branch_1 = self.conv(x, 256, (1, 1), f"{name}_Branch_1_Conv2d_0a_1x1")
        branch_1 = self.conv(
            branch_1, 256, (3, 3), f"{name}_Branch_1_Conv2d_1a_3x3", stride=2, pads=NO_PADS
        )
        branch_2 = self.conv(x, 256, (1, 1), f"{name}_Branch_2_Conv2d_0a_1x1")
        branch_2 = self.conv(branch_2, 256, (3, 3), f"{name}_Branch_2_Conv2d_0b_3x3")
        branch_2 = self.conv(
            branch_2, 256, (3, 3), f"{name}_Branch_2_Conv2d_1a_3x3", stride=2, pads=NO_PADS
        )
        branch_3 = self.max_pool(x, f"{name}_Branch_3_MaxPool_1a_3x3")
        return self.concatenate([branch_0, branch_1, branch_2, branch_3], name)

    def inception_resnet_c(
        self, x: Node, name: str, *, scale: float = RESIDUAL_SCALE_C, activation: bool = True
    ) -> Node:
        """Inception-ResNet-C, figure 13.  (1, 3, 3, 1792) -> same shape."""
        branch_0 = self.conv(x, 192, (1, 1), f"{name}_Branch_0_Conv2d_1x1")
        branch_1 = self.conv(x, 192, (1, 1), f"{name}_Branch_1_Conv2d_0a_1x1")
        branch_1 = self.conv(branch_1, 192, (1, 3), f"{name}_Branch_1_Conv2d_0b_1x3")
        branch_1 = self.conv(branch_1, 192, (3, 1), f"{name}_Branch_1_Conv2d_0c_3x1")
        return self.add_residual(x, [branch_0, branch_1], name, scale=scale, activation=activation)

    def add_residual(
        self, x: Node, branches: list[Node], name: str, *, scale: float, activation: bool = True
    ) -> Node:
        """Concatenates the branches, maps them to the depth of x, scales them, and adds x.

        A linear 1 x 1 convolution maps the branches to the depth of x.
        """
        mixed = self.concatenate(branches, f"{name}_Concatenate")
        residual = operations.convolution(
            mixed,
            self.kernel(mixed, x.shape[3], (1, 1), f"{name}_Conv2d_1x1"),
            node_name(f"{name}_Conv2d_1x1", Operation.CONVOLUTION, bias=True),
            bias=self._weights.take(f"{name}_Conv2d_1x1/bias", (x.shape[3],)),
        )
        if scale != 1.0:
            scaled = node_name(f"{name}_Scale", Operation.MULTIPLY)
            residual = operations.multiply(residual, np.array([scale], np.float32), scaled)
        x = operations.add(x, residual, node_name(f"{name}_Add", Operation.ADD))
        return self.relu(x, name) if activation else x

    def conv(
        self,
        x: Node,
        filters: int,
        size: tuple[int, int],
        name: str,
        *,
        stride: int = 1,
        pads: Pads | None = _SAME,
    ) -> Node:
        """Adds a convolution without bias, a batch norm and a ReLU: one box in the figures."""
        x = operations.convolution(
            x,
            self.kernel(x, filters, size, name),
            node_name(name, Operation.CONVOLUTION),
            stride=(stride, stride),
            pads=pads,
        )
        return self.relu(self.batch_norm(x, name), name)

    def kernel(self, x: Node, filters: int, size: tuple[int, int], name: str) -> Float32Array:
        return self._weights.take(f"{name}/kernel", (*size, x.shape[3], filters))

    def batch_norm(self, x: Node, name: str) -> Node:
        layer = f"{name}_BatchNorm"

        def take(leaf: str) -> Float32Array:
            return self._weights.take(f"{layer}/{leaf}", x.shape[-1:])

        return operations.batch_norm(
            x,
            node_name(layer, Operation.BATCH_NORM),
            gamma=take("gamma") if self._weights.has(f"{layer}/gamma") else None,
            beta=take("beta"),
            mean=take("moving_mean"),
            variance=take("moving_variance"),
            epsilon=BATCH_NORM_EPSILON,
        )

    def max_pool(self, x: Node, name: str) -> Node:
        return operations.max_pool(x, (3, 3), node_name(name, Operation.MAX_POOL), stride=(2, 2))

    def concatenate(self, branches: list[Node], name: str) -> Node:
        return moves.concatenate(branches, node_name(name, Operation.CONCATENATE))

    def relu(self, x: Node, name: str) -> Node:
        return operations.relu(x, node_name(f"{name}_Activation", Operation.RELU))
