"""Small ONNX networks: every operator that is known, in every form."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx

from tests.networks.onnx_models import node, noise

LARGEST = np.iinfo(np.int64).max


def integers(*numbers: int) -> Any:
    return np.array(numbers, np.int64)


def floats(*numbers: float) -> Any:
    return np.array(numbers, np.float32)


def scalar(number: float) -> Any:
    return np.array(number, np.float32)


POSITIVE = np.abs(noise(1, 3, 1, 1)) + np.float32(0.5)
_CONVOLUTIONS: list[tuple[tuple[int, ...], dict[str, Any]]] = [
    ((8, 3, 3, 3), {}),
    ((8, 3, 3, 2), {"strides": [2, 1], "pads": [1, 0, 2, 1]}),
    ((6, 1, 3, 3), {"group": 3, "pads": [1, 1, 1, 1], "strides": [2, 2]}),
    ((3, 1, 3, 3), {"group": 3, "dilations": [2, 2]}),
    ((4, 3, 3, 3), {"dilations": [2, 1], "pads": [2, 1, 2, 1]}),
    ((4, 3, 3, 3), {"auto_pad": "SAME_UPPER", "strides": [2, 2]}),
    ((4, 3, 4, 4), {"auto_pad": "SAME_LOWER"}),
    ((4, 3, 3, 3), {"auto_pad": "SAME_LOWER", "strides": [2, 2]}),
    ((4, 3, 3, 3), {"auto_pad": "VALID"}),
    ((4, 3, 12, 10), {}),
]
_AVERAGES: list[dict[str, Any]] = [
    {},
    {"strides": [2, 2]},
    {"strides": [2, 2], "pads": [1, 1, 1, 1]},
    {"strides": [2, 2], "pads": [1, 1, 1, 1], "count_include_pad": 1},
    {"pads": [1, 1, 1, 1]},
    {"pads": [0, 1, 1, 0], "strides": [1, 2]},
    {"auto_pad": "SAME_UPPER", "strides": [2, 2]},
    {"auto_pad": "SAME_LOWER", "strides": [2, 2]},
    {"strides": [2, 2], "ceil_mode": 1},
]
FORMS: dict[str, list[Any]] = {
    "Conv": [
        ([node("Conv", "x w", "y", **attributes)], {"w": noise(*shape)})
        for shape, attributes in _CONVOLUTIONS
    ]
    + [
        (
            [node("Conv", "x wide", "a"), node("Conv", "a w b", "y", group=2, pads=[1, 1, 1, 1])],
            {"wide": noise(8, 3, 1, 1), "w": noise(6, 4, 3, 3), "b": noise(6)},
        )
    ],
    "BatchNormalization": [
        (
            [node("BatchNormalization", "x s b m v", "y", epsilon=0.01)],
            {"s": noise(3), "b": noise(3), "m": noise(3), "v": POSITIVE.ravel()},
        ),
        (
            [
                node("Flatten", "x", "f"),
                node("BatchNormalization", "f s b m v", "y"),
            ],
            {"s": noise(360), "b": noise(360), "m": noise(360), "v": np.abs(noise(360)) + 1},
        ),
        (
            [
                node("Reshape", "x shape", "f"),
                node("BatchNormalization", "f s b m v", "y"),
            ],
            {"shape": integers(1, 3, 120), "s": noise(3), "b": noise(3), "m": noise(3)}
            | {"v": POSITIVE.ravel()},
        ),
    ],
    "Gemm": [
        (
            [node("Flatten", "x", "f"), node("Gemm", "f w b", "y", transB=1, alpha=0.5, beta=2.0)],
            {"w": noise(7, 360), "b": noise(7)},
        ),
        ([node("Flatten", "x", "f"), node("Gemm", "f w", "y")], {"w": noise(360, 5)}),
        (
            [node("Flatten", "x", "f"), node("Gemm", "f w b", "y")],
            {"w": noise(360, 5), "b": scalar(2)},
        ),
    ],
    "MatMul": [
        ([node("Flatten", "x", "f"), node("MatMul", "f w", "y")], {"w": noise(360, 4)}),
        ([node("MatMul", "x w", "y")], {"w": noise(10, 4)}),
        (
            [
                node("Transpose", "x", "t", perm=[0, 2, 3, 1]),
                node("Reshape", "t shape", "r"),
                node("MatMul", "r w", "y"),
            ],
            {"shape": integers(1, -1, 3), "w": noise(3, 6)},
        ),
    ],
    "PRelu": [
        ([node("PRelu", "x s", "y")], {"s": noise(*shape)})
        for shape in [(3, 1, 1), (1, 1, 1), (1,)]
    ]
    + [([node("Flatten", "x", "f"), node("PRelu", "f s", "y")], {"s": noise(360)})],
    "Relu": [([node("Relu", "x", "y")], {})],
    "LeakyRelu": [
        ([node("LeakyRelu", "x", "y")], {}),
        ([node("LeakyRelu", "x", "y", alpha=0.3)], {}),
    ],
    "Clip": [
        ([node("Clip", "x low high", "y")], {"low": scalar(0), "high": scalar(6)}),
        ([node("Clip", "x low", "y")], {"low": scalar(0)}),
        ([node("Clip", "x - high", "y")], {"high": scalar(0.5)}),
        ([node("Clip", "x low high", "y")], {"low": scalar(-0.5), "high": scalar(0.25)}),
        ([node("Clip", "x", "y", min=0.0, max=6.0)], {}, 7),
        ([node("Relu", "x", "r"), node("Clip", "r", "y")], {}),
    ],
    "Sigmoid": [([node("Sigmoid", "x", "y")], {})],
    "HardSigmoid": [
        ([node("HardSigmoid", "x", "y")], {}),
        ([node("HardSigmoid", "x", "y", alpha=1 / 6, beta=0.5)], {}),
        (
            [node("HardSigmoid", "x", "h", alpha=1 / 6, beta=0.5), node("Mul", "x h", "y")],
            {},
        ),
    ],
    "HardSwish": [([node("HardSwish", "x", "y")], {})],
    "Erf": [  # within GELU, which is what LiteRT has
        (  # as PyTorch writes it
            [
                node("Div", "x root", "a"),
                node("Erf", "a", "b"),
                node("Add", "b one", "c"),
                node("Mul", "x c", "d"),
                node("Mul", "d half", "y"),
            ],
            {"root": scalar(2**0.5), "one": scalar(1), "half": scalar(0.5)},
        ),
        (
            [
                node("Mul", "x root", "a"),
                node("Erf", "a", "b"),
                node("Add", "one b", "c"),
                node("Mul", "x half", "d"),
                node("Mul", "d c", "y"),
            ],
            {"root": scalar(0.5**0.5), "one": scalar(1), "half": scalar(0.5)},
        ),
    ],
    "Elu": [([node("Elu", "x", "y")], {}), ([node("Elu", "x", "y", alpha=0.3)], {})],
    "Softmax": [
        ([node("Softmax", "x", "y", axis=1)], {}),
        ([node("Softmax", "x", "y")], {}),
        ([node("Flatten", "x", "f"), node("Softmax", "f", "y")], {}),
        ([node("Flatten", "x", "f"), node("Softmax", "f", "y", axis=1)], {}, 11),
    ],
    "Sqrt": [([node("Relu", "x", "r"), node("Sqrt", "r", "y")], {})],
    "Reciprocal": [([node("Sigmoid", "x", "r"), node("Reciprocal", "r", "y")], {})],
    "Neg": [([node("Neg", "x", "y")], {})],
    "Pow": [
        ([node("Sigmoid", "x", "r"), node("Pow", "r e", "y")], {"e": np.float32(exponent)})
        for exponent in (0.5, 2, 3, -0.5, 1.5)
    ]
    + [([node("Pow", "x e", "y")], {"e": scalar(2)})],
    "Sum": [([node("Relu", "x", "a"), node("Sum", "x a x", "y")], {})],
    **{
        kind: [
            ([node(kind, "x c", "y")], {"c": POSITIVE}),
            ([node(kind, "x c", "y")], {"c": np.abs(noise(1, 1, 12, 10)) + 1}),
            ([node(kind, "x c", "y")], {"c": np.abs(noise(10)) + 1}),
            ([node("Sigmoid", "x", "s"), node(kind, "c s", "y")], {"c": POSITIVE[0]}),
            ([node("Sigmoid", "x", "s"), node(kind, "c s", "y")], {"c": scalar(0.5)}),
            ([node("Sigmoid", "x", "s"), node(kind, "x s", "y")], {}),
            ([node("Sigmoid", "x", "s"), node(kind, "s x", "y")], {})
            if kind not in ("Div",)
            else ([node("Sigmoid", "x", "s"), node(kind, "s s", "y")], {}),
            (  # as squeeze and excitation does
                [
                    node("GlobalAveragePool", "x", "p"),
                    node("Sigmoid", "p", "s"),
                    node(kind, "x s", "y"),
                ],
                {},
            ),
            (
                [
                    node("ReduceMean", "x axes", "p", keepdims=0),
                    node("Sigmoid", "p", "s"),
                    node("Reshape", "s shape", "r"),
                    node(kind, "x r", "y"),
                ],
                {"axes": integers(2, 3), "shape": integers(1, 3, 1, 1)},
            ),
            (  # a map of one channel
                [
                    node("ReduceMean", "x axes", "p"),
                    node("Sigmoid", "p", "s"),
                    node(kind, "x s", "y"),
                ],
                {"axes": integers(1)},
            ),
            (  # vectors
                [
                    node("ReduceMean", "x axes", "p", keepdims=0),
                    node("Sigmoid", "p", "s"),
                    node(kind, "s c", "y"),
                ],
                {"axes": integers(2, 3), "c": POSITIVE.reshape(1, 3)},
            ),
            (  # flattened pictures
                [
                    node("Flatten", "x", "f"),
                    node("Sigmoid", "f", "s"),
                    node(kind, "f c", "g"),
                    node(kind, "g s", "y"),
                ],
                {"c": np.abs(noise(1, 360)) + 1},
            ),
            (  # rows of pixels with a number for each picture's row
                [node("Reshape", "x shape", "r"), node(kind, "r c", "y")],
                {"shape": integers(1, 36, 10), "c": np.abs(noise(36, 1)) + 1},
            ),
        ]
        for kind in ("Add", "Sub", "Mul", "Div", "Max", "Min")
    },
    "Concat": [
        ([node("Relu", "x", "a"), node("Concat", "x a x", "y", axis=1)], {}),
        ([node("Relu", "x", "a"), node("Concat", "x a", "y", axis=-1)], {}),
        ([node("Relu", "x", "a"), node("Concat", "x a", "y", axis=2)], {}),
        (
            [
                node("Flatten", "x", "f"),
                node("GlobalAveragePool", "x", "p"),
                node("Flatten", "p", "q"),
                node("Concat", "f q", "y", axis=1),
            ],
            {},
        ),
        (
            [
                node("Transpose", "x", "t", perm=[0, 2, 3, 1]),
                node("Reshape", "t shape", "r"),
                node("Concat", "r r", "y", axis=1),
            ],
            {"shape": integers(0, -1, 3)},
        ),
    ],
    "Split": [
        ([node("Split", "x", "a b", axis=2), node("Add", "a b", "y")], {}, 13),
        ([node("Split", "x", "a b", axis=2, num_outputs=2), node("Add", "a b", "y")], {}),
        ([node("Split", "x s", "a y", axis=1)], {"s": integers(1, 2)}),
        ([node("Split", "x", "y b", axis=1, split=[1, 2])], {}, 11),
        ([node("Split", "x", "a b y", axis=-1, num_outputs=3)], {}),
    ],
    "Slice": [
        (
            [node("Slice", "x b e a s", "y")],
            {
                "b": integers(*begin),
                "e": integers(*end),
                "a": integers(*axes),
                "s": integers(*step),
            },
        )
        for begin, end, axes, step in [
            ((0, 1), (LARGEST, LARGEST), (2, 3), (2, 2)),
            ((1,), (3,), (1,), (1,)),
            ((-3, 0), (-1, 100), (2, 3), (1, 3)),
            ((0,), (LARGEST,), (1,), (1,)),
        ]
    ]
    + [
        ([node("Slice", "x b e", "y")], {"b": integers(0, 1, 2), "e": integers(1, 3, 9)}),
        ([node("Slice", "x", "y", starts=[1], ends=[3], axes=[2])], {}, 9),
        (
            [node("Flatten", "x", "f"), node("Slice", "f b e a", "y")],
            {"b": integers(7), "e": integers(200), "a": integers(1)},
        ),
    ],
    "Pad": [
        ([node("Pad", "x p", "y")], {"p": integers(0, 0, 1, 2, 0, 0, 3, 4)}),
        ([node("Pad", "x p v", "y")], {"p": integers(0, 0, 1, 1, 0, 0, 1, 1), "v": scalar(1.5)}),
        (
            [node("Pad", "x p - a", "y")],
            {"p": integers(1, 0, 0, 2), "a": integers(2, -1)},
        ),
        ([node("Pad", "x", "y", pads=[0, 0, 1, 1, 0, 0, 0, 0])], {}, 10),
        (
            [node("Pad", "x p", "q"), node("Conv", "q w", "y", strides=[2, 2])],
            {"p": integers(0, 0, 0, 0, 0, 0, 1, 1), "w": noise(4, 3, 3, 3)},
        ),
    ],
    "MaxPool": [
        ([node("MaxPool", "x", "y", kernel_shape=[2, 3], strides=[2, 2])], {}),
        ([node("MaxPool", "x", "y", kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])], {}),
        (
            [
                node("Relu", "x", "r"),
                node("MaxPool", "r", "y", kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1]),
            ],
            {},
        ),
        ([node("MaxPool", "x", "y", kernel_shape=[3, 3], pads=[1, 1, 1, 1])], {}),
        ([node("MaxPool", "x", "y", kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1)], {}),
        ([node("MaxPool", "x", "y", kernel_shape=[3, 4], strides=[3, 3], ceil_mode=1)], {}),
        (
            [node("MaxPool", "x", "y", kernel_shape=[2, 2], auto_pad="SAME_UPPER", strides=[2, 2])],
            {},
        ),
        (
            [node("MaxPool", "x", "y", kernel_shape=[3, 3], auto_pad="SAME_LOWER", strides=[2, 2])],
            {},
        ),
    ],
    "AveragePool": [
        ([node("AveragePool", "x", "y", kernel_shape=[3, 3], **attributes)], {}, opset)
        for opset in (11, 21)
        for attributes in _AVERAGES
    ]
    + [
        (
            [
                node(
                    "AveragePool",
                    "x",
                    "y",
                    kernel_shape=[3, 3],
                    strides=[2, 2],
                    ceil_mode=1,
                    count_include_pad=1,
                    pads=[1, 1, 0, 0],
                )
            ],
            {},
        )
    ],
    "GlobalAveragePool": [([node("GlobalAveragePool", "x", "y")], {})],
    "GlobalMaxPool": [([node("GlobalMaxPool", "x", "y")], {})],
    **{
        kind: [
            ([node(kind, "x a", "y", keepdims=keep)], {"a": integers(*axes)})
            for keep in (0, 1)
            for axes in ((2, 3), (1,), (-1,), (2,))
        ]
        + [
            ([node(kind, "x", "y", axes=[2, 3], keepdims=0)], {}, 11),
            ([node(kind, "x", "y", keepdims=1)], {}),
            ([node(kind, "x a", "y", noop_with_empty_axes=0)], {"a": integers(-2)}),
            ([node("Flatten", "x", "f"), node(kind, "f a", "y")], {"a": integers(1)}),
        ]
        for kind in ("ReduceMean", "ReduceSum", "ReduceL2", "ReduceMax", "ReduceSumSquare")
    },
    "LpNormalization": [
        ([node("LpNormalization", "x", "y", axis=1, p=2)], {}),
        ([node("Flatten", "x", "f"), node("LpNormalization", "f", "y")], {}),
    ],
    "Flatten": [
        ([node("Flatten", "x", "y")], {}),
        ([node("Flatten", "x", "y", axis=-3)], {}),
        ([node("Flatten", "x", "f"), node("Relu", "f", "r"), node("Flatten", "r", "y")], {}),
    ],
    "Reshape": [
        ([node("Reshape", "x s", "y")], {"s": integers(*shape)})
        for shape in [
            (1, 3, 120),
            (1, -1),
            (0, 0, -1),
            (1, 36, 10),
            (1, 6, 6, 10),
            (1, 3, 4, 3, 10),
            (3, 12, 10),
            (12, 10, 3),
        ]
    ]
    + [
        (  # shuffled channels
            [
                node("Conv", "x w", "c"),
                node("Reshape", "c s", "r"),
                node("Transpose", "r", "t", perm=[0, 2, 1, 3, 4]),
                node("Reshape", "t u", "y"),
            ],
            {"w": noise(8, 3, 1, 1), "s": integers(1, 2, 4, 12, 10), "u": integers(1, 8, 12, 10)},
        ),
        (  # and back to a picture
            [
                node("Flatten", "x", "f"),
                node("Sigmoid", "f", "g"),
                node("Reshape", "g s", "r"),
                node("Conv", "r w", "y"),
            ],
            {"s": integers(-1, 3, 12, 10), "w": noise(4, 3, 3, 3)},
        ),
        (
            [
                node("Flatten", "x", "f"),
                node("MatMul", "f m", "v"),
                node("Reshape", "v s", "r"),
                node("Conv", "r w", "y"),
            ],
            {"m": noise(360, 32), "s": integers(1, 2, 4, 4), "w": noise(4, 2, 3, 3)},
        ),
    ],
    "Transpose": [
        ([node("Transpose", "x", "y", perm=perm)], {})
        for perm in ([0, 2, 3, 1], [0, 1, 3, 2], [0, 3, 1, 2])
    ]
    + [
        ([node("Transpose", "x", "y")], {}),
        (
            [
                node("Transpose", "x", "t", perm=[0, 3, 2, 1]),
                node("Conv", "t w", "y"),
            ],
            {"w": noise(4, 10, 3, 3)},
        ),
        (
            [
                node("Transpose", "x", "t", perm=[0, 1, 3, 2]),
                node("Transpose", "t", "u", perm=[0, 1, 3, 2]),
                node("Add", "x u", "y"),
            ],
            {},
        ),
        (
            [
                node("Transpose", "x", "t", perm=[0, 2, 3, 1]),
                node("Add", "t c", "a"),
                node("Transpose", "a", "u", perm=[0, 3, 1, 2]),
                node("Mul", "x u", "y"),
            ],
            {"c": noise(12, 1, 3)},
        ),
    ],
    "Squeeze": [
        ([node("GlobalAveragePool", "x", "p"), node("Squeeze", "p a", "y")], {"a": integers(2, 3)}),
        ([node("GlobalAveragePool", "x", "p"), node("Squeeze", "p", "y", axes=[3])], {}, 11),
        ([node("Squeeze", "x a", "y")], {"a": integers(0)}),
    ],
    "Unsqueeze": [
        (
            [node("ReduceMax", "x r", "p", keepdims=0), node("Unsqueeze", "p a", "y")],
            {"r": integers(2, 3), "a": integers(-1)},
        ),
        (
            [
                node("ReduceMean", "x r", "p", keepdims=0),
                node("Unsqueeze", "p a", "u"),
                node("Conv", "u w", "c"),
                node("Mul", "c x", "y"),
            ],
            {"r": integers(2, 3), "a": integers(2, 3), "w": noise(3, 3, 1, 1)},
        ),
        ([node("Flatten", "x", "f"), node("Unsqueeze", "f", "y", axes=[1])], {}, 11),
    ],
    "Resize": [
        (
            [
                node(
                    "Resize",
                    "x - s",
                    "y",
                    mode=mode,
                    coordinate_transformation_mode=way,
                    nearest_mode=rounding,
                )
            ],
            {"s": np.array(scales, np.float32)},
        )
        for mode, way, rounding, scales in [
            ("nearest", "asymmetric", "floor", (1, 1, 2, 2)),
            ("nearest", "asymmetric", "floor", (1, 1, 3, 2)),
            ("nearest", "asymmetric", "round_prefer_floor", (1, 1, 2, 2)),
            ("nearest", "half_pixel", "round_prefer_floor", (1, 1, 2, 2)),
            ("nearest", "half_pixel", "round_prefer_ceil", (1, 1, 3, 1)),
            ("nearest", "align_corners", "round_prefer_ceil", (1, 1, 2, 2)),
            ("nearest", "asymmetric", "floor", (1, 1, 0.5, 0.5)),
            ("linear", "asymmetric", "floor", (1, 1, 2, 2)),
            ("linear", "half_pixel", "floor", (1, 1, 2, 3)),
            ("linear", "pytorch_half_pixel", "floor", (1, 1, 1.5, 2)),
            ("linear", "align_corners", "floor", (1, 1, 2, 2)),
            ("linear", "half_pixel", "floor", (1, 1, 0.5, 0.5)),
        ]
    ]
    + [
        (
            [node("Resize", "x - - s", "y", mode=mode, coordinate_transformation_mode=way)],
            {"s": integers(1, 3, 24, 30)},
        )
        for mode, way in [("linear", "half_pixel"), ("linear", "align_corners")]
    ]
    + [
        ([node("Resize", "x - s", "y", mode="linear", axes=[2, 3])], {"s": floats(2, 2)}),
        ([node("Resize", "x s", "y", mode="nearest")], {"s": floats(1, 1, 2, 2)}, 10),
        ([node("Resize", "x s", "y", mode="linear")], {"s": floats(1, 1, 2, 2)}, 10),
    ],
    "Upsample": [
        ([node("Upsample", "x s", "y")], {"s": floats(1, 1, 2, 3)}, 9),
        ([node("Upsample", "x s", "y", mode="linear")], {"s": floats(1, 1, 2, 2)}, 9),
        ([node("Upsample", "x", "y", scales=[1.0, 1.0, 2.0, 2.0])], {}, 7),
    ],
    "Dropout": [
        ([node("Dropout", "x r", "d"), node("Relu", "d", "y")], {"r": scalar(0.4)}),
        ([node("Relu", "x", "r"), node("Dropout", "r", "y", ratio=0.3)], {}, 11),
    ],
    "Identity": [([node("Identity", "x", "a"), node("Relu", "a", "y")], {})],
    "Cast": [([node("Cast", "x", "a", to=1), node("Relu", "a", "y")], {})],
    "Expand": [
        (
            [node("GlobalAveragePool", "x", "p"), node("Expand", "p s", "y")],
            {"s": integers(1, 1, 4, 5)},
        ),
        ([node("Expand", "x s", "y")], {"s": integers(1)}),
        (
            [
                node("ReduceL2", "x a", "n"),
                node("Clip", "n e", "c"),
                node("Shape", "x", "s"),
                node("Expand", "c s", "d"),
                node("Div", "x d", "y"),
            ],
            {"a": integers(1), "e": scalar(1e-12)},
        ),
    ],
    "Shape": [
        (
            [
                node("Shape", "x", "s"),
                node("Gather", "s zero", "g"),
                node("Unsqueeze", "g zeros", "u"),
                node("Concat", "u rest", "t", axis=0),
                node("Reshape", "x t", "y"),
            ],
            {"zero": np.int64(0), "zeros": integers(0), "rest": integers(-1)},
        ),
        (
            [
                node("Shape", "x", "s", start=1, end=-1),
                node("Concat", "o s r", "t", axis=0),
                node("Reshape", "x t", "y"),
            ],
            {"o": integers(1), "r": integers(-1)},
        ),
    ],
}
"""nodes from "x" to "y", their constants, and the operator set where it matters; by the operator
that is tried"""

CONSTANT_FORMS: dict[str, tuple[list[Any], dict[str, Any]]] = {
    "Add": ([node("Add", "a a", "c")], {"a": noise(3, 1, 1)}),
    "Cast": ([node("Cast", "a", "c", to=1)], {"a": np.arange(3).reshape(3, 1, 1)}),
    "Ceil": ([node("Ceil", "a", "c")], {"a": noise(3, 1, 1)}),
    "Concat": ([node("Concat", "a a a", "c", axis=0)], {"a": noise(1, 1, 1)}),
    "Constant": ([node("Constant", "", "c", value_floats=[1.5])], {}),
    "ConstantOfShape": (
        [node("ConstantOfShape", "s", "c", value=onnx.numpy_helper.from_array(floats(0.5)))],
        {"s": integers(3, 1, 1)},
    ),
    "DequantizeLinear": (
        [node("DequantizeLinear", "a s z", "c", axis=0)],
        {"a": np.array([[[5]], [[-7]], [[100]]], np.int8), "s": floats(0.1, 0.2, 0.3)}
        | {"z": np.array([0, 1, 2], np.int8)},
    ),
    "Div": ([node("Div", "a b", "c")], {"a": noise(3, 1, 1), "b": np.abs(noise(3, 1, 1)) + 1}),
    "Equal": (
        [
            node("Equal", "a b", "e"),
            node("Where", "e p q", "w"),
            node("Reshape", "w s", "c"),
        ],
        {"a": integers(1, 2, 3), "b": integers(1, 0, 3), "p": scalar(2), "q": noise(3)}
        | {"s": integers(3, 1, 1)},
    ),
    "Expand": ([node("Expand", "a s", "c")], {"a": noise(1), "s": integers(3, 1, 1)}),
    "Floor": ([node("Floor", "a", "c")], {"a": noise(3, 1, 1)}),
    "Gather": ([node("Gather", "a i", "c")], {"a": noise(5, 1, 1), "i": integers(4, 0, 2)}),
    "Identity": ([node("Identity", "a", "c")], {"a": noise(3, 1, 1)}),
    "Mul": ([node("Mul", "a a", "c")], {"a": noise(3, 1, 1)}),
    "Neg": ([node("Neg", "a", "c")], {"a": noise(3, 1, 1)}),
    "QuantizeLinear": (
        [node("QuantizeLinear", "a s z", "q"), node("DequantizeLinear", "q s z", "c")],
        {"a": noise(3, 1, 1), "s": scalar(0.02), "z": np.int8(3)},
    ),
    "Reshape": ([node("Reshape", "a s", "c")], {"a": noise(3), "s": integers(3, 1, -1)}),
    "Shape": (
        [node("Shape", "a", "s"), node("ConstantOfShape", "s", "c")],
        {"a": noise(3, 1, 1)},
    ),
    "Slice": (
        [node("Slice", "a b e", "c")],
        {"a": noise(5, 1, 1), "b": integers(1), "e": integers(4)},
    ),
    "Sqrt": ([node("Sqrt", "a", "c")], {"a": np.abs(noise(3, 1, 1))}),
    "Squeeze": ([node("Squeeze", "a i", "c")], {"a": noise(1, 3, 1, 1), "i": integers(0)}),
    "Sub": ([node("Sub", "a b", "c")], {"a": noise(3, 1, 1), "b": noise(1)}),
    "Transpose": ([node("Transpose", "a", "c", perm=[2, 0, 1])], {"a": noise(1, 1, 3)}),
    "Unsqueeze": ([node("Unsqueeze", "a i", "c")], {"a": noise(3), "i": integers(1, 2)}),
    "Where": (
        [node("Where", "w a b", "c")],
        {"w": np.array([True]), "a": noise(3, 1, 1), "b": noise(1)},
    ),
}
"""nodes to the constant "c" """
