"""What is in a .tflite file: tensors, operators, parameters, multiply-accumulates."""

from __future__ import annotations

import importlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

from facekit.errors import AcceleratorError, ModelMismatchError
from facekit.models.card import Card
from facekit.models.store import CARD_SUFFIX, load_checked
from facekit.runtime.interpreters import new_interpreter

VELA_OPERATOR = "ethos-u"
"""the custom operator that stands for everything that Vela compiled"""

_SCHEMA = "ai_edge_litert.schema_py_generated"
_INTEGERS = ("int4", "int8", "uint8", "int16")
_FLOATS = ("float16", "float32", "bfloat16")
_WINDOW_OPERATORS = ("AVERAGE_POOL_2D", "MAX_POOL_2D")
_FOLDED_AWAY = {"inception-resnet-v1": 29_600}
"""Parameters of the graph that its file has no place for, by the card's architecture: moving
mean and variance of each of 14,800 normalised channels, folded into kernels and biases."""


@dataclass(frozen=True, slots=True)
class Tensor:
    """An input, an output, or an operand."""

    name: str
    shape: tuple[int, ...]
    """a side of -1 is open"""
    dtype: str
    """as LiteRT's schema calls it, in lower case"""
    scales: tuple[float, ...]
    """real = scale * (integer - zero point); one for each channel, one for all, or none"""
    zero_points: tuple[int, ...]
    is_constant: bool

    @property
    def is_integer(self) -> bool:
        """Quantised, so that an integer accelerator can take it."""
        return self.dtype in _INTEGERS and bool(self.scales)


@dataclass(frozen=True, slots=True)
class Operator:
    name: str
    """as LiteRT's schema calls it; a custom operator by its own name"""
    inputs: tuple[Tensor | None, ...]
    """None for an optional input that is left out"""
    outputs: tuple[Tensor, ...]
    window: int = 0
    """elements that a pooling operator reads for each element it writes"""


@dataclass(frozen=True, slots=True)
class Macs:
    """Multiply-accumulates of one inference."""

    weighted: int
    """in convolutions and fully connected layers"""
    pooling: int
    """elements read by pooling windows and means, which Vela counts as well"""

    @property
    def total(self) -> int:
        return self.weighted + self.pooling


@dataclass(frozen=True, slots=True, eq=False)  # eq=False: a card holds an array
class ModelInspection:
    path: Path
    size_bytes: int
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    operators: tuple[Operator, ...]
    """in the order in which they run"""
    parameters: dict[str, int]
    """constants that were trained, by dtype; indices, shapes and axes are not among them"""
    folded_parameters: int
    """further parameters of the graph that the file was made from, which conversion folded"""
    macs: Macs | None
    """for one picture where the batch is open; None where another side is, or after Vela"""
    card: Card | None
    card_problem: str
    """"" where card and file belong together"""

    @property
    def histogram(self) -> dict[str, int]:
        """How many there are of each operator, the most frequent first."""
        return dict(Counter(operator.name for operator in self.operators).most_common())

    @property
    def has_wrong_card(self) -> bool:
        """A card is there and does not describe this file."""
        return self.card is None and self.path.with_suffix(CARD_SUFFIX).exists()

    @property
    def is_compiled_by_vela(self) -> bool:
        return any(operator.name == VELA_OPERATOR for operator in self.operators)


def inspect_model(path: Path) -> ModelInspection:
    """Reads the file's first subgraph, which is the network.

    Raises ModelMissingError, StorageError, ModelMismatchError for what is no sound .tflite, and
    AcceleratorError where ai-edge-litert, which knows the format, is not installed.
    """
    new_interpreter(path, threads=1)  # for its verifier: the schema's classes trust every offset
    model = _schema().Model.GetRootAs(path.read_bytes())
    graph = model.Subgraphs(0)
    tensors = [_tensor(model, graph.Tensors(place)) for place in range(graph.TensorsLength())]
    operators = tuple(
        _operator(model, graph.Operators(place), tensors)
        for place in range(graph.OperatorsLength())
    )
    if not operators:
        raise ModelMismatchError(f"{path} has no operators: it is not a network.")
    card, card_problem = _card(path)
    return ModelInspection(
        path=path,
        size_bytes=path.stat().st_size,
        inputs=tuple(tensors[index] for index in graph.InputsAsNumpy()),
        outputs=tuple(tensors[index] for index in graph.OutputsAsNumpy()),
        operators=operators,
        parameters=_parameters(tensors),
        folded_parameters=_FOLDED_AWAY.get(card.architecture, 0) if card else 0,
        macs=_macs(operators),
        card=card,
        card_problem=card_problem,
    )


def _schema() -> Any:
    try:
        return importlib.import_module(_SCHEMA)
    except ImportError as error:
        raise AcceleratorError(
            "Reading a model's operators needs ai-edge-litert; tflite-runtime does not know the "
            "format. Install it with: python -m pip install ai-edge-litert"
        ) from error


def _tensor(model: Any, raw: Any) -> Tensor:
    sides = raw.ShapeSignatureAsNumpy() if raw.ShapeSignatureLength() else raw.ShapeAsNumpy()
    quantisation = raw.Quantization()
    return Tensor(
        name=raw.Name().decode(errors="replace"),
        shape=tuple(map(int, sides)) if raw.ShapeLength() else (),
        dtype=_constant_name(_schema().TensorType, raw.Type()).lower(),
        scales=_listed(quantisation, "Scale", float),
        zero_points=_listed(quantisation, "ZeroPoint", int),
        is_constant=_holds_data(model.Buffers(raw.Buffer())),
    )


def _holds_data(buffer: Any) -> bool:
    """Data stands in the flatbuffer or, as ai-edge-quantizer writes it, behind it at an offset."""
    return bool(buffer.DataLength() or buffer.Size())


def _listed(quantisation: Any, field: str, kind: type) -> tuple[Any, ...]:
    if quantisation is None or not getattr(quantisation, f"{field}Length")():
        return ()
    return tuple(map(kind, getattr(quantisation, f"{field}AsNumpy")()))


def _operator(model: Any, raw: Any, tensors: list[Tensor]) -> Operator:
    code = model.OperatorCodes(raw.OpcodeIndex())
    # Codes above 126 stand in the newer, wider field; older files have the narrow one alone.
    number = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
    name = _constant_name(_schema().BuiltinOperator, number)
    if name == "CUSTOM":
        name = code.CustomCode().decode(errors="replace")
    window = 0
    if name in _WINDOW_OPERATORS:
        options = _schema().Pool2DOptions()
        options.Init(raw.BuiltinOptions().Bytes, raw.BuiltinOptions().Pos)
        window = options.FilterHeight() * options.FilterWidth()
    return Operator(
        name=name,
        inputs=tuple(tensors[index] if index >= 0 else None for index in _indices(raw, "Inputs")),
        outputs=tuple(tensors[index] for index in _indices(raw, "Outputs")),
        window=window,
    )


def _indices(raw: Any, field: str) -> Iterator[int]:
    return (getattr(raw, field)(place) for place in range(getattr(raw, f"{field}Length")()))


def _constant_name(constants: type, number: int) -> str:
    return next(
        (name for name, value in vars(constants).items() if value == number), f"UNKNOWN_{number}"
    )


def _parameters(tensors: list[Tensor]) -> dict[str, int]:
    counts: Counter[str] = Counter()
    for tensor in tensors:
        if tensor.is_constant and (tensor.dtype in _FLOATS or tensor.scales):
            counts[tensor.dtype] += prod(tensor.shape)
    return dict(counts.most_common())


def _macs(operators: tuple[Operator, ...]) -> Macs | None:
    if any(operator.name == VELA_OPERATOR for operator in operators):
        return None
    weighted = pooling = 0
    for operator in operators:
        data, result = operator.inputs[0] if operator.inputs else None, operator.outputs[0]
        if -1 in result.shape[1:] or -1 in _shape(data)[1:]:
            return None
        written = _elements(result)
        if operator.name in ("CONV_2D", "FULLY_CONNECTED"):
            weighted += written * prod(_shape(operator.inputs[1])[1:])  # (out, [height, width,] in)
        elif operator.name == "DEPTHWISE_CONV_2D":
            weighted += written * prod(_shape(operator.inputs[1])[1:3])  # (1, height, width, out)
        elif operator.name == "MEAN":
            pooling += _elements(data)
        pooling += written * operator.window
    return Macs(weighted, pooling)


def _elements(tensor: Tensor | None) -> int:
    """For one picture where the batch is open."""
    return abs(prod(_shape(tensor)))


def _shape(tensor: Tensor | None) -> tuple[int, ...]:
    return () if tensor is None else tensor.shape


def _card(path: Path) -> tuple[Card | None, str]:
    if not path.with_suffix(CARD_SUFFIX).exists():
        return None, f"no card {path.with_suffix(CARD_SUFFIX).name} beside the file"
    try:
        return load_checked(path, read_all=True).card, ""
    except ModelMismatchError as error:
        return None, str(error)
