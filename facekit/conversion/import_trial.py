"""Runs a network from outside, and what was made of it, in a process of their own.

The runtimes are native libraries, which a few changed bytes of a file can crash.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from facekit.conversion.source_inference import can_run_source, source_inference
from facekit.errors import FacekitError, ModelBuildError
from facekit.graph.graph import Graph
from facekit.graph.operations import graph_input
from facekit.graph.probe import pattern
from facekit.runtime.litert import LiteRtNet
from facekit.system.trial import Died, limit_memory, try_each
from facekit.types import Float32Array


def require_runs(path: Path, graph: Graph, made: Path) -> None:
    """Runs the source file `path`, of which `graph` was read, and the LiteRT file `made`.

    Raises ModelBuildError if the process crashes or does not answer, or if a runtime raises an
    error of its own.  What raises an error of facekit is left to the caller's own run, which raises
    it too.
    """
    (image,) = graph.inputs
    item = {
        "source": str(path) if can_run_source(path) else None,
        "made": str(made),
        "name": image.name,
        "shape": image.shape,
    }
    (answer,) = try_each(f"{__name__}:run_both", [item])
    if isinstance(answer, Died):
        answer = f"the process that ran it {answer.how}"
    if answer is not None:
        raise ModelBuildError(
            f"{path.name} was read, and cannot be run: {answer}. It is damaged or hostile, or no "
            "runtime here can run it. Nothing is put in place."
        )


def run_both(item: dict[str, Any]) -> str | None:
    """Runs the files "made" and "source" on a test image; returns what is wrong, or None.

    Returns None also for an error of facekit, and the text of any other.
    """
    limit_memory()
    _, height, width, _ = item["shape"]
    crops: Float32Array = pattern(1, height, width).astype("float32")
    image = graph_input(item["name"], (1, height, width, 3))
    try:
        LiteRtNet(Path(item["made"])).run(crops)
        if item["source"] is not None:
            source_inference(Path(item["source"]), Graph(item["name"], (image,)))(crops)
    except FacekitError:
        return None
    except Exception as error:
        return " ".join(f"{type(error).__name__}: {error}".split())
    return None
