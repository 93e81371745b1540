"""facekit compile: compiles an integer .tflite file for an Arm Ethos-U NPU."""

from __future__ import annotations

from pathlib import Path

from facekit.conversion.vela import compile as vela
from facekit.conversion.vela.compile import CompiledModel
from facekit.conversion.vela.narrow import FULL_BITS
from facekit.conversion.vela.target import read_target
from facekit.errors import UsageError
from facekit.model.store import paths_of
from facekit.model.variants import MODEL_SUFFIXES, ONNX_SUFFIX
from facekit.reporter import SILENT, Reporter

DEFAULT_TARGET = "imx93"


def compile_model(
    model: str | Path,
    *,
    target: str = DEFAULT_TARGET,
    output: Path | None = None,
    memory_mode: str | None = None,
    sram: int | None = None,
    weight_bits: int = FULL_BITS,
    bandwidths: bool = True,
    allow_cpu_fallback: bool = False,
    force: bool = False,
    reporter: Reporter = SILENT,
) -> CompiledModel:
    """Writes the compiled model, its card and Vela's report into a folder.

    `model`: an integer .tflite file with its card, or the name of a stored model.  `target`: a name
    of configs/targets or a .toml file.  `output`: None means model_<target> beside the file.
    `memory_mode`: where weights and feature maps are, in Vela's words; `sram`: bytes of SRAM that
    the NPU may use; None means the target's.  `weight_bits`: if below 8, the weights that slow the
    NPU down are narrowed first.  `bandwidths`: also estimate with the target's other bandwidths.
    `allow_cpu_fallback`: accept a network that runs mostly on the CPU.  `force`: replace existing
    files.
    Raises UsageError for an unknown target or an ONNX file, and the errors of
    `facekit.conversion.vela.compile.compile_model`.
    """
    read = read_target(target).with_memory(mode=memory_mode, sram=sram)
    (path, *_) = paths_of(model)
    if output is None and not str(model).endswith(MODEL_SUFFIXES):
        raise UsageError(f"{model} is in the store, where models for NPUs do not go: pass -o DIR.")
    if path.suffix == ONNX_SUFFIX:
        raise UsageError(
            f"Vela compiles integer .tflite files. Received: {path}. Bring it into the store by "
            f"facekit models import {path.name} --as NAME, and then: facekit convert NAME --int8 "
            f"--vela {target} -o DIR"
        )
    reporter.note(f"compiling {path.name} for {read.title}")
    return vela.compile_model(
        path,
        read,
        output or path.parent / f"model_{read.name}",
        force=force,
        bandwidths=bandwidths,
        allow_cpu_fallback=allow_cpu_fallback,
        weight_bits=weight_bits,
        reporter=reporter,
    )
