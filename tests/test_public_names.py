"""What `import facekit` offers, and how little it loads."""

from __future__ import annotations

import inspect
import subprocess
import sys
from collections.abc import Callable
from enum import Enum
from typing import Any, cast

import pytest

import facekit
from docs.commands import every_command
from facekit import errors
from facekit.cli import COMMANDS

VERBS = {
    "verify": ["verify", "verify_pairs"],
    "detect": ["detect"],
    "quality": ["quality"],
    "embed": ["embed", "embed_to_file"],
    "compare": ["compare"],
    "enroll": ["Gallery.enroll", "Gallery.enroll_folder"],
    "identify": ["Gallery.identify"],
    "cluster": ["cluster"],
    "track": ["track"],
    "evaluate": ["evaluate", "evaluate_liveness"],
    "eval-lfw": ["evaluate"],
    "calibrate": ["calibrate"],
    "data fetch": ["fetch_lfw"],
    "align-dataset": ["align_dataset"],
    "train": ["train"],
    "convert": ["convert", "conversion_plan"],
    "quantize": ["quantize"],
    "export": ["export"],
    "benchmark": ["benchmark"],
    "watch": ["watch"],
    "serve": ["load"],
    "serve-stdin": ["load"],
    "inspect": ["inspect"],
    "compile": ["compile"],
    "bundle": ["bundle"],
    "doctor": ["doctor"],
    "selftest": ["selftest"],
    "config list": ["list_configs"],
    "config show": ["show_config"],
    "gallery init": ["Gallery.create"],
    "gallery stats": ["Gallery.stats"],
    "gallery list": ["Gallery.people"],
    "gallery show": ["Gallery.show"],
    "gallery remove": ["Gallery.remove"],
    "gallery rename": ["Gallery.rename"],
    "gallery merge": ["Gallery.merge"],
    "gallery unmerge": ["Gallery.unmerge"],
    "gallery check": ["Gallery.check"],
    "gallery rekey": ["Gallery.rekey"],
    "gallery recenter": ["Gallery.recenter"],
    "gallery export": ["Gallery.export"],
    "gallery import": ["Gallery.import_file"],
    "models list": ["models.list_models"],
    "models info": ["models.info"],
    "models fetch": ["models.fetch"],
    "models build": ["models.build"],
    "models verify": ["models.verify"],
    "models path": ["models.path"],
    "models remove": ["models.remove"],
    "models export": ["models.export"],
    "models import": ["models.import_model", "models.import_options"],
    "models key": ["models.key"],
    "models card": ["models.card", "models.card_draft"],
}
"""By command, what Python has for it"""

ERRORS = [
    name
    for name, value in vars(errors).items()
    if inspect.isclass(value) and issubclass(value, errors.FacekitError)
]
RECORDS = [
    "AcceleratorRequest",
    "Calibration",
    "CalibrationPhotos",
    "Card",
    "CropChange",
    "CropSpec",
    "Decision",
    "DetectorOptions",
    "EmbeddedPicture",
    "Face",
    "FaceQuality",
    "Gallery",
    "ImageLimits",
    "LocatedPicture",
    "OpenSetChoice",
    "OpenSetThreshold",
    "OperatingPoint",
    "PhotoFailure",
    "Picture",
    "Pipeline",
    "PipelineRequest",
    "Reporter",
    "TemplateSpace",
    "Threshold",
    "ThresholdChoice",
    "Verification",
]
SHARED = {"reporter", "request", "model", "face", "workers", "ray"}
"""Parameters that mean the same everywhere; `load` and PipelineRequest say what"""


def named(path: str) -> Callable[..., Any]:
    """facekit.Gallery.enroll of "Gallery.enroll"."""
    found: Any = facekit
    for name in path.split("."):
        found = getattr(found, name)
    assert callable(found)
    return cast("Callable[..., Any]", found)


FUNCTIONS = sorted({path for paths in VERBS.values() for path in paths})


OF_THE_SHELL_ALONE = {"completion", "help"}


def test_every_command_of_the_shell_has_a_verb_in_python() -> None:
    groups = {"gallery", "models", "data", "config"}
    commands = {" ".join(words) for words in every_command()} - groups - OF_THE_SHELL_ALONE
    assert set(VERBS) == commands
    assert {name.partition(" ")[0] for name in VERBS} == COMMANDS.keys() - OF_THE_SHELL_ALONE


def test_the_public_names() -> None:
    verbs = {path.partition(".")[0] for path in FUNCTIONS}
    enums = {name for name in facekit.__all__ if _is_enum(getattr(facekit, name))}
    expected = verbs | enums | set(RECORDS) | set(ERRORS) | {"__version__"}
    assert facekit.__all__ == sorted(expected)


def _is_enum(value: object) -> bool:
    return inspect.isclass(value) and issubclass(value, Enum)


@pytest.mark.parametrize("name", facekit.__all__)
def test_each_name_is_there_and_listed_by_dir(name: str) -> None:
    assert getattr(facekit, name) is not None
    assert name in dir(facekit)


def test_no_verb_is_hidden_by_a_room_of_its_name() -> None:
    """`import facekit.x.y` makes facekit.x a module, whatever facekit.x was meant to be."""
    code = (
        "import facekit, importlib, pkgutil\n"
        "for room in pkgutil.iter_modules(facekit.__path__): "
        "room.name.startswith('_') or importlib.import_module('facekit.' + room.name)\n"
        "print([n for n in facekit.__all__ if n not in ('models', '__version__') "
        "and not callable(getattr(facekit, n))])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("path", FUNCTIONS)
def test_each_verb_says_what_it_takes_and_what_it_raises(path: str) -> None:
    function = named(path)
    text = inspect.getdoc(function)
    assert text
    assert text.partition("\n")[0].endswith((".", "?", ","))
    parameters = inspect.signature(function).parameters
    for name, parameter in parameters.items():
        assert name == "self" or parameter.annotation is not inspect.Parameter.empty, name
    if "." not in path:
        unsaid = {name for name in set(parameters) - SHARED if name not in text}
        assert not unsaid, f"facekit.{path} does not say what {', '.join(sorted(unsaid))} mean"
        assert "Raises" in text or not parameters, "it does not say what it raises"


@pytest.mark.parametrize("path", FUNCTIONS)
def test_options_are_given_by_name(path: str) -> None:
    """Four positional parameters at the most: what is worked on, and where it goes."""
    kinds = [one.kind for one in inspect.signature(named(path)).parameters.values()]
    assert kinds.count(inspect.Parameter.POSITIONAL_OR_KEYWORD) <= 4


@pytest.mark.parametrize("name", RECORDS)
def test_records_are_documented(name: str) -> None:
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
