"""Which runtime is taken, and what is said where there is none."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from facekit.errors import AcceleratorError, UsageError
from facekit.runtime import interpreter as interpreters
from facekit.runtime.interpreter import RUNTIME_VARIABLE, runtime_name

NETS = Path(__file__).parents[1] / "data" / "nets"


@pytest.fixture(autouse=True)
def _forget() -> None:
    interpreters._module.cache_clear()


def test_the_first_that_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        interpreters, "_MODULES", {"ai_edge_litert": "no_such_module", "tflite_runtime": "math"}
    )
    assert runtime_name() == "tflite_runtime"


def test_the_variable_overrides(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        interpreters, "_MODULES", {"ai_edge_litert": "math", "tflite_runtime": "cmath"}
    )
    monkeypatch.setenv(RUNTIME_VARIABLE, "tflite_runtime")
    assert runtime_name() == "tflite_runtime"


def test_an_unknown_runtime(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(RUNTIME_VARIABLE, "onnx")
    with pytest.raises(UsageError, match=r"ai_edge_litert, tflite_runtime, tensorflow.*'onnx'"):
        runtime_name()


def test_the_one_asked_for_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interpreters, "_MODULES", {"tflite_runtime": "no_such_module"})
    monkeypatch.setenv(RUNTIME_VARIABLE, "tflite_runtime")
    with pytest.raises(AcceleratorError, match="python -m pip install tflite-runtime"):
        runtime_name()


def test_none_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        interpreters, "_MODULES", {"ai_edge_litert": "no_such_a", "tflite_runtime": "no_such_b"}
    )
    with pytest.raises(AcceleratorError, match=r"no_such_a.*no_such_b.*pip install ai-edge-litert"):
        runtime_name()


@pytest.mark.tensorflow
def test_tensorflow_runs_the_same_file() -> None:
    code = (
        "import sys, numpy as np; from pathlib import Path\n"
        "from facekit.runtime.litert import LiteRtNet\n"
        f"net = LiteRtNet(Path({str(NETS / 'open_sides.tflite')!r}))\n"
        "assert 'tensorflow' in sys.modules\n"
        "print(net.run(np.ones((1, 2, 2, 3), 'f4'))[0])\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error::UserWarning", "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, RUNTIME_VARIABLE: "tensorflow"},
    )
    assert done.stdout == "[12.]\n"
