"""Doors of networks and weights in the formats of other programs, one a format."""

from __future__ import annotations

import base64
import io
import json
import os
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from facekit.errors import FacekitError
from facekit.graph.read.formats import find_format
from facekit.graph.write.litert import to_litert
from facekit.model.card import embedder_of
from facekit.model.inspect import inspect_model
from facekit.model.store import find
from facekit.runtime.delegates import AcceleratorRequest, open_net
from tests.fuzz.door import Door, Use
from tests.fuzz.forks import use_forks
from tests.fuzz.mutate import Mutator, changed_bytes, changed_json, of_zip
from tests.networks.tiny_embedder import SPEC, write_embedder

_DATA = Path(__file__).parents[1] / "data"
_INDEX = base64.b85decode(
    "000IE0U81b0RSf(Np53haCB*JZc=4)Ze?^<F)u@JZgw(cUol}{Gk7yEcV%g3XmoQ30TK`r0tf>V0tf>V0tf*T0tf;"
    "qNHsqF3+4a@5qK|RX<>5+0TKif0tf^kNGK3Bla1>#000000RR9109Qec;{X5v00961006-9p|Ah}0(k&%000000RR9"
    "10Cwvj`*jF{0S*8F000000000000000000000000000000000000000009X5fizIbN+W"
)
"""The index of a checkpoint that TensorFlow wrote: a (3, 3, 1, 2) of ones, and 0, 1, 2, 3."""
_CONVOLUTION = {
    "name": "c", "filters": 4, "kernel_size": [3, 3], "strides": [1, 1], "padding": "same",
    "data_format": "channels_last", "dilation_rate": [1, 1], "groups": 1, "activation": "relu",
    "use_bias": True,
}  # fmt: skip


def _h5(datasets: Mapping[str, Any], attributes: Mapping[str, Mapping[str, Any]]) -> bytes:
    import h5py

    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        for name, value in datasets.items():
            file[name] = value
        for name, values in attributes.items():
            file.require_group(name).attrs.update(values)
    return buffer.getvalue()


def keras_seeds() -> Mapping[str, list[bytes]]:
    """A .keras, an .h5 with its configuration, and weights alone as Keras and deepface save."""
    kernel, bias = np.ones((3, 3, 3, 4), np.float32), np.zeros(4, np.float32)
    dense, dense_bias = np.ones((4, 5), np.float32), np.zeros(5, np.float32)
    model = {
        "class_name": "Sequential",
        "config": {
            "name": "m",
            "layers": [
                {
                    "class_name": "InputLayer",
                    "config": {"name": "i", "batch_shape": [None, 8, 8, 3]},
                },
                {"class_name": "Conv2D", "config": _CONVOLUTION},
                {
                    "class_name": "GlobalAveragePooling2D",
                    "config": {"name": "g", "data_format": "channels_last", "keepdims": False},
                },
                {
                    "class_name": "Dense",
                    "config": {"name": "d", "units": 5, "activation": "linear", "use_bias": True},
                },
            ],
        },
    }
    weights = _h5(
        {
            "layers/c/vars/0": kernel,
            "layers/c/vars/1": bias,
            "layers/d/vars/0": dense,
            "layers/d/vars/1": dense_bias,
        },
        {"layers/c/vars": {"name": "c"}, "layers/d/vars": {"name": "d"}},
    )
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w") as archive:
        archive.writestr("config.json", json.dumps(model))
        archive.writestr("metadata.json", "{}")
        archive.writestr("model.weights.h5", weights)
    names: Any = np.array([b"c/kernel:0", b"c/bias:0"])
    old = _h5(
        {"model_weights/c/c/kernel:0": kernel, "model_weights/c/c/bias:0": bias},
        {"/": {"model_config": json.dumps(model)}, "model_weights/c": {"weight_names": names}},
    )
    deepface = _h5({"Conv2d_1a_3x3/Conv2d_1a_3x3/kernel:0": kernel}, {"Bottleneck": {}})
    return {".keras": [whole.getvalue()], ".h5": [weights, old, deepface]}


def torch_seeds() -> Mapping[str, list[bytes]]:
    """State dicts: today's zip and the form before PyTorch 1.6."""
    import torch

    made = []
    tensors = {
        "conv2d_1a.conv.weight": torch.ones(2, 3, 3, 3),
        "fc5.bias": torch.arange(4, dtype=torch.float32),
        "last_linear.weight": torch.ones(2, 3)[:, 1:],
    }
    for zipped in (True, False):
        for content in (tensors, {"state_dict": tensors, "epoch": 3}):
            buffer = io.BytesIO()
            torch.save(content, buffer, _use_new_zipfile_serialization=zipped)
            made.append(buffer.getvalue())
    return {".pt": made}


def graph_seeds() -> Mapping[str, list[bytes]]:
    """A frozen graph of TensorFlow 1, with some of a network's constants."""
    from facekit.graph.read.graph_def import _GRAPH_DEF
    from facekit.graph.read.protobuf import message_class

    graph = message_class(_GRAPH_DEF)()
    for name in ("InceptionResnetV1/Conv2d_1a_3x3/weights", "InceptionResnetV1/Bottleneck/weights"):
        tensor = graph.node.add(name=name, op="Const").attr.add(key="value").value.tensor
        tensor.dtype, tensor.tensor_content = 1, np.ones((3, 3, 1, 2), np.float32).tobytes()
        for side in (3, 3, 1, 2):
            tensor.tensor_shape.dim.add(size=side)
    graph.node.add(name="input", op="Placeholder")
    return {".pb": [graph.SerializeToString()]}


def caffe_seeds() -> Mapping[str, list[bytes]]:
    """Some layers of SphereFace, in both forms that Caffe has."""
    from tests.graph.test_sphereface_weights import SMALL
    from tests.networks.sphereface_files import caffe_model

    return {".caffemodel": [caffe_model(SMALL), caffe_model(SMALL, old=True)]}


def onnx_seeds() -> Mapping[str, list[bytes]]:
    """Every form of every operator that is read."""
    from tests.networks.onnx_forms import FORMS
    from tests.networks.onnx_models import model

    return {
        ".onnx": [
            model(case[0], case[1], opset=case[2] if len(case) == 3 else 21).SerializeToString()
            for cases in FORMS.values()
            for case in cases
        ]
    }


def litert_seeds() -> Mapping[str, list[bytes]]:
    """Small networks of every number format and kind of shape."""
    paths = sorted([*_DATA.glob("nets/*.tflite"), *_DATA.glob("tiny/*.tflite")])
    return {".tflite": [path.read_bytes() for path in paths]}


def _open_reader(folder: Path) -> Use:
    use_forks()

    def use(path: Path) -> None:
        found = find_format(path)
        read: Callable[..., Any] = found.read
        network = read(path, size=None) if found.whole_network else read(path)
        to_litert(network.graph)

    return use


def _open_litert(folder: Path) -> Use:
    """Reads the file, looks into it, and runs it as the model that a card says it is."""
    os.environ["FACEKIT_HOME"] = str(folder / "home")
    read = _open_reader(folder)
    crop = np.zeros((1, SPEC.height_px, SPEC.width_px, 3), np.uint8)

    def run(path: Path) -> None:
        found = find(path)
        embedder_of(open_net(found.path, request=AcceleratorRequest()).net, found.card).embed(crop)

    def use(path: Path) -> None:
        model = write_embedder(folder, path.read_bytes()).path
        refused = None
        for step in (read, inspect_model, run):
            try:
                step(model)
            except FacekitError as error:
                refused = error
        if refused is not None:
            raise refused

    return use


def _open_checkpoints(folder: Path) -> Use:
    read = _open_reader(folder)
    data = np.ones(18, np.float32).tobytes() + np.arange(4, dtype=np.float32).tobytes()

    def use(path: Path) -> None:
        path.with_name(f"{path.stem}.data-00000-of-00001").write_bytes(data)
        read(path)

    return use


def _weights(
    seeds: Callable[[], Mapping[str, list[bytes]]], **mutators: tuple[Mutator, ...]
) -> Door:
    """A door of a format of weights, whose seeds are parts of networks, refused for the rest."""
    return Door(
        seeds,
        {f".{suffix}": chosen for suffix, chosen in mutators.items()},
        _open_reader,
        are_parts=True,
    )


KERAS = _weights(
    keras_seeds,
    keras=(changed_bytes, of_zip(changed_bytes), of_zip(changed_json, changed_bytes)),
    h5=(changed_bytes,),
)
TORCH = _weights(torch_seeds, pt=(changed_bytes, of_zip(changed_bytes)))
GRAPHS = _weights(graph_seeds, pb=(changed_bytes,))
CAFFE = _weights(caffe_seeds, caffemodel=(changed_bytes,))
ONNX = _weights(onnx_seeds, onnx=(changed_bytes,))
LITERT = Door(litert_seeds, {".tflite": (changed_bytes,)}, _open_litert, are_parts=True)
CHECKPOINTS = Door(
    lambda: {".index": [_INDEX]}, {".index": (changed_bytes,)}, _open_checkpoints, are_parts=True
)
