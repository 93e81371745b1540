"""The one place that imports TensorFlow and Keras."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.tensorflow


def test_another_backend_is_refused_by_name() -> None:
    found = subprocess.run(
        [sys.executable, "-c", "import facekit.training.backend"],
        env={**os.environ, "KERAS_BACKEND": "numpy"},
        capture_output=True,
        text=True,
    )
    assert found.returncode != 0
    assert found.stdout == ""
    assert "facekit.errors.ModelBuildError" in found.stderr
    assert "unset KERAS_BACKEND, or set it to tensorflow" in found.stderr
