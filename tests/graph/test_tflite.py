"""Conversion of a Keras net: repeatable, quiet, and its failures translated."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from facekit.errors import ModelBuildError

pytestmark = pytest.mark.tensorflow


def test_repeatable_and_quiet(capfd: pytest.CaptureFixture[str]) -> None:
    from facekit.graph.write.keras_litert import keras_to_litert
    from tests.networks.tiny_training import tiny_net

    net = tiny_net(embedding_size=4)
    assert keras_to_litert(net) == keras_to_litert(net)
    assert capfd.readouterr() == ("", "")


def test_a_graph_that_cannot_be_converted_is_a_build_error() -> None:
    from facekit.graph.write.keras_litert import keras_to_litert
    from facekit.system.keras_backend import keras

    given = keras.Input((4, 4), batch_size=1)
    odd = keras.Model(given, keras.ops.cholesky(given), name="odd")
    with pytest.raises(ModelBuildError, match="cannot convert odd to LiteRT"):
        keras_to_litert(odd)


def test_held_back_output_is_shown_on_an_error(capfd: pytest.CaptureFixture[str]) -> None:
    from facekit.system.native_output import captured_output

    with captured_output():
        print("said by Python")
        os.write(1, b"said by C++\n")
    assert capfd.readouterr() == ("", "")
    with pytest.raises(ValueError, match="no such graph"), captured_output():
        _say_and_fail()
    assert capfd.readouterr() == ("", "said before it went wrong\n")


def _say_and_fail() -> None:
    os.write(1, b"said before it went wrong\n")
    raise ValueError("no such graph")


def test_another_backend_is_refused_by_name() -> None:
    found = subprocess.run(
        [sys.executable, "-c", "import facekit.system.keras_backend"],
        env={**os.environ, "KERAS_BACKEND": "numpy"},
        capture_output=True,
        text=True,
    )
    assert found.returncode != 0
    assert found.stdout == ""
    assert "facekit.errors.ModelBuildError" in found.stderr
    assert "unset KERAS_BACKEND, or set it to tensorflow" in found.stderr
