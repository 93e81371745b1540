"""Files meant to do harm: a sentence, exit code 5, and nothing is left behind."""

from __future__ import annotations

import os
import random
import re
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from facekit.cli import cli
from facekit.enums import Preprocessing
from facekit.errors import FacekitError, ModelBuildError
from facekit.graph import operations
from facekit.graph.graph import Graph
from facekit.graph.write.litert import to_litert
from facekit.tasks.import_model import import_model, import_options
from tests.networks.own_networks import mobilefacenet

onnx = pytest.importorskip("onnx", reason="no onnx: pip install '.[convert]'")
pytest.importorskip("onnxruntime", reason="no onnxruntime: pip install '.[convert]'")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty store, and an empty folder for temporary files."""
    monkeypatch.setenv("FACEKIT_HOME", str(tmp_path / "home"))
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    return tmp_path / "home"


def refused(path: Path, home: Path) -> str:
    """What is said; it is one sentence or more, no traceback, and nothing is left."""
    done: Result = CliRunner().invoke(
        cli,
        ["models", "import", str(path), "--as", "mine", "--preprocessing", "insightface"],
    )
    assert done.exit_code == 5, (done.stdout, done.stderr)
    assert "Traceback" not in done.stderr
    assert not done.stdout
    said: str = done.stderr.rpartition("error: ")[2]
    assert said.strip()
    require_nothing_left(home)
    return said


def require_nothing_left(home: Path) -> None:
    files = [path for path in home.rglob("*") if path.is_file() and path.suffix != ".lock"]
    assert not files
    assert not list((home.parent / "temporary").iterdir())


def edited(path: Path, edit: Callable[[Any], None]) -> Path:
    mobilefacenet(path)
    model = onnx.load(path)
    edit(model)
    path.write_bytes(model.SerializeToString())
    return path


def first_kernel(model: Any) -> Any:
    name = model.graph.node[0].input[1]
    return next(one for one in model.graph.initializer if one.name == name)


def outside(model: Any) -> None:
    """Its first kernel is to be read from a file of the machine's."""
    kernel = first_kernel(model)
    kernel.ClearField("raw_data")
    kernel.data_location = onnx.TensorProto.EXTERNAL
    for key, value in (("location", "../../../../../../etc/passwd"), ("length", "64")):
        entry = kernel.external_data.add()
        entry.key, entry.value = key, value


def huge(model: Any) -> None:
    first_kernel(model).dims[:] = [1 << 31, 1 << 31, 3, 3]


def huge_picture(model: Any) -> None:
    for place in (2, 3):
        model.graph.input[0].type.tensor_type.shape.dim[place].dim_value = 1 << 31


def huge_group(model: Any) -> None:
    next(one for one in model.graph.node[0].attribute if one.name == "group").i = (1 << 62) + 1


def huge_pads(model: Any) -> None:
    next(one for one in model.graph.node[0].attribute if one.name == "pads").ints[:] = [1 << 40] * 4


def circle(model: Any) -> None:
    """A sum reads what comes after it."""
    add = next(node for node in model.graph.node if node.op_type == "Add")
    add.input[0] = model.graph.node[-2].output[0]


def itself(model: Any) -> None:
    add = next(node for node in model.graph.node if node.op_type == "Add")
    add.input[0] = add.output[0]


def later(model: Any) -> None:
    model.opset_import[0].version = 99


def no_operators(model: Any) -> None:
    del model.opset_import[:]


def other_domain(model: Any) -> None:
    model.graph.node[0].domain = "com.example.evil"
    model.opset_import.append(onnx.helper.make_opsetid("com.example.evil", 1))


def not_a_number(model: Any) -> None:
    kernel = first_kernel(model)
    values = onnx.numpy_helper.to_array(kernel).copy()
    values[0, 0, 0, 0] = np.nan
    kernel.CopyFrom(onnx.numpy_helper.from_array(values, kernel.name))


def infinite_answer(model: Any) -> None:
    """All weights are finite, what they give is not."""
    for tensor in model.graph.initializer:
        if len(tensor.dims) == 4:
            values = np.full(tuple(tensor.dims), 3e38, np.float32)
            tensor.CopyFrom(onnx.numpy_helper.from_array(values, tensor.name))


def many_nodes(model: Any) -> None:
    last = model.graph.node[-1].output[0]
    for place in range(10_001):
        node = model.graph.node.add(op_type="Relu", input=[last], output=[f"r{place}"])
        last = node.output[0]
    model.graph.output[0].name = last


def no_nodes(model: Any) -> None:
    del model.graph.node[:]


def two_of_one_name(model: Any) -> None:
    model.graph.node[1].output[0] = model.graph.node[0].output[0]


def two_pictures(model: Any) -> None:
    other = onnx.helper.make_tensor_value_info("other", 1, ["n", 3, 48, 48])
    model.graph.input.append(other)
    model.graph.node.append(onnx.helper.make_node("Add", ["picture", "other"], ["sum"]))
    for node in model.graph.node:
        if node.op_type == "Conv" and node.input[0] == "picture":
            node.input[0] = "sum"


def gray(model: Any) -> None:
    model.graph.input[0].type.tensor_type.shape.dim[1].dim_value = 1
    kernel = first_kernel(model)
    values = onnx.numpy_helper.to_array(kernel)[:, :1].copy()
    kernel.CopyFrom(onnx.numpy_helper.from_array(values, kernel.name))


def a_picture_out(model: Any) -> None:
    output = model.graph.node[3].output[0]
    model.graph.output[0].name = output


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (outside, "lies in .*etc/passwd, which is not in the model's folder"),
        (huge, "as many elements as its shape"),
        (huge_picture, "elements are allowed|must be"),
        (huge_group, "groups"),
        (huge_pads, "pads"),
        (circle, "no node before it computes"),
        (itself, "no node before it computes"),
        (later, "Operator set 7 to 25 needed. Received: 99"),
        (no_operators, "Operator set 7 to 25 needed. Received: none"),
        (other_domain, "not one of ONNX's"),
        (not_a_number, "not finite"),
        (infinite_answer, "not finite|too large|does not answer|no embedding"),
        (many_nodes, "10000 nodes are allowed"),
        (no_nodes, "no nodes"),
        (two_of_one_name, "two tensors are called"),
        (two_pictures, "one input needed"),
        (gray, "three colors"),
        (a_picture_out, "one embedding needed"),
    ],
)
def test_an_onnx_file_that_is_not_sound_is_named(
    tmp_path: Path, home: Path, edit: Callable[[Any], None], said: str
) -> None:
    path = edited(tmp_path / "mine.onnx", edit)
    assert re.search(said, refused(path, home))


@pytest.mark.parametrize("share", [0.001, 0.3, 0.99])
def test_a_file_cut_off(tmp_path: Path, home: Path, share: float) -> None:
    path = mobilefacenet(tmp_path / "mine.onnx")
    os.truncate(path, int(path.stat().st_size * share))
    refused(path, home)


def small_litert() -> bytes:
    x = operations.graph_input("x", (1, 12, 12, 3))
    rng = np.random.default_rng(7)
    kernel = rng.normal(size=(3, 3, 3, 8)).astype(np.float32)
    x = operations.relu(operations.convolution(x, kernel, "first", stride=(2, 2)), "relu")
    head = rng.normal(size=(8, 6)).astype(np.float32)
    return to_litert(Graph("small", (operations.dense(operations.mean(x, "mean"), head, "head"),)))


def test_litert_files_with_wild_offsets_end_in_a_sentence(tmp_path: Path, home: Path) -> None:
    """Whatever is in them, and though the runtime itself trusts much of it."""
    content, rng = small_litert(), random.Random(13)
    path = tmp_path / "mine.tflite"
    options = import_options(preprocessing=Preprocessing.RAW, accept_untrained=True)
    outcomes: set[int] = set()
    for _ in range(150):
        changed = bytearray(content)
        for _ in range(rng.choice((1, 2, 8))):
            place = rng.randrange(len(changed) - 4)
            changed[place : place + 4] = rng.choice(
                (b"\xff\xff\xff\xff", b"\xff\xff\xff\x7f", b"\0\0\0\x80", rng.randbytes(4))
            )
        path.write_bytes(bytes(changed))
        try:
            import_model(path, name="mine", options=options, force=True)
            outcomes.add(0)
        except FacekitError as error:
            outcomes.add(error.exit_code)
    assert outcomes == {0, ModelBuildError.exit_code}


def test_litert_files_cut_off(tmp_path: Path, home: Path) -> None:
    content, path = small_litert(), tmp_path / "mine.tflite"
    for length in (8, 60, len(content) // 2, len(content) - 5):
        path.write_bytes(content[:length])
        refused(path, home)


def test_random_bytes_behind_the_right_beginning(tmp_path: Path, home: Path) -> None:
    rng, path = random.Random(5), tmp_path / "mine"
    for begin in (b"\x08\x08:\x10", b"\x1c\0\0\0TFL3", b""):
        path.write_bytes(begin + rng.randbytes(4000))
        refused(path, home)


def test_an_earlier_model_stays_where_its_successor_is_refused(tmp_path: Path, home: Path) -> None:
    good = mobilefacenet(tmp_path / "good.onnx")
    options = import_options(preprocessing=Preprocessing.INSIGHTFACE, accept_untrained=True)
    path = import_model(good, name="mine", options=options).paths[0]
    before = path.read_bytes()
    bad = edited(tmp_path / "bad.onnx", not_a_number)
    with pytest.raises(ModelBuildError):
        import_model(bad, name="mine", options=options, force=True)
    assert path.read_bytes() == before
