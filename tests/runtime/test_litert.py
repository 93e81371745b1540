"""LiteRtNet on small real files; tests/data/nets/make.py made them and says what they compute."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from importlib.metadata import distributions
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from packaging.version import Version

from facekit.errors import AcceleratorError, ModelMismatchError, ModelMissingError, StorageError
from facekit.runtime.litert import LiteRtNet, default_threads
from facekit.types import Float32Array

NETS = Path(__file__).parents[1] / "data" / "nets"
NOTICES_MISSING_BYTES = any(
    Version(one.version) >= Version("2.1.6") for one in distributions(name="ai-edge-litert")
)


def net(name: str, *, threads: int = 1) -> LiteRtNet:
    return LiteRtNet(NETS / f"{name}.tflite", threads=threads)


def ramp(*shape: int) -> Float32Array:
    return np.linspace(-1, 1, int(np.prod(shape)), dtype=np.float32).reshape(shape)


def test_open_sides_take_any_shape_again_and_again() -> None:
    doubling = net("open_sides")
    # Each shape comes three times: planned anew, given its own interpreter, and kept.
    for shape in [(1, 5, 7, 3), (2, 4, 4, 3)] * 3:
        batch = ramp(*shape)
        total, doubled = doubling.run(batch)
        np.testing.assert_array_equal(doubled, 2 * batch)
        np.testing.assert_allclose(total, batch.sum(axis=(1, 2, 3)), atol=1e-5)


def test_more_shapes_than_are_kept() -> None:
    doubling = net("open_sides")
    for _ in range(3):
        for width in range(1, 41):
            batch = ramp(1, 2, width, 3)
            np.testing.assert_array_equal(doubling.run(batch)[1], 2 * batch)


def test_threads_that_ask_for_other_shapes_get_their_own_answers() -> None:
    doubling = net("open_sides")
    wrong = []

    def work(thread: int) -> None:
        for number in range(60):
            batch = ramp(1, 2 + (thread + number) % 5, 3, 3) * thread
            total, doubled = doubling.run(batch)
            if not (np.array_equal(doubled, 2 * batch) and total.shape == (1,)):
                wrong.append((thread, number))

    crew = [threading.Thread(target=work, args=(thread,)) for thread in range(8)]
    for thread in crew:
        thread.start()
    for thread in crew:
        thread.join()
    assert wrong == []


@given(sizes=st.lists(st.integers(0, 9), max_size=8))
@settings(deadline=None)
def test_an_open_batch_takes_any_size_after_any_other(sizes: list[int]) -> None:
    doubling = net("open_batch")
    for size in sizes:
        (doubled,) = doubling.run(ramp(size, 4))
        np.testing.assert_array_equal(doubled, 2 * ramp(size, 4))


@pytest.mark.parametrize("size", [0, 1, 3])
def test_a_batch_of_one_runs_once_for_each_member(size: int) -> None:
    (doubled,) = net("one_by_one").run(ramp(size, 4))
    assert doubled.dtype == np.float32
    np.testing.assert_array_equal(doubled, 2 * ramp(size, 4))


def test_an_empty_batch_has_every_output() -> None:
    total, doubled = net("open_sides").run(ramp(0, 5, 7, 3))
    assert doubled.shape[0] == 0
    assert doubled.ndim == 4
    assert total.shape == (0,)


@pytest.mark.parametrize("name", ["int8", "uint8"])
def test_integer_nets_are_fed_and_read_in_real_numbers(name: str) -> None:
    brighter = net(name)
    steps = brighter.inputs[0]
    assert steps.scale == pytest.approx(2 / 255, rel=1e-3)  # calibrated on -1..1
    batch = ramp(3, 2, 2, 4)
    (result,) = brighter.run(batch)
    assert result.dtype == np.float32
    # Half a step in and half a step out; the output spans -0.5..1.5, as wide as the input.
    np.testing.assert_allclose(result, batch + 0.5, atol=1.01 * steps.scale)


@pytest.mark.parametrize("name", ["int8", "uint8"])
def test_integer_inputs_round_to_the_nearest_step_and_clip(name: str) -> None:
    brighter = net(name)
    scale = np.float32(brighter.inputs[0].scale)

    def result_of(value: float) -> float:
        return float(brighter.run(np.full((1, 2, 2, 4), value, np.float32))[0][0, 0, 0, 0])

    zero = result_of(0.0)
    assert result_of(0.4 * scale) == result_of(-0.4 * scale) == zero
    assert result_of(0.6 * scale) > zero > result_of(-0.6 * scale)
    assert result_of(50.0) == result_of(1.0)
    assert result_of(-50.0) == result_of(-1.0)


def test_results_belong_to_the_caller() -> None:
    doubling = net("one_by_one")
    first = doubling.run(ramp(1, 4))[0]
    kept = first.copy()
    doubling.run(ramp(1, 4) + 1)
    np.testing.assert_array_equal(first, kept)
    first[:] = 0
    np.testing.assert_array_equal(doubling.run(ramp(1, 4))[0], kept)


def test_what_a_net_says_of_itself() -> None:
    opened = net("open_sides")
    assert opened.inputs[0].shape == (-1, -1, -1, 3)
    assert len(opened.outputs) == 2
    integers = net("uint8")
    assert (integers.inputs[0].dtype, integers.outputs[0].dtype) == ("uint8", "float32")
    assert integers.inputs[0].shape == (1, 2, 2, 4)


@pytest.mark.parametrize(
    "batch", [ramp(1, 5), ramp(4), ramp(1, 4, 1), ramp(1, 4).astype(np.float64)]
)
def test_a_batch_that_does_not_fit(batch: Float32Array) -> None:
    with pytest.raises(ValueError, match=r"needs float32 of shape \(N, 4\)\. Received"):
        net("one_by_one").run(batch)


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.99])
def test_a_truncated_file(share: float, tmp_path: Path) -> None:
    whole = (NETS / "one_by_one.tflite").read_bytes()
    path = tmp_path / "cut.tflite"
    path.write_bytes(whole[: int(len(whole) * share)])
    if share == 0.99 and not NOTICES_MISSING_BYTES:
        pytest.skip("before ai-edge-litert 2.1.6 the last bytes of a file are not missed")
    with pytest.raises(ModelMismatchError, match=r"cut\.tflite is not a LiteRT model"):
        LiteRtNet(path)


def test_a_foreign_file(data: Path) -> None:
    with pytest.raises(ModelMismatchError, match="not a LiteRT model"):
        LiteRtNet(data / "obama.jpg")


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ModelMissingError, match=r"no model file .*none\.tflite"):
        LiteRtNet(tmp_path / "none.tflite")


def test_a_folder_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="cannot be read"):
        LiteRtNet(tmp_path)


def test_a_pipe_is_told_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "net.tflite")
    with pytest.raises(StorageError, match=r"net\.tflite is a pipe, .*regular file is needed"):
        LiteRtNet(tmp_path / "net.tflite")


def test_a_name_that_is_not_ascii(tmp_path: Path) -> None:
    path = tmp_path / "größe 人.tflite"
    path.write_bytes((NETS / "one_by_one.tflite").read_bytes())
    np.testing.assert_array_equal(LiteRtNet(path).run(ramp(1, 4))[0], 2 * ramp(1, 4))


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("batch_of_four", "batch of 1 or a dynamic one"),
        ("two_inputs", "has 2 inputs"),
        ("integer_ids", "int64"),
    ],
)
def test_nets_that_are_not_run(name: str, complaint: str) -> None:
    with pytest.raises(ModelMismatchError, match=complaint):
        net(name)


def test_a_vela_file_without_its_delegate() -> None:
    with pytest.raises(AcceleratorError, match="compiled by Vela for an Ethos-U NPU"):
        net("int8_vela")


@pytest.mark.parametrize("threads", [1, 2, 7])
def test_threads_do_not_change_the_result(threads: int) -> None:
    np.testing.assert_array_equal(
        net("open_sides", threads=threads).run(ramp(1, 64, 64, 3))[1], 2 * ramp(1, 64, 64, 3)
    )


def test_less_than_one_thread_is_refused() -> None:
    with pytest.raises(ValueError, match=r"at least 1\. Received: 0"):
        net("one_by_one", threads=0)


def test_default_threads_is_a_count_of_cores() -> None:
    assert default_threads() >= 1


def test_nothing_reaches_the_terminal() -> None:
    code = (
        "from pathlib import Path; import numpy as np\n"
        "from facekit.runtime.litert import LiteRtNet\n"
        "for name in ('open_sides', 'one_by_one'):\n"
        f"    net = LiteRtNet(Path({str(NETS)!r}) / f'{{name}}.tflite')\n"
        "    net.run(np.zeros((1, *(max(side, 3) for side in net.inputs[0].shape[1:])), 'f4'))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("", "")
