"""A Keras graph to a float32 LiteRT file: batch norms folded, outputs in the graph's order."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from facekit.errors import ModelBuildError
from facekit.graph.write.integer_prelu import without_prelu
from facekit.system.keras_backend import keras, tf
from facekit.system.native_output import captured_output
from facekit.types import Float32Array


def keras_to_litert(model: keras.Model) -> bytes:
    """The file's content; the same for the same graph, weights and TensorFlow.

    A side that the graph leaves open (a batch, a picture's height) stays open in the file.  A
    graph without such sides may be quantised: its PReLUs become what integer kernels know.
    Raises ModelBuildError when TensorFlow cannot convert the graph; its log goes to stderr.
    """
    try:
        with captured_output():
            content = tf.lite.TFLiteConverter.from_keras_model(without_prelu(model)).convert()
    except Exception as error:  # the converter raises whatever its many layers raise
        raise ModelBuildError(
            f"TensorFlow {tf.__version__} cannot convert {model.name} to LiteRT: {error}"
        ) from error
    return _outputs_in_order(content, len(model.outputs))


def answers_of(net: keras.Model) -> Callable[[Float32Array], list[Float32Array]]:
    """What the net itself answers to a batch, to compare a file with."""
    return lambda batch: [np.asarray(output) for output in keras.tree.flatten(net(batch))]


def keras_tools() -> dict[str, str]:
    """What a file's bytes depend on besides the net, for its card."""
    return {"tensorflow": tf.__version__, "keras": keras.__version__}


def _outputs_in_order(content: bytes, count: int) -> bytes:
    """The converter lists outputs as it pleases; its signature says which is which."""
    from ai_edge_litert import schema_py_generated as schema

    buffer = bytearray(content)
    root = schema.Model.GetRootAs(buffer)
    signature = root.SignatureDefs(0)
    entries = [signature.Outputs(index) for index in range(signature.OutputsLength())]
    by_name = {entry.Name().decode(): entry.TensorIndex() for entry in entries}
    listed = root.Subgraphs(0).OutputsAsNumpy()  # a view: what is assigned lands in `buffer`
    # Patched in place, since writing the file anew in Python would lose its buffers' alignment.
    listed[:] = [by_name[f"output_{index}"] for index in range(count)]
    return bytes(buffer)
