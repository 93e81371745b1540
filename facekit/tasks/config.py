"""Lists and shows the recipes, targets and configurations that ship with facekit."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from facekit.enums import ConfigKind
from facekit.errors import UsageError
from facekit.system.configs import CONFIGS
from facekit.system.files import require_free, write_atomically

USED_BY = {
    ConfigKind.RECIPES: "quantize --recipe",
    ConfigKind.TARGETS: "compile --target, convert --vela",
    ConfigKind.TRAIN: "train --config",
    ConfigKind.EVAL_LFW: "eval-lfw --config",
    ConfigKind.BENCHMARK: "benchmark --config",
}
"""The options that accept a name of each kind, or the path of another file."""


@dataclass(frozen=True, slots=True)
class ShippedConfig:
    """A recipe, target or configuration that ships as a file."""

    kind: ConfigKind
    path: Path

    @property
    def name(self) -> str:
        return self.path.stem

    @property
    def full_name(self) -> str:
        """Kind and name, e.g. "recipes/static_wi8_ai8"; unique."""
        return f"{self.kind.value}/{self.name}"

    @property
    def text(self) -> str:
        return self.path.read_text(encoding="utf-8")

    @property
    def title(self) -> str:
        """The title of a recipe, or the first sentence of the comment in a TOML file."""
        if self.path.suffix == ".json":
            return str(json.loads(self.text)["title"])
        lines = [line.removeprefix("#").strip() for line in self.text.splitlines()]
        paragraph = " ".join(lines[: lines.index("")])
        return re.split(r":? *`|\.(?: |$)", paragraph, maxsplit=1)[0]

    def to_dict(self) -> dict[str, Any]:
        return {
            "kind": self.kind.value,
            "name": self.name,
            "title": self.title,
            "used_by": USED_BY[self.kind],
        }


@dataclass(frozen=True, slots=True)
class ConfigList:
    """All files that ship."""

    configs: tuple[ShippedConfig, ...]

    def to_dict(self) -> dict[str, Any]:
        return {"configs": [config.to_dict() for config in self.configs]}


@dataclass(frozen=True, slots=True)
class ShownConfig:
    """A recipe, target or configuration, and the file to which a copy was written."""

    config: ShippedConfig
    output: Path | None = None

    def to_dict(self) -> dict[str, Any]:
        return {
            **self.config.to_dict(),
            "text": self.config.text,
            "output": self.output and str(self.output),
        }


def list_configs() -> ConfigList:
    """Returns everything in configs/, by kind and name."""
    return ConfigList(
        tuple(
            ShippedConfig(kind, path)
            for kind in USED_BY
            for path in sorted((CONFIGS / kind.value).iterdir())
        )
    )


def show_config(name: str, *, output: Path | None = None, force: bool = False) -> ShownConfig:
    """Returns the recipe, target or configuration `name`, or KIND/NAME if two kinds have the name.

    `output`: a file for a copy, which can be edited and then used instead of the name; `force`:
    replace an existing file.
    Raises UsageError for an unknown name, a name of two kinds, a suffix that differs from the
    original file's, or an existing file, and StorageError if the copy cannot be written.
    """
    shipped = list_configs().configs
    found = [one for one in shipped if name in (one.name, one.full_name)]
    if len(found) != 1:
        known = ", ".join(one.full_name for one in found or shipped)
        said = f"{name} is of several kinds" if found else f"Nothing is called {name!r}"
        raise UsageError(f"{said}. Pass one of these: {known}")
    (config,) = found
    if output is not None:
        if output.suffix != config.path.suffix:
            raise UsageError(f"-o must end in {config.path.suffix}. Received: {output}")
        require_free(output, force=force)
        write_atomically(output, config.path.read_bytes())
    return ShownConfig(config, output)
