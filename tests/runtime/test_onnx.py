"""OnnxNet on small files, sound and not; ONNX Runtime with and without what is asked of it."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from facekit.enums import Device, Runtime
from facekit.errors import (
    AcceleratorError,
    MissingExtraError,
    ModelMismatchError,
    ModelMissingError,
    StorageError,
    UsageError,
)
from facekit.runtime.delegates import AcceleratorRequest, DeviceUse, open_net
from facekit.runtime.devices import CPU_PROVIDER
from facekit.runtime.onnx import OnnxNet, _checked_counts, available_providers
from facekit.types import Float32Array

pytest.importorskip("onnxruntime", reason="no onnxruntime: pip install '.[onnx]'")
onnx = pytest.importorskip("onnx", reason="no onnx: pip install '.[convert]'")

TAKES_NOTHING = "AzureExecutionProvider"
"""A part of the usual wheel for the CPU; it takes operators of one cloud service alone"""
needs_azure = pytest.mark.skipif(
    TAKES_NOTHING not in available_providers(), reason=f"this ONNX Runtime has no {TAKES_NOTHING}"
)


def write_net(
    path: Path,
    *,
    batch: str | int = "batch",
    inputs: tuple[str, ...] = ("x",),
    dtype: int = onnx.TensorProto.FLOAT,
) -> Path:
    """y = x + x (or the sum of the inputs), of shape (batch, 2, 3)."""
    helper = onnx.helper
    values = [helper.make_tensor_value_info(name, dtype, [batch, 2, 3]) for name in inputs]
    graph = helper.make_graph(
        [helper.make_node("Add", [inputs[0], inputs[-1]], ["y"])],
        "doubling",
        values,
        [helper.make_tensor_value_info("y", dtype, [batch, 2, 3])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    onnx.save(model, path)
    return path


def test_a_picture_with_channels_first_is_given_channels_last(tmp_path: Path) -> None:
    helper = onnx.helper
    kernel = np.array([[1], [10], [100]], np.float32)
    graph = helper.make_graph(
        [
            helper.make_node("ReduceMax", ["x"], ["colors"], axes=[2, 3], keepdims=0),
            helper.make_node("MatMul", ["colors", "kernel"], ["y"]),
        ],
        "colors",
        [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, ["n", 3, 4, 5])],
        [helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, ["n", 1])],
        [onnx.numpy_helper.from_array(kernel, "kernel")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    onnx.save(model, tmp_path / "first.onnx")
    net = OnnxNet(tmp_path / "first.onnx")
    assert net.inputs[0].shape == (-1, 4, 5, 3)
    pictures = np.zeros((2, 4, 5, 3), np.float32)
    pictures[0, 3, 1], pictures[1, 0, 4] = (3, 2, 1), (1, 2, 3)
    assert net.run(pictures)[0].ravel().tolist() == [123, 321]
    with pytest.raises(ValueError, match=r"\(N, 4, 5, 3\)"):
        net.run(pictures.transpose(0, 3, 1, 2))


@pytest.fixture
def doubling(tmp_path: Path) -> Path:
    return write_net(tmp_path / "doubling.onnx")


def ramp(count: int) -> Float32Array:
    return np.linspace(-1, 1, count * 6, dtype=np.float32).reshape(count, 2, 3)


@pytest.mark.parametrize("count", [0, 1, 3, 4, 5, 64])
@pytest.mark.parametrize("batch", ["batch", 1])
def test_open_and_fixed_batches_take_any_count(
    count: int, batch: str | int, tmp_path: Path
) -> None:
    net = OnnxNet(write_net(tmp_path / "net.onnx", batch=batch), threads=1)
    (doubled,) = net.run(ramp(count))
    assert doubled.dtype == np.float32
    np.testing.assert_array_equal(doubled, 2 * ramp(count))


def test_threads_get_their_own_answers(doubling: Path) -> None:
    net = OnnxNet(doubling)
    wrong = []

    def work(thread: int) -> None:
        for number in range(100):
            batch = ramp(1 + number % 7) + np.float32(thread)
            (doubled,) = net.run(batch)
            if not np.array_equal(doubled, 2 * batch):
                wrong.append((thread, number))

    crew = [threading.Thread(target=work, args=(thread,)) for thread in range(8)]
    for thread in crew:
        thread.start()
    for thread in crew:
        thread.join()
    assert wrong == []


def test_inputs_and_outputs_are_described(doubling: Path) -> None:
    net = OnnxNet(doubling)
    assert [(one.name, one.shape, one.dtype) for one in net.inputs] == [
        ("x", (-1, 2, 3), "float32")
    ]
    assert net.outputs[0].shape == (-1, 2, 3)
    assert net.delegated_nodes == 0


@pytest.mark.parametrize("shape", [(2, 3), (1, 3, 2), (1, 2, 3, 1)])
def test_another_shape_is_refused(doubling: Path, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"doubling.onnx needs float32 of shape \(N, 2, 3\)"):
        OnnxNet(doubling).run(np.zeros(shape, np.float32))


def test_another_dtype_is_refused(doubling: Path) -> None:
    with pytest.raises(ValueError, match="Received: float64"):
        OnnxNet(doubling).run(np.zeros((1, 2, 3)))


@pytest.mark.parametrize("kept", [0, 1, 20, -1])
def test_a_file_that_is_cut_off(doubling: Path, kept: int) -> None:
    doubling.write_bytes(doubling.read_bytes()[:kept])
    with pytest.raises(ModelMismatchError, match=r"is not an ONNX model .* or is damaged"):
        OnnxNet(doubling)


def test_a_file_of_another_format(data: Path, tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    path.write_bytes((data / "tiny" / "float32.tflite").read_bytes())
    with pytest.raises(ModelMismatchError, match="is not an ONNX model"):
        OnnxNet(path)


def test_nets_that_facekit_cannot_feed(tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    with pytest.raises(ModelMismatchError, match="has 2 inputs; facekit runs one"):
        OnnxNet(write_net(path, inputs=("a", "b")))
    with pytest.raises(ModelMismatchError, match="batch of 1 or a dynamic one"):
        OnnxNet(write_net(path, batch=4))
    with pytest.raises(ModelMismatchError, match=r"must be float32, .*tensor\(float16\)"):
        OnnxNet(write_net(path, dtype=onnx.TensorProto.FLOAT16))


def test_no_file_and_no_readable_one(tmp_path: Path) -> None:
    with pytest.raises(ModelMissingError, match="There is no model file"):
        OnnxNet(tmp_path / "none.onnx")
    (tmp_path / "folder.onnx").mkdir()
    with pytest.raises(StorageError, match="cannot be read"):
        OnnxNet(tmp_path / "folder.onnx")


def test_threads_are_counted_from_one(doubling: Path) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        OnnxNet(doubling, threads=0)


def test_a_provider_that_is_not_there(doubling: Path) -> None:
    request = AcceleratorRequest(providers=("NoSuchExecutionProvider", CPU_PROVIDER))
    with pytest.raises(AcceleratorError, match=f"has no NoSuchExecutionProvider.*{CPU_PROVIDER}"):
        open_net(doubling, request=request)
    allowed = open_net(
        doubling, request=AcceleratorRequest(providers=request.providers, allow_cpu_fallback=True)
    )
    assert "has no NoSuchExecutionProvider" in allowed.fallback_reason
    assert allowed.providers == (CPU_PROVIDER,)
    np.testing.assert_array_equal(allowed.net.run(ramp(2))[0], 2 * ramp(2))


@needs_azure
def test_a_provider_that_takes_nothing(doubling: Path) -> None:
    with pytest.raises(AcceleratorError, match=f"{TAKES_NOTHING} took no operator"):
        open_net(doubling, request=AcceleratorRequest(providers=(TAKES_NOTHING,)))


class AcceleratedSession:
    """What ONNX Runtime says of a session on a machine with two accelerators."""

    def __init__(self, **operators: int) -> None:
        self.operators = operators

    def get_providers(self) -> list[str]:
        return ["A", "B", CPU_PROVIDER]

    def get_provider_graph_assignment_info(self) -> list[SimpleNamespace]:
        return [
            SimpleNamespace(ep_name=name, get_nodes=lambda count=count: ["node"] * count)
            for name, count in self.operators.items()
        ]


def test_of_several_providers_the_first_must_take_something() -> None:
    order = ("A", "B", CPU_PROVIDER)
    path = Path("net.onnx")
    assert _checked_counts(AcceleratedSession(A=7, B=2), order, path) == {"A": 7, "B": 2}
    assert _checked_counts(AcceleratedSession(A=7), order, path) == {"A": 7, "B": 0}
    with pytest.raises(AcceleratorError, match=r"A took no operator of net\.onnx: .*\(B 9\)"):
        _checked_counts(AcceleratedSession(B=9), order, path)


def test_a_provider_that_has_nothing_to_do_is_said() -> None:
    use = DeviceUse(Runtime.ONNX, "provider", providers=("A", "B"), idle_providers=("B",))
    assert str(use) == "the embedding network runs through A, B; B took no operator"


def test_a_provider_that_onnx_runtime_drops_itself(
    doubling: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where its library cannot be loaded: the session is made, without it."""
    import onnxruntime

    gone = "CUDAExecutionProvider"
    there = [*onnxruntime.get_available_providers(), gone]
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: there)
    with pytest.raises(AcceleratorError, match=gone):
        OnnxNet(doubling, providers=(gone, CPU_PROVIDER))


def test_what_is_opened_names_its_provider(doubling: Path) -> None:
    opened = open_net(doubling, request=AcceleratorRequest(providers=(CPU_PROVIDER,)))
    assert (opened.providers, opened.delegate, opened.fallback_reason) == (
        (CPU_PROVIDER,),
        None,
        "",
    )
    assert not AcceleratorRequest(providers=(CPU_PROVIDER,)).requests_accelerator
    assert AcceleratorRequest(providers=("CUDAExecutionProvider",)).requests_accelerator


def test_each_runtime_refuses_what_is_the_others(doubling: Path, data: Path) -> None:
    with pytest.raises(UsageError, match=r"--provider is for \.onnx files"):
        open_net(
            data / "tiny" / "float32.tflite", request=AcceleratorRequest(providers=(CPU_PROVIDER,))
        )
    with pytest.raises(UsageError, match="pass --provider"):
        open_net(doubling, request=AcceleratorRequest(device=Device.IMX93_NPU))
    with pytest.raises(UsageError, match="pass one of them"):
        AcceleratorRequest(device=Device.IMX93_NPU, providers=(CPU_PROVIDER,))


def test_without_onnx_runtime_the_command_that_brings_it(
    doubling: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'facekit-cli\[onnx\]'"):
        OnnxNet(doubling)


def test_opening_a_litert_file_does_not_import_onnx_runtime(data: Path) -> None:
    code = (
        "import sys; from pathlib import Path; "
        "from facekit.runtime.delegates import AcceleratorRequest, DeviceUse, open_net; "
        f"open_net(Path({str(data / 'tiny' / 'float32.tflite')!r}), request=AcceleratorRequest()); "
        "print([name for name in sys.modules if name.startswith('onnx')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
