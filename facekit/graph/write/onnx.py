"""An embedding net's LiteRT file as an ONNX graph: the same operators, the same weights.

The file is the source since it is what every other file of a model is made from and measured
against: no TensorFlow takes part, names of layers stay, and equal files give equal bytes.  Input
and output are as in LiteRT, (N, height, width, 3) and (N, embedding), with an open batch; inside,
the order is ONNX's own, channels first.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from facekit.errors import ModelBuildError
from facekit.graph.write.onnx_nodes import Writer
from facekit.graph.write.onnx_operators import WRITERS
from facekit.system.onnx_package import onnx


@dataclass(frozen=True, slots=True, eq=False)
class OnnxGraph:
    """A model that is not on the disk yet."""

    model: Any
    """onnx.ModelProto, float32, checked"""
    activations: dict[str, str]
    """the tensor that each of the LiteRT file's activations became, by its key; see
    quantize/graph.py"""


def onnx_graph(content: bytes, *, producer: str = "facekit") -> OnnxGraph:
    """The float32 .tflite file `content` as ONNX; the same bytes for the same file.

    Raises ModelBuildError for an operator, or a form of one, that no embedding net of facekit's
    has: it names it.
    """
    writer = Writer(content, WRITERS)
    model = writer.write(producer)
    try:
        onnx.checker.check_model(model, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise ModelBuildError(f"The ONNX graph made of the file is not valid: {error}") from error
    return OnnxGraph(model, writer.activations)
