"""Builds the tables of a LiteRT file, operator by operator, and serializes them.

The tables are written by the classes of LiteRT's own schema.  The bytes depend only on the added
tensors and operators, so the bytes are the same on every run and machine.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from facekit.graph.graph import DYNAMIC, Graph, Node, Shape
from facekit.graph.litert_tables import filled

_VERSION = 3  # the version of the schema
_IDENTIFIER = b"TFL3"
# The schema aligns buffer data to 16 bytes (force_align); the generated Pack ignores this.
_ALIGNMENT = 16
_INITIAL_BYTES = (
    1 << 20
)  # initial size for everything except weights; the builder grows if necessary
_SIGNATURE = b"serving_default"
# The largest code that fits into deprecatedBuiltinCode, the only field of the code before 2020.
_MAX_OLD_CODE = 127


class LiteRtFile:
    """The tables of a file with one subgraph, to which operators are added one by one."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.tensors: list[Any] = []
        # buffer 0 is empty and belongs to all computed tensors
        self.buffers: list[Any] = [schema.BufferT()]
        self.operators: list[Any] = []
        self.codes: dict[tuple[int, int], Any] = {}
        self.tensors_of: dict[str, int] = {}
        """The index of a node's output tensor, by the node's name."""

    def input_tensors(self, node: Node) -> list[int]:
        """Returns the tensor indices of the inputs of `node`."""
        return [self.tensors_of[node_input.name] for node_input in node.inputs]

    def add_activation(
        self, node: Node, *, name: str | None = None, shape: Shape | None = None
    ) -> int:
        """Adds a float32 tensor for the output of `node`, and returns its index.

        `tensors_of` then states this index for the node.  `name` and `shape` replace the node's
        name and shape, e.g. for the tensor of an intermediate step, which must be added before the
        node's final tensor.
        """
        dimensions = node.shape if shape is None else shape
        index = self._tensor(
            node.name if name is None else name,
            # a dynamic dimension has size 1 until it is resized
            np.abs(np.array(dimensions, np.int32)),
            signature=np.array(dimensions, np.int32) if DYNAMIC in dimensions else None,
        )
        self.tensors_of[node.name] = index
        return index

    def add_shape_tensor(self, name: str, length: int) -> int:
        """Adds an int32 tensor (length,) that holds dimensions, and returns its index."""
        shape = np.array([length], np.int32)
        return self._tensor(name, shape, kind=schema.TensorType.INT32)

    def add_constant(self, name: str, values: NDArray[Any]) -> int:
        """Adds a float32 or int32 constant, and returns its index."""
        kinds = {"float32": schema.TensorType.FLOAT32, "int32": schema.TensorType.INT32}
        data = np.ascontiguousarray(values, values.dtype.newbyteorder("<"))
        self.buffers.append(filled(schema.BufferT, data=data.reshape(-1).view(np.uint8)))
        return self._tensor(
            name,
            np.array(values.shape, np.int32),
            kind=kinds[values.dtype.name],
            buffer=len(self.buffers) - 1,
        )

    def _tensor(
        self,
        name: str,
        shape: NDArray[np.int32],
        *,
        kind: int = schema.TensorType.FLOAT32,
        buffer: int = 0,
        signature: NDArray[np.int32] | None = None,
    ) -> int:
        self.tensors.append(
            filled(
                schema.TensorT,
                shape=shape,
                type=kind,
                buffer=buffer,
                name=f"{self.name}/{name}".encode(),
                shapeSignature=signature,
                hasRank=True,
            )
        )
        return len(self.tensors) - 1

    def add_operator(
        self,
        builtin: int,
        inputs: Sequence[int],
        output: int,
        options: tuple[int, Any] | None = None,
        *,
        version: int = 1,
    ) -> None:
        """Adds an operator with the code `builtin` (schema.BuiltinOperator) and one output tensor.

        `inputs` and `output` are tensor indices.  `options` is a pair: a code of
        schema.BuiltinOptions and the option table of that type.  `version` is the operator's
        version.
        """
        code = self.codes.setdefault(
            (builtin, version),
            filled(
                schema.OperatorCodeT,
                builtinCode=builtin,
                deprecatedBuiltinCode=min(builtin, _MAX_OLD_CODE),
                version=version,
            ),
        )
        kind, table = options or (0, None)
        self.operators.append(
            filled(
                schema.OperatorT,
                opcodeIndex=list(self.codes.values()).index(code),
                inputs=np.array(inputs, np.int32),
                outputs=np.array([output], np.int32),
                builtinOptionsType=kind,
                builtinOptions=table,
            )
        )

    def to_bytes(self, graph: Graph) -> bytes:
        """Serializes the file.

        `graph` must be the graph whose nodes were added; it states the inputs and the outputs.
        """
        inputs, outputs = (
            np.array([self.tensors_of[node.name] for node in nodes], np.int32)
            for nodes in (graph.inputs, graph.outputs)
        )
        model = filled(
            schema.ModelT,
            version=_VERSION,
            operatorCodes=list(self.codes.values()),
            subgraphs=[
                filled(
                    schema.SubGraphT,
                    tensors=self.tensors,
                    inputs=inputs,
                    outputs=outputs,
                    operators=self.operators,
                    name=b"main",
                )
            ],
            description=b"facekit",
            buffers=self.buffers,
            signatureDefs=[
                filled(
                    schema.SignatureDefT,
                    inputs=[
                        _tensor_map(node.name, self.tensors_of[node.name]) for node in graph.inputs
                    ],
                    outputs=[_tensor_map(f"output_{n}", index) for n, index in enumerate(outputs)],
                    signatureKey=_SIGNATURE,
                )
            ],
        )
        return pack_model(model, b"")


Writer: TypeAlias = Callable[[LiteRtFile, Node, Node | None], None]
"""Adds the operators of a node.  The second node is an activation function to merge, or None."""


def pack_model(model: Any, content: bytes) -> bytes:
    """Serializes the tables of a model (a ModelT of LiteRT's schema).

    `content` is the file from which `model` was read, or b"" for a new model.  Constants that the
    file stores behind its tables are copied from `content`.  The buffers in `model.buffers` are
    replaced in place.
    """
    size = 0
    for index, buffer in enumerate(model.buffers):
        if (data := constant_bytes(buffer, content)) is not None:
            model.buffers[index] = filled(_AlignedBuffer, data=data)
            size += data.nbytes
    builder = flatbuffers.Builder(size + _INITIAL_BYTES)
    builder.Finish(model.Pack(builder), _IDENTIFIER)
    return bytes(memoryview(builder.Bytes)[builder.Head() :])


def constant_bytes(buffer: Any, content: bytes) -> NDArray[np.uint8] | None:
    """Returns the bytes of a buffer as uint8 (N,), or None if the buffer is empty.

    `buffer` is a BufferT that was read from the file `content`.
    """
    if buffer.data is not None:
        return np.asarray(buffer.data, np.uint8)
    if buffer.offset > 1:  # files with offsets use 1 for an empty buffer
        return np.frombuffer(content, np.uint8, count=buffer.size, offset=buffer.offset)
    return None


class _AlignedBuffer(schema.BufferT):  # type: ignore[misc]  # LiteRT has no types
    def Pack(self, builder: Any) -> Any:
        builder.StartVector(1, self.data.nbytes, _ALIGNMENT)
        builder.head -= self.data.nbytes
        builder.Bytes[builder.head : builder.head + self.data.nbytes] = memoryview(self.data)
        data = builder.EndVector()
        schema.BufferStart(builder)
        schema.BufferAddData(builder, data)
        return schema.BufferEnd(builder)


def _tensor_map(name: str, index: int) -> Any:
    return filled(schema.TensorMapT, name=name.encode(), tensorIndex=int(index))
