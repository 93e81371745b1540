"""Names the variants of a model, and the files that hold them.

    float32  float16  int8  uint8  ...         LiteRT       <name>_<variant>.tflite
    onnx-fp32  onnx-fp16  onnx-int8            ONNX         <name>_<variant>.onnx
    keras                                      Keras        <name>_keras.keras

The card states the same facts.  The names serve to find a file before its card is read.
"""

from __future__ import annotations

from pathlib import Path

from facekit.enums import Precision, Runtime
from facekit.errors import UsageError

LITERT_SUFFIX = Runtime.LITERT.suffix
ONNX_SUFFIX = Runtime.ONNX.suffix
KERAS_SUFFIX = Runtime.KERAS.suffix
MODEL_SUFFIXES = (LITERT_SUFFIX, ONNX_SUFFIX, KERAS_SUFFIX)
DEFAULT_VARIANT = "float32"
KERAS_VARIANT = "keras"
"""The float32 network as a Keras file."""

_ONNX = "onnx"
_PRECISIONS = {
    DEFAULT_VARIANT: Precision.FP32,
    "float16": Precision.FP16,
    "int8": Precision.INT8,
}
"""Precision of the ONNX variant that corresponds to a LiteRT variant."""


def onnx_variant(precision: Precision) -> str:
    """Returns the variant's name: Precision.FP16 -> "onnx-fp16"."""
    return f"{_ONNX}-{precision.value}"


def precision_of(variant: str) -> Precision | None:
    """Returns the precision of an ONNX variant: "onnx-fp16" -> Precision.FP16.

    Returns None for a variant of another format.
    """
    return next((one for one in Precision if onnx_variant(one) == variant), None)


def full_variant_name(variant: str) -> str:
    """Returns "onnx-fp32" for the short form "onnx", and any other variant unchanged."""
    return onnx_variant(Precision.FP32) if variant == _ONNX else variant


def file_name(name: str, variant: str) -> str:
    """Returns the name of the model file in the store."""
    return f"{name}_{variant}{suffix_of(variant)}"


def suffix_of(variant: str) -> str:
    if variant == KERAS_VARIANT:
        return KERAS_SUFFIX
    return ONNX_SUFFIX if variant.startswith(f"{_ONNX}-") else LITERT_SUFFIX


def for_runtime(name_or_path: str, runtime: Runtime | None) -> str:
    """Returns the variant that `runtime` runs: "facenet512-casia" -> "...:onnx-fp32".

    If `runtime` is None, or can run the file or variant, returns `name_or_path` itself.
    Raises UsageError for a file or variant that the runtime cannot run.
    """
    if runtime is None:
        return name_or_path
    name, _, variant = name_or_path.partition(":")
    variant = full_variant_name(variant)
    suffix = Path(name_or_path).suffix
    found = suffix if suffix in MODEL_SUFFIXES else suffix_of(variant)
    if found == runtime.suffix:
        return name_or_path
    is_litert_variant = found == LITERT_SUFFIX and suffix not in (LITERT_SUFFIX, ".json")
    precision = _PRECISIONS.get(variant or DEFAULT_VARIANT) if is_litert_variant else None
    if runtime is Runtime.ONNX and precision is not None:
        return f"{name}:{onnx_variant(precision)}"
    if runtime is Runtime.KERAS and precision is Precision.FP32:
        return f"{name}:{KERAS_VARIANT}"
    known = {Runtime.LITERT: (), Runtime.ONNX: _PRECISIONS, Runtime.KERAS: (DEFAULT_VARIANT,)}
    also = ", ".join(known[runtime])
    raise UsageError(
        f"--runtime {runtime.value} runs {runtime.suffix} files"
        + (f", and the variants {also} of a model's name as {runtime.name}" if also else "")
        + f". Received: {name_or_path}"
    )
