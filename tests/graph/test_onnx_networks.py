"""Whole networks as exporters write them: as LiteRT files they answer as in ONNX Runtime."""

from __future__ import annotations

import warnings
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from facekit.errors import ModelBuildError
from facekit.graph.graph import DYNAMIC, Graph, Operation
from facekit.graph.read.onnx_graph import read_onnx_graph
from facekit.graph.write.litert import to_litert
from facekit.runtime.litert import LiteRtNet
from tests.graph.test_onnx_operators import compared

onnx = pytest.importorskip("onnx", reason="no onnx: pip install '.[convert]'")
pytest.importorskip("onnxruntime", reason="no onnxruntime: pip install '.[convert]'")

from tests.networks.onnx_forms import floats, integers, scalar  # noqa: E402  # they need onnx
from tests.networks.onnx_models import (  # noqa: E402  # they need onnx
    SHAPE,
    answers_by_onnx_runtime,
    model,
    node,
    noise,
    written,
)


def operations_of(graph: Graph) -> Counter[Operation]:
    return Counter(one.operation for one in graph.nodes)


def test_channels_last_as_tf2onnx_writes_them(tmp_path: Path) -> None:
    """Pictures with channels last are transposed for each layer there, and never here."""
    nodes = [
        node("Transpose", "x", "model/conv2d_1/Conv2D__6:0", perm=[0, 3, 1, 2]),
        node("Conv", "model/conv2d_1/Conv2D__6:0 w b", "model/conv2d_1/BiasAdd:0", pads=[1] * 4),
        node("Transpose", "model/conv2d_1/BiasAdd:0", "t", perm=[0, 2, 3, 1]),
        node("Add", "t c", "model/add_1/add:0"),
        node("Transpose", "model/add_1/add:0", "u", perm=[0, 3, 1, 2]),
        node("PRelu", "u s", "model/add_2/add:0"),
        node("GlobalAveragePool", "model/add_2/add:0", "p"),
        node("Squeeze", "p axes", "v"),
        node("MatMul", "v k", "model/out_1/y:0"),
    ]
    constants = {"w": noise(6, 3, 3, 3), "b": noise(6), "c": noise(6), "s": noise(6, 1, 1)}
    constants |= {"axes": integers(2, 3), "k": noise(6, 4)}
    made = model(nodes, constants, shape=(1, 12, 10, 3), output="model/out_1/y:0")
    made.graph.input[0].name = made.graph.node[0].input[0] = "input_1:0"
    graph = compared(made, tmp_path, noise(1, 12, 10, 3), channels_last=True)
    assert (graph.inputs[0].name, graph.inputs[0].shape) == ("input_1:0", (1, 12, 10, 3))
    assert not operations_of(graph) & Counter([Operation.TRANSPOSE, Operation.RESHAPE])
    # What is cut off from the names of activations is not in them.
    assert {"model/add.1/add:0", "model/add.2/add:0"} <= {one.name for one in graph.nodes}


def test_several_outputs_for_pictures_of_any_size(tmp_path: Path) -> None:
    """As YuNet: two strides, the coarser enlarged and added to the finer, heads by pixel."""
    nodes = [
        node("Conv", "x w", "a", pads=[1, 1, 1, 1], strides=[2, 2]),
        node("Relu", "a", "fine"),
        node("MaxPool", "fine", "b", kernel_shape=[2, 2], strides=[2, 2]),
        node("Conv", "b v", "coarse", pads=[1, 1, 1, 1], group=4),
        node(
            "Resize",
            "coarse - scales",
            "large",
            coordinate_transformation_mode="asymmetric",
            nearest_mode="floor",
        ),
        node("Add", "fine large", "sum"),
        node("Resize", "coarse - scales", "smooth", mode="linear"),
        node("Concat", "sum smooth", "both", axis=1),
    ]
    outputs = []
    for which in ("sum", "coarse"):
        nodes += [
            node("Conv", f"{which} head", f"{which}_conv"),
            node("Transpose", f"{which}_conv", f"{which}_last", perm=[0, 2, 3, 1]),
            node("Reshape", f"{which}_last rows", f"{which}_rows"),
            node("Sigmoid", f"{which}_rows", f"{which}_score"),
        ]
        outputs.append(f"{which}_score")
    outputs += ["both", "fine"]
    constants = {"w": noise(4, 3, 3, 3), "v": noise(4, 1, 3, 3), "head": noise(2, 4, 1, 1)}
    constants |= {"scales": floats(1, 1, 2, 2), "rows": integers(1, -1, 2)}
    shape = (1, 3, "height", "width")
    made = model(nodes, constants, shape=shape, output=" ".join(outputs))
    for height, width in ((16, 24), (32, 16)):
        graph = compared(made, tmp_path, noise(1, 3, height, width), any_size=True)
    assert graph.inputs[0].shape == (1, DYNAMIC, DYNAMIC, 3)
    assert [one.shape for one in graph.outputs[:2]] == [(1, DYNAMIC, 2)] * 2
    sized = compared(made, tmp_path, noise(1, 3, 16, 24), size=(16, 24))
    assert [one.shape for one in sized.outputs[:2]] == [(1, 96, 2), (1, 24, 2)]
    with pytest.raises(ModelBuildError, match=r"x has a dynamic height or width, .* Give the size"):
        read_onnx_graph(written(made, tmp_path), name="open")


def test_one_picture_runs_at_every_size_in_turn(tmp_path: Path) -> None:
    nodes = [
        node("Conv", "x w", "a", pads=[1, 1, 1, 1], strides=[2, 2]),
        node("Resize", "a - scales", "y", mode="linear"),
    ]
    constants = {"w": noise(4, 3, 3, 3), "scales": floats(1, 1, 2, 2)}
    path = written(model(nodes, constants, shape=(1, 3, "h", "w")), tmp_path)
    litert = tmp_path / "net.tflite"
    litert.write_bytes(to_litert(read_onnx_graph(path, name="net", any_size=True)))
    net = LiteRtNet(litert)
    for height, width in ((8, 6), (20, 10), (2, 4), (8, 6)):
        x = noise(1, 3, height, width)
        (found,), (wanted,) = net.run(x.transpose(0, 2, 3, 1)), answers_by_onnx_runtime(path, x)
        np.testing.assert_allclose(found, wanted.transpose(0, 2, 3, 1), atol=1e-5)


def test_what_exporters_merge_list_and_leave_over(tmp_path: Path) -> None:
    """Equal weights are one tensor there, all are listed as inputs, some are never read."""
    nodes = [
        node("Conv", "x w b", "a", pads=[1, 1, 1, 1]),
        node("PRelu", "a s", "r"),
        node("Conv", "r w b", "c", pads=[1, 1, 1, 1]),
        node("PRelu", "c s", "q"),
        node("Relu", "q", "nowhere"),
        node("LSTM", "q", "unknown"),
        node("Add", "q b4", "y"),
    ]
    constants = {"w": noise(3, 3, 3, 3), "b": noise(3), "s": noise(3, 1, 1), "left": noise(4)}
    made = model(nodes, constants | {"b4": noise(1, 3, 1, 1)}, shape=("N", 3, 8, 8))
    for name in ("w", "b", "s", "left"):
        value = onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None)
        made.graph.input.append(value)
    graph = read_onnx_graph(written(made, tmp_path), name="made")
    assert graph.inputs[0].shape == (1, 8, 8, 3)
    del made.graph.node[4:6]  # which ONNX Runtime refuses
    compared(made, tmp_path, noise(1, 3, 8, 8))


def test_outputs_keep_their_names_whatever_is_done_last(tmp_path: Path) -> None:
    nodes = [
        node("Flatten", "x", "y"),
        node("Relu", "y", "z"),
        node("GlobalAveragePool", "x", "p"),
        node("Dropout", "p", "vector"),
    ]
    graph = compared(model(nodes, {}, output="y z vector"), tmp_path, noise(*SHAPE))
    assert [one.name for one in graph.outputs] == ["y", "z", "vector"]
    assert [one.shape for one in graph.outputs] == [(1, 360), (1, 360), (1, 3)]


def test_weights_beside_the_file(tmp_path: Path) -> None:
    made = model([node("Conv", "x w", "y")], {"w": noise(4, 3, 3, 3)})
    content = made.graph.initializer[0].raw_data
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / "all.bin").write_bytes(b"before" + content)
    onnx.external_data_helper.set_external_data(
        made.graph.initializer[0], "weights/all.bin", offset=6, length=len(content)
    )
    made.graph.initializer[0].ClearField("raw_data")
    compared(made, tmp_path, noise(*SHAPE))


@pytest.mark.parametrize(
    ("location", "offset", "length"),
    [
        ("../outside.bin", 0, 432),
        ("/etc/passwd", 0, 432),
        ("link.bin", 0, 432),
        ("", 0, 432),
        ("absent.bin", 0, 432),
        ("short.bin", 0, 432),
        ("short.bin", 1 << 60, 432),
        ("short.bin", -8, 8),
        ("short.bin", 0, 8),
    ],
)
def test_weights_outside_the_folder_are_refused(
    tmp_path: Path, location: str, offset: int, length: int
) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    (tmp_path / "outside.bin").write_bytes(b"\0" * 432)
    (folder / "short.bin").write_bytes(b"\0" * 8)
    (folder / "link.bin").symlink_to(tmp_path / "outside.bin")
    made = model([node("Conv", "x w", "y")], {"w": noise(4, 3, 3, 3)})
    tensor = made.graph.initializer[0]
    onnx.external_data_helper.set_external_data(tensor, location, offset=offset, length=length)
    tensor.ClearField("raw_data")
    with pytest.raises(
        ModelBuildError, match=r"made\.onnx: w (lies in|: bytes|must have as many)|w: bytes"
    ):
        read_onnx_graph(written(made, folder), name="outside")


def test_a_network_of_integers_is_refused_with_what_to_do(tmp_path: Path) -> None:
    nodes = [
        node("QuantizeLinear", "x s z", "q"),
        node("DequantizeLinear", "q s z", "f"),
        node("Relu", "f", "y"),
    ]
    path = written(model(nodes, {"s": scalar(0.1), "z": np.int8(0)}), tmp_path)
    with pytest.raises(ModelBuildError, match=r"q is a QuantizeLinear of .* Import the float32"):
        read_onnx_graph(path, name="integers")


torch: Any = pytest.importorskip("torch", reason="no PyTorch, which only tests need")


class MobileFaceNet(torch.nn.Module):  # type: ignore[misc]  # torch is Any
    """Depthwise separable blocks with PReLU, a global depthwise layer, a norm at the end."""

    def __init__(self) -> None:
        super().__init__()
        nn = torch.nn
        self.layers = nn.Sequential(
            nn.Conv2d(3, 8, 3, 2, 1, bias=False), nn.BatchNorm2d(8), nn.PReLU(8)
        )
        self.block = nn.Sequential(
            nn.Conv2d(8, 16, 1, bias=False), nn.BatchNorm2d(16), nn.PReLU(16),
            nn.Conv2d(16, 16, 3, 1, 1, groups=16, bias=False), nn.BatchNorm2d(16), nn.PReLU(16),
            nn.Conv2d(16, 8, 1, bias=False), nn.BatchNorm2d(8),
        )  # fmt: skip
        self.last = nn.Sequential(nn.Conv2d(8, 8, (16, 12), groups=8), nn.Flatten())
        self.embedding = nn.Sequential(nn.Linear(8, 6, bias=False), nn.BatchNorm1d(6))

    def forward(self, x: Any) -> Any:
        x = self.layers(x)
        return self.embedding(self.last(x + self.block(x)))


class ResNetIr(torch.nn.Module):  # type: ignore[misc]  # torch is Any
    """Norm first before a padded layer, a shortcut by pooling, squeeze and excitation."""

    def __init__(self) -> None:
        super().__init__()
        nn = torch.nn
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 3, 1, 1), nn.BatchNorm2d(8), nn.PReLU(8))
        self.block = nn.Sequential(
            nn.BatchNorm2d(8), nn.Conv2d(8, 8, 3, 1, 1, bias=False), nn.BatchNorm2d(8), nn.PReLU(8),
            nn.Conv2d(8, 8, 3, 2, 1, bias=False), nn.BatchNorm2d(8),
        )  # fmt: skip
        self.excite = nn.Sequential(
            nn.AdaptiveAvgPool2d(1), nn.Conv2d(8, 2, 1), nn.ReLU(), nn.Conv2d(2, 8, 1), nn.Sigmoid()
        )
        self.shortcut = nn.MaxPool2d(1, 2)
        self.norm, self.drop = nn.BatchNorm2d(8), nn.Dropout()
        self.dense, self.features = nn.Linear(8 * 16 * 12, 6), nn.BatchNorm1d(6)

    def forward(self, x: Any) -> Any:
        x = self.stem(x)
        y = self.block(x)
        x = self.drop(self.norm(y * self.excite(y) + self.shortcut(x)))
        return self.features(self.dense(torch.flatten(x, 1)))


class MobileNetV3(torch.nn.Module):  # type: ignore[misc]  # torch is Any
    """Hard swish, hard sigmoid, squeeze and excitation by dense layers, ReLU6, unit length."""

    def __init__(self) -> None:
        super().__init__()
        nn = torch.nn
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1), nn.BatchNorm2d(8), nn.Hardswish())
        self.layer = nn.Sequential(nn.Conv2d(8, 8, 5, 2, 2, groups=8), nn.ReLU6())
        self.squeeze = nn.Sequential(nn.Linear(8, 4), nn.ReLU(), nn.Linear(4, 8), nn.Hardsigmoid())
        self.last, self.dense = nn.Conv2d(8, 12, 1), nn.Linear(12, 6)

    def forward(self, x: Any) -> Any:
        x = self.layer(self.stem(x))
        count, channels = x.size(0), x.size(1)
        x = x * self.squeeze(x.mean((2, 3))).view(count, channels, 1, 1)
        x = torch.nn.functional.hardswish(self.last(x))
        x = torch.nn.functional.adaptive_avg_pool2d(x, 1).view(x.size(0), -1)
        return torch.nn.functional.normalize(self.dense(x))


class Pyramid(torch.nn.Module):  # type: ignore[misc]  # torch is Any
    """Features of two sizes brought together by interpolation, average pools, chunks."""

    def __init__(self) -> None:
        super().__init__()
        nn = torch.nn
        self.fine = nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1), nn.LeakyReLU(0.1))
        self.coarse = nn.Sequential(nn.Conv2d(8, 8, 3, 2, 1), nn.ELU())
        self.pool = nn.AvgPool2d(3, 2, 1)
        self.dense = nn.Linear(12, 6)

    def forward(self, x: Any) -> Any:
        fine = self.fine(x)
        coarse = self.coarse(fine) + self.pool(fine)
        size = fine.shape[2:]
        interpolate = torch.nn.functional.interpolate
        fine = fine + interpolate(coarse, size=size, mode="bilinear", align_corners=False)
        first, second = interpolate(coarse, scale_factor=2, mode="nearest").chunk(2, 1)
        x = torch.cat([fine, torch.maximum(first, second)], 1)
        x = torch.nn.functional.pad(x, (0, 1, 1, 0))
        x = x.flatten(2).mean(2)
        return self.dense(x) / self.dense(x).norm(p=2, dim=1, keepdim=True)


@pytest.mark.parametrize(
    ("opset", "dynamic"), [(11, True), (13, False), (14, True), (18, False), (20, True)]
)
@pytest.mark.parametrize("design", [MobileFaceNet, ResNetIr, MobileNetV3, Pyramid])
def test_what_pytorch_exports(design: Any, opset: int, dynamic: bool, tmp_path: Path) -> None:
    torch.manual_seed(7)
    net = design()
    for module in net.modules():
        if isinstance(module, (torch.nn.BatchNorm1d, torch.nn.BatchNorm2d)):
            torch.nn.init.uniform_(module.running_mean, -0.5, 0.5)
            torch.nn.init.uniform_(module.running_var, 0.5, 1.5)
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
            torch.nn.init.uniform_(module.bias, -0.5, 0.5)
    path = tmp_path / "exported.onnx"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            net.eval(),
            (torch.zeros(1, 3, 32, 24),),
            path,
            opset_version=opset,
            dynamo=False,
            input_names=["input"],
            dynamic_axes={"input": {0: "batch"}} if dynamic else None,
        )
    x = noise(1, 3, 32, 24)
    graph = compared(onnx.load(path), tmp_path, x)
    assert graph.inputs[0].shape == (1, 32, 24, 3)
    assert not operations_of(graph)[Operation.TRANSPOSE]
    with torch.no_grad():
        wanted = net(torch.from_numpy(x)).numpy()
    (found,) = LiteRtNet(tmp_path / "made.tflite").run(x.transpose(0, 2, 3, 1))
    np.testing.assert_allclose(found, wanted, atol=1e-5)
