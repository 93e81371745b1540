"""Weights made to do harm: each format refuses them by a sentence, at once and in little memory."""

from __future__ import annotations

import io
import json
import os
import pickle
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from time import process_time
from typing import Any

import h5py
import numpy as np
import pytest
from click.testing import CliRunner

from facekit.cli import cli
from facekit.errors import ModelBuildError
from facekit.graph import operations
from facekit.graph.graph import Operation
from facekit.graph.read import formats, hdf5, keras_archive
from facekit.graph.read.formats import find_format
from facekit.graph.read.graph_def import _GRAPH_DEF
from facekit.graph.read.protobuf import message_class
from facekit.graph.read.tensor_bundle import TABLE_MAGIC
from facekit.graph.read.tf_checkpoint import read_checkpoint
from facekit.graph.read.torch_file import LEGACY_MAGIC, read_state_dict
from tests.networks.sphereface_files import varint
from tests.sparse_file import four_terabytes

SECONDS = 10
"""of processor time that a file of a few kilobytes may take, on a slow machine"""


def read(path: Path) -> None:
    found = find_format(path)
    found.read(path, size=None) if found.whole_network else found.read(path)


def a_small_h5(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file["a"] = 1.0


def an_h5_of_a_group(path: Path) -> None:
    """Where a Keras model has the list of its layers, there is one number."""
    with h5py.File(path, "w") as file:
        file.attrs["model_config"] = "{}"
        file["model_weights"] = 1.0


def an_h5_of_texts(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file["Bottleneck/kernel:0"] = ["a", "b"]


def an_h5_of_another_file(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file.create_dataset(
            "Bottleneck/kernel:0", (4,), "<f4", external=[("/dev/zero", 0, h5py.h5f.UNLIMITED)]
        )


def an_h5_that_unpacks_to_too_much(path: Path) -> None:
    with h5py.File(path, "w") as file:
        for number in range(3):
            file.create_dataset(f"{number}", (1 << 28,), "<f4", chunks=(1 << 20,), compression=9)


def keras(path: Path, config: str, weights: bytes = b"") -> None:
    if not weights:
        content = io.BytesIO()
        with h5py.File(content, "w") as file:
            file.create_group("layers")
        weights = content.getvalue()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("config.json", config)
        archive.writestr("model.weights.h5", weights)


def a_deep_configuration(path: Path) -> None:
    keras(path, "[" * 100_000)


def deep_references(path: Path) -> None:
    layer = '{"class_name": "InputLayer", "config": {"name": "a"}, "inbound_nodes": %s}'
    keras(
        path, '{"class_name": "F", "config": {"layers": [%s]}}' % (layer % ("[" * 900 + "]" * 900))
    )


def a_configuration_of_numbers(path: Path) -> None:
    keras(path, json.dumps({"class_name": 1, "config": {"layers": 7}}))


def weights_that_are_none(path: Path) -> None:
    keras(path, "{}", b"none")


def a_damaged_archive(path: Path) -> None:
    keras(path, "{}")
    content = bytearray(path.read_bytes())
    content[45:60] = bytes(15)
    path.write_bytes(content)


def a_damaged_pytorch_archive(path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/data.pkl", pickle.dumps({"relu1_1.weight": 1}, 2) * 20)
    content = bytearray(path.read_bytes())
    content[42:60] = bytes(18)
    path.write_bytes(content)


def frozen(shape: list[int]) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        graph = message_class(_GRAPH_DEF)()
        node = graph.node.add(name="a", op="Const")
        attribute = node.attr.add(key="value")
        attribute.value.tensor.dtype = 1
        for size in shape:
            attribute.value.tensor.tensor_shape.dim.add(size=size)
        path.write_bytes(graph.SerializeToString())

    return write


FILES: dict[str, tuple[Callable[[Path], None], str]] = {
    "a small h5": (a_small_h5, "lacks the tensor|cannot be read as"),
    "an h5 whose layers are a number": (an_h5_of_a_group, "cannot be read as a Keras model"),
    "an h5 of texts": (an_h5_of_texts, "not numbers"),
    "an h5 that names /dev/zero": (an_h5_of_another_file, "lie in another file"),
    "an h5 that unpacks to 3 GB": (an_h5_that_unpacks_to_too_much, "are allowed in all"),
    "a deep configuration": (a_deep_configuration, "nested too deeply"),
    "deep references": (deep_references, "nested too deeply|cannot be read as|must take images"),
    "a configuration of numbers": (a_configuration_of_numbers, "cannot be read as a Keras model"),
    "weights that are none": (weights_that_are_none, "cannot be read as a Keras model of layers"),
    "a damaged archive": (a_damaged_archive, "cannot be read as"),
    "a damaged archive of PyTorch": (a_damaged_pytorch_archive, "cannot be read as"),
    "a huge shape": (frozen([1 << 62, 1 << 62]), "as many elements as its shape"),
    "a huge shape without elements": (frozen([0, 1 << 62, 1 << 62]), "cannot be read as a frozen"),
    "a shape of 100 sizes": (frozen([1] * 99 + [0]), "cannot be read as a frozen"),
}


@pytest.mark.parametrize("title", FILES)
def test_a_file_made_to_do_harm_is_soon_refused_by_a_sentence(title: str, tmp_path: Path) -> None:
    write, said = FILES[title]
    path = tmp_path / "weights.bin"
    write(path)
    begin = process_time()
    with pytest.raises(ModelBuildError, match=said):
        read(path)
    assert process_time() - begin < SECONDS


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (os.mkfifo, "is a pipe"),
        (lambda path: path.symlink_to("/dev/zero"), "is a device"),
        (four_terabytes, "has more than the 5,000 MB"),
        (a_small_h5, "cannot be read as an HDF5 file"),
    ],
    ids=["pipe", "device", "4 TB", "a small h5"],
)
def test_what_is_no_file_of_weights_is_refused_at_once(
    make: Callable[[Path], Any], said: str, tmp_path: Path
) -> None:
    path = tmp_path / "weights.h5"
    make(path)
    done = CliRunner().invoke(cli, ["models", "import", str(path), "--as", "mine"])
    assert done.exit_code == 5
    assert said in done.stderr


def test_the_data_of_a_checkpoint_may_be_no_pipe(tmp_path: Path) -> None:
    (tmp_path / "a.index").write_bytes(bytes(100) + TABLE_MAGIC)
    os.mkfifo(tmp_path / "a.data-00000-of-00001")
    done = CliRunner().invoke(cli, ["models", "import", str(tmp_path / "a.index"), "--as", "mine"])
    assert (done.exit_code, "is a pipe" in done.stderr) == (5, True)


def table(blocks: list[bytes], handles: int) -> bytes:
    """A table in which `handles` entries of the index name the first block."""
    content, places = b"", []
    index = b"".join(
        varint(0) + varint(4) + varint(len(handle)) + struct.pack(">I", number) + handle
        for number, handle in enumerate([varint(0) + varint(len(blocks[0]) + 4)] * handles)
    )
    for block in (*blocks, index):
        places.append(varint(len(content)) + varint(len(block) + 4))
        content += block + bytes(4) + bytes(5)
    return content + (bytes(2) + places[-1]).ljust(40, b"\0") + TABLE_MAGIC


def test_an_index_that_names_one_block_often_is_soon_refused(tmp_path: Path) -> None:
    entries = b"".join(varint(0) + varint(1) + varint(0) + b"a" for _ in range(10_000))
    (tmp_path / "a.index").write_bytes(table([entries], 10_000))
    (tmp_path / "a.data-00000-of-00001").write_bytes(b"")
    begin = process_time()
    with pytest.raises(ModelBuildError, match="more than 20000 entries"):
        read_checkpoint(tmp_path / "a.index")
    assert process_time() - begin < SECONDS


def pickled(*pieces: bytes) -> bytes:
    """The older format: magic, version, machine, tensors."""
    return (
        LEGACY_MAGIC + pickle.dumps(1001, 2) + pickle.dumps({}, 2) + b"\x80\x02" + b"".join(pieces)
    )


DOUBLED = b")" + b"".join(b"q\0h\0\x86" for _ in range(60))
PICKLES: dict[str, tuple[bytes, str]] = {
    "a list in itself": (pickled(b"]q\0h\0a."), "cannot be read as|state_dict needed"),
    "a tuple of all pairs": (pickled(DOUBLED, b"."), "state_dict needed|cannot be read as"),
    "such a tuple as a key": (pickled(b"}", DOUBLED, b"K\1s."), "a tuple as a key"),
    "such a tuple as a name": (pickled(DOUBLED, DOUBLED, b"\x93."), "a name that is no text"),
    "no mark": (pickled(b"t."), "the pickle has no mark where one is needed"),
    "many marks": (pickled(b"N" * 100_000, b"(t" * 100_000, b"."), "cannot be read as"),
    "texts of invalid UTF-8": (pickled(b"X\2\0\0\0\xff\xfe."), "cannot be read as"),
    "a text of 4 GB": (pickled(b"X\xff\xff\xff\xffa."), "cannot be read as"),
}


@pytest.mark.parametrize("title", PICKLES)
def test_a_pickle_that_grows_without_end_is_soon_refused(title: str, tmp_path: Path) -> None:
    content, said = PICKLES[title]
    path = tmp_path / "a.pth"
    path.write_bytes(content)
    begin = process_time()
    with pytest.raises(ModelBuildError, match=said):
        read_state_dict(path)
    assert process_time() - begin < SECONDS


def text(value: str) -> bytes:
    return b"X" + struct.pack("<I", len(value)) + value.encode()


def number(value: int) -> bytes:
    return b"J" + struct.pack("<i", value)


def test_tensors_that_share_a_storage_may_not_fill_the_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hundred tensors of one storage, each transposed, so that each is a copy."""
    tensor = (
        b"ctorch._utils\n_rebuild_tensor_v2\n("  # of storage, offset, shape, strides
        + (b"(" + text("storage") + b"ctorch\nFloatStorage\n" + text("0") + text("cpu"))
        + (number(1_000_000) + b"tQ" + number(0))
        + (number(1000) + number(1000) + b"\x86" + number(1) + number(1000) + b"\x86tR")
    )
    with zipfile.ZipFile(tmp_path / "a.pt", "w") as archive:
        state = b"".join(text(f"{name}") + tensor for name in range(100))
        archive.writestr("a/data.pkl", b"\x80\x02}(" + state + b"u.")
        archive.writestr("a/data/0", bytes(4_000_000))
    assert len(read_state_dict(tmp_path / "a.pt")) == 100
    monkeypatch.setattr("facekit.graph.read.torch_file.MAX_BYTES", 20_000_000)
    with pytest.raises(ModelBuildError, match="its tensors have more than"):
        read_state_dict(tmp_path / "a.pt")


KERNEL = np.ones((3, 3, 3, 4), np.float32)
SHAPES = [(1, 8, 8, 3), (1, -1, -1, 3)]


@pytest.mark.parametrize(
    ("stride", "dilation"),
    [((0, 1), (1, 1)), ((1, -1), (1, 1)), ((1, 1), (0, 1)), ((1, 1 << 40), (1, 1))],
)
@pytest.mark.parametrize("shape", SHAPES)
def test_a_window_that_does_not_move_is_refused(
    stride: tuple[int, int], dilation: tuple[int, int], shape: tuple[int, ...]
) -> None:
    x = operations.graph_input("x", shape)
    with pytest.raises(ModelBuildError, match="conv: sizes and strides from 1 on needed"):
        operations.convolution(x, KERNEL, "conv", stride=stride, dilation=dilation)


@pytest.mark.parametrize("shape", SHAPES)
def test_a_window_without_a_size_is_refused(shape: tuple[int, ...]) -> None:
    x = operations.graph_input("x", shape)
    with pytest.raises(ModelBuildError, match="pool: sizes and strides from 1 on needed"):
        operations.max_pool(x, (0, 2), "pool", stride=(1, 1))
    assert operations.convolution(x, KERNEL, "conv").operation is Operation.CONVOLUTION


def test_a_file_that_ends_the_process_that_reads_it_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file is sound: what ends the process is a function that does so."""
    a_small_h5(tmp_path / "a.h5")
    monkeypatch.setattr(formats, "_TRY", "os:_exit")
    with pytest.raises(ModelBuildError, match="not read: the process that tried"):
        read(tmp_path / "a.h5")


def test_trying_reads_what_is_read_afterwards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The optimizer's text, which is not needed, would be refused; all else is read."""
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.attrs["model_config"] = "{}"
        file["layers/dense/vars/0"] = np.ones(3)
        file["optimizer/name"] = ["sgd"]
    seen: list[Any] = []

    def read_and_tell(datasets: dict[str, Any]) -> dict[str, Any]:
        found = hdf5.read_arrays(datasets)
        seen.extend(found)
        return found

    monkeypatch.setattr(keras_archive, "read_arrays", read_and_tell)
    monkeypatch.setattr(keras_archive, "parse_json", seen.append)
    monkeypatch.setattr(formats, "limit_memory", lambda: seen.append("memory"))
    monkeypatch.setattr(formats, "limit_processor_time", lambda seconds: seen.append(seconds < 6))
    formats.try_reading(str(tmp_path / "a.h5"))
    assert seen == ["memory", True, "layers/dense/vars/0", "{}"]


def test_a_link_to_another_file_is_not_followed(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["layers/fc5/vars/0"] = np.ones((2, 2))
    for name in ("layers", "model_weights/deep/inside"):
        path = tmp_path / "linked.h5"
        with h5py.File(path, "w") as file:
            file[name] = h5py.ExternalLink("other.h5", "/layers")
        assert not keras_archive.is_keras_weights(path)
        with pytest.raises(ModelBuildError, match=f"linked.h5 cannot be read as .*: /{name} lies"):
            read(path)
