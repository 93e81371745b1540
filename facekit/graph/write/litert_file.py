"""The tables of a LiteRT file, filled operator by operator and packed into its bytes.

Written through the classes of LiteRT's own schema.  Nothing but what is added decides about the
bytes: they are the same on every run and on every machine.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from facekit.graph.graph import OPEN, Graph, Node, Shape

_VERSION = 3  # of the schema
_IDENTIFIER = b"TFL3"
_ALIGNMENT = 16  # the schema's force_align on a buffer's data, which Python's Pack leaves out
_ROOM_BYTES = 1 << 20  # for all that is no weight; the builder grows where it is not enough
_SIGNATURE = b"serving_default"
_LARGEST_OLD_CODE = 127  # of an operator, where files of before 2020 have it


class LiteRtFile:
    """The tables of a file with one subgraph, filled operator by operator."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.tensors: list[Any] = []
        self.buffers: list[Any] = [schema.BufferT()]  # the first is empty: of what is computed
        self.operators: list[Any] = []
        self.codes: dict[tuple[int, int], Any] = {}
        self.tensors_of: dict[str, int] = {}
        """the tensor that a node gives, by its name"""

    def read_by(self, node: Node) -> list[int]:
        """The tensors of what `node` reads."""
        return [self.tensors_of[one.name] for one in node.inputs]

    def computed(self, node: Node, *, name: str | None = None, shape: Shape | None = None) -> int:
        """The tensor of what `node` gives, or of a step on the way to it."""
        sides = node.shape if shape is None else shape
        index = self._tensor(
            node.name if name is None else name,
            np.abs(np.array(sides, np.int32)),  # an open side stands at 1 until it is resized
            signature=np.array(sides, np.int32) if OPEN in sides else None,
        )
        self.tensors_of[node.name] = index
        return index

    def counted(self, name: str, length: int) -> int:
        """The tensor of a step that gives a picture's sides, int32 (length,)."""
        shape = np.array([length], np.int32)
        return self._tensor(name, shape, kind=schema.TensorType.INT32)

    def constant(self, name: str, values: NDArray[Any]) -> int:
        """float32 or int32 values; their bytes are aligned as LiteRT wants them."""
        kinds = {"float32": schema.TensorType.FLOAT32, "int32": schema.TensorType.INT32}
        data = np.ascontiguousarray(values, values.dtype.newbyteorder("<"))
        self.buffers.append(schema.BufferT(data=data.reshape(-1).view(np.uint8)))
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
            schema.TensorT(
                shape=shape,
                type=kind,
                buffer=buffer,
                name=f"{self.name}/{name}".encode(),
                shapeSignature=signature,
                hasRank=True,
            )
        )
        return len(self.tensors) - 1

    def operator(
        self,
        builtin: int,
        inputs: Sequence[int],
        output: int,
        options: tuple[int, Any] | None = None,
        *,
        version: int = 1,
    ) -> None:
        """`options`: their kind and their table."""
        code = self.codes.setdefault(
            (builtin, version),
            schema.OperatorCodeT(
                builtinCode=builtin,
                deprecatedBuiltinCode=min(builtin, _LARGEST_OLD_CODE),
                version=version,
            ),
        )
        kind, table = options or (0, None)
        self.operators.append(
            schema.OperatorT(
                opcodeIndex=list(self.codes.values()).index(code),
                inputs=np.array(inputs, np.int32),
                outputs=np.array([output], np.int32),
                builtinOptionsType=kind,
                builtinOptions=table,
            )
        )

    def packed(self, graph: Graph) -> bytes:
        inputs, outputs = (
            np.array([self.tensors_of[node.name] for node in nodes], np.int32)
            for nodes in (graph.inputs, graph.outputs)
        )
        model = schema.ModelT(
            version=_VERSION,
            operatorCodes=list(self.codes.values()),
            subgraphs=[
                schema.SubGraphT(
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
                schema.SignatureDefT(
                    inputs=[_named(node.name, self.tensors_of[node.name]) for node in graph.inputs],
                    outputs=[_named(f"output_{n}", at) for n, at in enumerate(outputs)],
                    signatureKey=_SIGNATURE,
                )
            ],
        )
        return packed_model(model, b"")


Writer: TypeAlias = Callable[[LiteRtFile, Node, Node | None], None]
"""adds a node's operators; the second node is an activation that becomes part of them"""


def packed_model(model: Any, content: bytes) -> bytes:
    """The bytes of a file, from its tables as LiteRT's schema has them (a ModelT).

    `content`: the file that they were read from, which may hold constants behind its tables.
    """
    size = 0
    for place, held in enumerate(model.buffers):
        if (data := constant_bytes(held, content)) is not None:
            model.buffers[place] = _Aligned(data=data)
            size += data.nbytes
    builder = flatbuffers.Builder(size + _ROOM_BYTES)
    builder.Finish(model.Pack(builder), _IDENTIFIER)
    return bytes(memoryview(builder.Bytes)[builder.Head() :])


def constant_bytes(held: Any, content: bytes) -> NDArray[np.uint8] | None:
    """A constant (a BufferT of the file `content`) as uint8 (N,); None for what is computed."""
    if held.data is not None:
        return np.asarray(held.data, np.uint8)
    if held.offset > 1:  # 1 stands for no constant in files that have offsets
        return np.frombuffer(content, np.uint8, count=held.size, offset=held.offset)
    return None


class _Aligned(schema.BufferT):  # type: ignore[misc]  # LiteRT has no types
    def Pack(self, builder: Any) -> Any:
        builder.StartVector(1, self.data.nbytes, _ALIGNMENT)
        builder.head -= self.data.nbytes
        builder.Bytes[builder.head : builder.head + self.data.nbytes] = memoryview(self.data)
        data = builder.EndVector()
        schema.BufferStart(builder)
        schema.BufferAddData(builder, data)
        return schema.BufferEnd(builder)


def _named(name: str, index: int) -> Any:
    return schema.TensorMapT(name=name.encode(), tensorIndex=int(index))
