"""What `import facekit` offers, and how little it loads."""

from __future__ import annotations

import inspect
import subprocess
import sys

import pytest

import facekit
from facekit import errors

FUNCTIONS = ["card_threshold", "detect", "embed", "given_threshold", "load", "verify"]
ENUMS = ["ColourOrder", "CropRule", "FacePolicy", "Metric", "ResizeFilter"]
RECORDS = [
    "Card",
    "CropSpec",
    "Decision",
    "DetectorOptions",
    "EmbeddedPicture",
    "Face",
    "ImageLimits",
    "LocatedPicture",
    "OperatingPoint",
    "Picture",
    "Pipeline",
    "Threshold",
    "Verification",
]
ERRORS = [
    name
    for name, value in vars(errors).items()
    if inspect.isclass(value) and issubclass(value, errors.FacekitError)
]


def test_the_public_names() -> None:
    assert facekit.__all__ == sorted([*FUNCTIONS, *ENUMS, *RECORDS, *ERRORS, "__version__"])


@pytest.mark.parametrize("name", facekit.__all__)
def test_each_name_is_there_and_listed_by_dir(name: str) -> None:
    assert getattr(facekit, name) is not None
    assert name in dir(facekit)


@pytest.mark.parametrize("name", [*FUNCTIONS, *RECORDS])
def test_functions_and_records_are_documented(name: str) -> None:
    text = inspect.getdoc(getattr(facekit, name))
    assert text
    assert not text.startswith(f"{name}("), "a dataclass without a docstring gets its signature"


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'facekit' has no attribute 'verfy'"):
        getattr(facekit, "verfy")  # noqa: B009  # mypy would refuse facekit.verfy


def test_import_loads_no_dependency() -> None:
    """Not numpy, not OpenCV, not click: only facekit's own small files and the standard library."""
    code = (
        "import sys; before = set(sys.modules); import facekit; "
        "new = {name.partition('.')[0] for name in set(sys.modules) - before}; "
        "print(*sorted(new - set(sys.stdlib_module_names)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["facekit"]
