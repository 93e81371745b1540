"""Keras models where Keras is not installed; what it runs is in tests/training."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from facekit.errors import AcceleratorError, ModelMissingError, UsageError
from facekit.runtime.delegates import AcceleratorRequest, open_net
from facekit.runtime.keras import KerasNet


def test_without_keras_it_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "keras", None)
    path = tmp_path / "a.keras"
    path.write_bytes(b"not looked at")
    with pytest.raises(AcceleratorError, match=r"pip install 'facekit-cli\[train\]'") as raised:
        open_net(path, request=AcceleratorRequest())
    assert raised.value.exit_code == 6


def test_a_file_that_is_not_there_and_a_device_that_keras_has_not(tmp_path: Path) -> None:
    with pytest.raises(ModelMissingError, match="There is no model file"):
        KerasNet(tmp_path / "none.keras")
    request = AcceleratorRequest(delegate=tmp_path / "libnpu.so")
    with pytest.raises(UsageError, match=r"Keras runs .*a\.keras as TensorFlow does"):
        open_net(tmp_path / "a.keras", request=request)
