"""What MkDocs calls: adds the pages that are made from the commands and from the package."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # `mkdocs build` leaves it out

COMMANDS = "reference/commands"
"""In mkdocs.yml's nav this stands for the pages of the commands"""


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Puts the pages of the commands into the navigation, under the headings of the help page."""
    from facekit.cli import cli

    pages: list[Any] = [
        {heading: [{name: f"{COMMANDS}/{name}.md"} for name in names]}
        for heading, names in cli.names_by_heading().items()
    ]
    assert config.nav is not None
    _replace(config.nav, pages)
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Makes the pages of the commands and of the Python names."""
    from mkdocs.structure.files import File

    from docs.api_page import api_page
    from docs.command_pages import command_pages

    made = {f"{COMMANDS}/{name}.md": page for name, page in command_pages().items()}
    made["reference/python.md"] = api_page()
    for path, page in made.items():
        files.append(File.generated(config, path, content=page))
    return files


def _replace(nav: list[Any], pages: list[Any]) -> None:
    for section in nav:
        for title, inner in section.items():
            if inner == COMMANDS:
                section[title] = pages
            elif isinstance(inner, list):
                _replace(inner, pages)
