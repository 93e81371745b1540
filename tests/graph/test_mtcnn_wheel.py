"""The weights in the mtcnn package's wheel, read by a reader that runs no pickle."""

from __future__ import annotations

import io
import os
import pickle
import random
import sys
import zipfile
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facekit.errors import ModelBuildError
from facekit.graph.graph import Operation
from facekit.graph.nets.mtcnn import NETS, Weights, rnet
from facekit.graph.read.joblib_arrays import read_arrays
from facekit.graph.read.lz4_frame import decompress
from facekit.graph.read.mtcnn_wheel import read_mtcnn_wheel, read_net, read_wheel
from facekit.model import registry
from facekit.types import Float32Array

SHA256 = registry.entry("mtcnn").source.sha256


@pytest.fixture(scope="module")
def members(wheel: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(wheel) as opened:
        return {net: opened.read(f"mtcnn/assets/weights/{net}.lz4") for net in NETS}


@pytest.fixture(scope="module")
def rnet_arrays(wheel: Path) -> list[Float32Array]:
    return read_wheel(wheel, sha256=SHA256)["rnet"]


def test_the_arrays_are_those_that_joblib_reads(wheel: Path, members: dict[str, bytes]) -> None:
    joblib = pytest.importorskip("joblib")
    pytest.importorskip("lz4")
    ours = read_wheel(wheel, sha256=SHA256)
    for net, member in members.items():
        theirs = joblib.load(io.BytesIO(member))
        assert len(theirs) == len(ours[net])
        for wanted, found in zip(theirs, ours[net], strict=True):
            np.testing.assert_array_equal(found, wanted)


def test_the_nets_have_open_batches_and_sides(wheel: Path) -> None:
    graphs = read_mtcnn_wheel(wheel, sha256=SHA256)
    assert {graph.name: graph.inputs[0].shape for graph in graphs} == {
        "pnet": (1, -1, -1, 3),
        "rnet": (-1, 24, 24, 3),
        "onet": (-1, 48, 48, 3),
    }
    assert [graph.outputs[-1].operation for graph in graphs] == [Operation.SOFTMAX] * 3


def test_another_wheel_is_not_opened(wheel: Path, tmp_path: Path) -> None:
    changed = tmp_path / wheel.name
    changed.write_bytes(wheel.read_bytes() + b"\0")
    with pytest.raises(ModelBuildError, match="is not the wheel that facekit knows"):
        read_mtcnn_wheel(changed, sha256=SHA256)


def test_a_missing_array_is_named(rnet_arrays: list[Float32Array]) -> None:
    with pytest.raises(ModelBuildError, match=r"lacks the array rnet\.lz4\[15\]"):
        rnet(Weights(rnet_arrays[:-1], origin="rnet.lz4"))


def test_an_array_that_is_left_over_is_named(rnet_arrays: list[Float32Array]) -> None:
    with pytest.raises(ModelBuildError, match=r"rnet\.lz4\[16\] has no place in rnet"):
        rnet(Weights([*rnet_arrays, rnet_arrays[0]], origin="rnet.lz4"))


def test_an_array_of_another_shape_is_named(rnet_arrays: list[Float32Array]) -> None:
    with pytest.raises(
        ModelBuildError, match=r"rnet\.lz4\[0\] does not fit: shape \(3, 3, 3, 28\)"
    ):
        rnet(Weights(rnet_arrays[1:], origin="rnet.lz4"))


def test_numbers_that_are_not_finite_are_refused(rnet_arrays: list[Float32Array]) -> None:
    spoilt = [array.copy() for array in rnet_arrays]
    spoilt[1][3] = np.nan
    with pytest.raises(ModelBuildError, match="conv1: bias holds values that are not finite"):
        rnet(Weights(spoilt, origin="rnet.lz4"))


class _Caller:
    """What a hostile pickle looks like."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (os.system, ("false",))


@pytest.mark.parametrize(
    ("hostile", "message"),
    [
        (pickle.dumps([_Caller()], 4), "names posix.system"),
        (pickle.dumps([_Caller()], 2), "names posix.system"),
        (b"\x80\x02cposix\nsystem\n.", "names posix.system"),
        (pickle.dumps([{1}], 4), "has EMPTY_SET"),
        (pickle.dumps([np.float32(1)], 4), "names numpy.*scalar"),
        (pickle.dumps([1, 2], 4), "cannot be read as a list of arrays"),
        (pickle.dumps([np.dtype("f4")], 4), "a member that is no array"),
        (pickle.dumps([np.dtype("f4"), np.dtype("f4")], 4), "a member that is no array"),
        (b"", "cannot be read as a list of arrays"),
        (b"\x80\x04.", "cannot be read as a list of arrays"),
        (b"\x80\x04]\x94(u.", "cannot be read as a list of arrays"),
    ],
)
def test_any_other_pickle_is_refused_by_its_instruction(hostile: bytes, message: str) -> None:
    with pytest.raises(ModelBuildError, match=message):
        read_arrays(hostile, origin="pnet")


@pytest.mark.parametrize("length", [0, 3, 4, 7, 11, 40, 4000, -1])
def test_a_member_that_was_cut_off_is_refused(members: dict[str, bytes], length: int) -> None:
    with pytest.raises(ModelBuildError, match=r"^pnet"):
        read_net(members["pnet"][:length], origin="pnet")


@given(seed=st.integers(0, 10**9), changes=st.integers(1, 4))
def test_a_member_that_was_spoilt_is_refused_or_read(
    members: dict[str, bytes], seed: int, changes: int
) -> None:
    """Numbers may differ; nothing else than a ModelBuildError may come of it."""
    spoilt = bytearray(members["pnet"])
    chosen = random.Random(seed)
    for _ in range(changes):
        spoilt[chosen.randrange(min(len(spoilt), 10 ** chosen.randrange(2, 5)))] = chosen.randrange(
            256
        )
    with suppress(ModelBuildError):
        read_net(bytes(spoilt), origin="pnet")


@given(seed=st.integers(0, 10**9), changes=st.integers(1, 4))
def test_a_spoilt_list_is_refused_or_read(
    members: dict[str, bytes], seed: int, changes: int
) -> None:
    """As above, within the pickle."""
    plain = bytearray(decompress(members["pnet"], at_most=1 << 20, origin="pnet"))
    chosen = random.Random(seed)
    for _ in range(changes):
        plain[chosen.randrange(330)] = chosen.randrange(256)
    before = set(sys.modules)
    with suppress(ModelBuildError):
        read_arrays(bytes(plain), origin="pnet")
    assert set(sys.modules) == before


@given(content=st.binary(max_size=300), repeats=st.integers(1, 400))
def test_lz4_gives_back_what_was_packed(content: bytes, repeats: int) -> None:
    frame = pytest.importorskip("lz4.frame")
    whole = content * repeats
    for options in (
        {},
        {"block_linked": False, "block_checksum": True, "store_size": False},
        {"content_checksum": True},
    ):
        packed = frame.compress(whole, **options)
        assert decompress(packed, at_most=len(whole), origin="test") == whole


def test_lz4_stops_at_the_most_bytes() -> None:
    frame = pytest.importorskip("lz4.frame")
    with pytest.raises(ModelBuildError, match="bomb cannot be read as a whole LZ4 frame"):
        decompress(frame.compress(bytes(10**7)), at_most=10**6, origin="bomb")


@given(content=st.binary(max_size=200))
def test_what_is_no_lz4_is_refused(content: bytes) -> None:
    with pytest.raises(ModelBuildError):
        decompress(b"\x04\x22\x4d\x18" + content, at_most=1 << 16, origin="noise")
