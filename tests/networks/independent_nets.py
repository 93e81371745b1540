"""The same weights run by other people's code: OpenCV's DNN module, the mtcnn package, and
ONNX Runtime."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from facekit.types import Float32Array

# The node before the frozen graph's own unit-length step.
_RAW_EMBEDDING = "InceptionResnetV1/Bottleneck/BatchNorm/Reshape_1"


class OpenCvFaceNet:
    """The frozen graph at `path` in OpenCV's DNN module."""

    def __init__(self, path: Path) -> None:
        self._net = cv2.dnn.readNetFromTensorflow(str(path))

    def embed(self, pictures: Float32Array) -> Float32Array:
        """(N, 160, 160, 3) float32 model input -> (N, 512), of any length."""
        embeddings = []
        for picture in pictures:
            self._net.setInput(np.ascontiguousarray(picture.transpose(2, 0, 1)[None]))
            embeddings.append(np.asarray(self._net.forward(_RAW_EMBEDDING), np.float32).ravel())
        return np.stack(embeddings)


class RuntimeNet:
    """The ONNX file at `path`, channels first, in ONNX Runtime."""

    def __init__(self, path: Path) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.log_severity_level = 1, 3
        self._session = onnxruntime.InferenceSession(str(path), options)

    def run(self, pictures: Float32Array) -> Float32Array:
        """The first output: (N, H, W, C) float32 -> (N, ...)."""
        return self.outputs(pictures)[0]

    def outputs(self, pictures: Float32Array) -> list[Float32Array]:
        """(N, H, W, C) float32 -> each output, (N, ...), a picture at a time.

        Inputs that no node reads, which files keep of weights that were replaced, are fed zeros.
        """
        picture, *left = self._session.get_inputs()
        unread = {one.name: np.zeros(one.shape, np.float32) for one in left}
        channels_first = np.ascontiguousarray(pictures.transpose(0, 3, 1, 2))
        answers = [
            self._session.run(None, {picture.name: x[None]} | unread) for x in channels_first
        ]
        return [np.concatenate(parts) for parts in zip(*answers, strict=True)]


def expanded(path: Path, output: Path) -> Path:
    """The ONNX file with its weights, int8 in blocks, as float32, for images of any size.

    By the package onnx and NumPy: ONNX Runtime and OpenCV refuse blocks that have no scale for
    each of their parts, as YuNet's file has them.
    """
    import onnx
    from onnx import numpy_helper

    model = onnx.load(path)
    constants = {one.name: numpy_helper.to_array(one) for one in model.graph.initializer}
    kept = []
    for node in model.graph.node:
        given = [constants[name] for name in node.input if name in constants]
        if node.op_type == "DequantizeLinear":
            settings = {one.name: one.i for one in node.attribute}
            axis, block = settings["axis"], settings["block_size"]
            values, scale, zero = given
            count = values.shape[axis]
            scale, zero = (
                np.repeat(one, block, axis).take(range(count), axis) for one in (scale, zero)
            )
            constants[node.output[0]] = (values.astype(np.float32) - zero) * scale
        elif node.op_type == "Reshape" and len(given) == len(node.input):
            constants[node.output[0]] = given[0].reshape(given[1])
        else:
            kept.append(node)
    read = {name for node in kept for name in node.input}
    del model.graph.node[:], model.graph.initializer[:]
    model.graph.node.extend(kept)
    model.graph.initializer.extend(
        numpy_helper.from_array(np.ascontiguousarray(values), name)
        for name, values in constants.items()
        if name in read
    )
    for place, side in ((2, "height"), (3, "width")):
        model.graph.input[0].type.tensor_type.shape.dim[place].dim_param = side
    for one in model.graph.output:
        one.type.tensor_type.shape.dim[1].dim_param = f"{one.name}_places"
    model.opset_import[0].version = 13  # blocks alone need more, and OpenCV reads no more
    model.ir_version = 8
    onnx.save(model, output)
    return output


def package_net(name: str, pictures: Float32Array) -> list[Float32Array]:
    """The mtcnn package's own "pnet", "rnet" or "onet" on (N, H, W, 3) float32 model input."""
    from mtcnn.network.onet import ONet
    from mtcnn.network.pnet import PNet
    from mtcnn.network.rnet import RNet
    from mtcnn.utils.tensorflow import load_weights

    net = {"pnet": PNet, "rnet": RNet, "onet": ONet}[name]()
    net.build()
    net.set_weights(load_weights(f"{name}.lz4"))
    return [np.asarray(output) for output in net(pictures)]


def cosines(some: Float32Array, others: Float32Array) -> Float32Array:
    """Row by row: (N, D) and (N, D) -> (N,)."""
    dots = np.einsum("nd,nd->n", some, others, dtype=np.float64)
    lengths = np.linalg.norm(some, axis=1) * np.linalg.norm(others, axis=1)
    return np.asarray(dots / lengths, np.float32)
