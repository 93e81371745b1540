"""Chooses the model if the user names none.

The first setting that exists is used: the environment variable FACEKIT_MODEL, the user's
configuration file, facekit's built-in default.  The file is config.toml in the platform's folder
for user configuration.  An example of its content:

    model = "sface"    # a name, NAME:VARIANT, or a model file, a relative one beside config.toml
"""

from __future__ import annotations

import os
import re
from dataclasses import asdict, dataclass
from pathlib import Path

from facekit.errors import ModelMissingError, UsageError
from facekit.model import registry
from facekit.model.store import CARD_SUFFIX, stored_names
from facekit.model.variants import MODEL_SUFFIXES
from facekit.system.configs import parse_toml
from facekit.system.inputs import InputKind, read_input, reading
from facekit.system.suggest import did_you_mean

VARIABLE = "FACEKIT_MODEL"
BUILT_IN = "facekit"
_SETTINGS = ("model",)
_FILES = (*MODEL_SUFFIXES, CARD_SUFFIX)
_CONFIGURATION = InputKind("a configuration", UsageError, max_bytes=100_000)


@dataclass(frozen=True, slots=True)
class DefaultModel:
    """The model to use if the user names none, and the setting that names this model."""

    model: str
    """Registry name, NAME:VARIANT, or the path of a model file."""
    origin: str
    """FACEKIT_MODEL, the path of the configuration file, or BUILT_IN."""

    def to_dict(self) -> dict[str, str]:
        return asdict(self)


def config_file() -> Path:
    """Returns the path of the user's configuration file; the file need not exist."""
    from platformdirs import user_config_path

    return user_config_path("facekit", appauthor=False) / "config.toml"


def default_model() -> DefaultModel:
    """Returns the model to use if the user names none.

    Raises UsageError, which names the file and, for a wrong setting, the line, if the configuration
    cannot be read or is not valid.  Raises ModelMissingError if the environment or the file names
    an unknown model.
    """
    path = config_file()
    if name := os.environ.get(VARIABLE, ""):
        default = DefaultModel(name, VARIABLE)
    elif name := _configured(path).get("model", ""):
        default = DefaultModel(name, str(path))
    else:
        return DefaultModel(registry.DEFAULT_MODEL, BUILT_IN)
    known = (*registry.names(), *stored_names())
    if not name.endswith(_FILES) and name.partition(":")[0] not in known:
        raise ModelMissingError(
            f"{default.origin} makes {name!r} the default model, and none is called so."
            f"{did_you_mean(name, known)} Known models: {', '.join(dict.fromkeys(known))}."
        )
    return default


def model_or_default(name: str | None) -> str:
    """Returns `name`, or the default model for None.  Raises the errors of `default_model`."""
    return default_model().model if name is None else name


def _configured(path: Path) -> dict[str, str]:
    """Returns the settings in the file, with paths made absolute, or {} if there is no file."""
    with reading(_CONFIGURATION, path):
        try:
            path.lstat()
        except (FileNotFoundError, NotADirectoryError):
            return {}
        text = read_input(path, _CONFIGURATION).decode()
        settings = parse_toml(text)
    for key, value in settings.items():
        where = f"{path}, line {_line_of(key, text)}"
        if key not in _SETTINGS:
            raise UsageError(
                f"{where}: there is no setting {key!r}. There is: {', '.join(_SETTINGS)}."
            )
        if not isinstance(value, str) or not value:
            raise UsageError(f'{where}: {key} must be a name, as "sface". Received: {value!r}')
        if value.endswith(_FILES):
            settings[key] = str(path.parent / Path(value).expanduser())
    return settings


def _line_of(key: str, text: str) -> int:
    """Returns the line number, from 1, of a top-level setting or table in the TOML text.

    A name that is written with escapes is not found, and counts as one of the first line.
    """
    pattern = re.compile(rf"""[\s\["']*{re.escape(key)}\b""")
    lines = enumerate(text.splitlines(), 1)
    return next((number for number, line in lines if pattern.match(line)), 1)
