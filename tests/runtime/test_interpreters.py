"""Which runtime is taken, and what is said where there is none."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from facekit.enums import LiteRtPackage
from facekit.errors import AcceleratorError, UsageError
from facekit.runtime.packages import RUNTIME_VARIABLE, default_package

MODULES = {
    LiteRtPackage.AI_EDGE_LITERT: "ai_edge_litert.interpreter",
    LiteRtPackage.TFLITE_RUNTIME: "tflite_runtime.interpreter",
    LiteRtPackage.TENSORFLOW: "tensorflow.lite.python.interpreter",
}
NETS = Path(__file__).parents[1] / "data" / "nets"


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Leaves the named packages alone importable, each with an empty interpreter module."""

    def only(*packages: LiteRtPackage) -> None:
        for package, name in MODULES.items():
            module = ModuleType(name) if package in packages else None
            monkeypatch.setitem(sys.modules, name, module)

    return only


def test_litert_is_taken_before_tensorflow_lite_and_tensorflow_last(
    install: Callable[..., None],
) -> None:
    install(*LiteRtPackage)
    assert default_package() is LiteRtPackage.AI_EDGE_LITERT
    install(LiteRtPackage.TENSORFLOW, LiteRtPackage.TFLITE_RUNTIME)
    assert default_package() is LiteRtPackage.TFLITE_RUNTIME
    install(LiteRtPackage.TENSORFLOW)
    assert default_package() is LiteRtPackage.TENSORFLOW


def test_the_variable_overrides(
    install: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    install(*LiteRtPackage)
    monkeypatch.setenv(RUNTIME_VARIABLE, "tflite_runtime")
    assert default_package() is LiteRtPackage.TFLITE_RUNTIME


def test_an_unknown_runtime(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(RUNTIME_VARIABLE, "onnx")
    with pytest.raises(UsageError, match=r"ai_edge_litert, tflite_runtime, tensorflow.*'onnx'"):
        default_package()


def test_the_one_asked_for_is_missing(
    install: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    install(LiteRtPackage.AI_EDGE_LITERT)
    monkeypatch.setenv(RUNTIME_VARIABLE, "tflite_runtime")
    with pytest.raises(AcceleratorError, match="python -m pip install tflite-runtime"):
        default_package()


def test_none_is_installed(install: Callable[..., None]) -> None:
    install()
    message = r"ai_edge_litert: .*tflite_runtime: .*tensorflow: .*pip install ai-edge-litert"
    with pytest.raises(AcceleratorError, match=message):
        default_package()


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
