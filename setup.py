"""Where packages come from, and the man pages that are made while a wheel is built.

configs/ and scripts/imx/ stand at the top of the repository and are installed within facekit.
"""

import sys
from pathlib import Path

from setuptools import find_packages, setup

from distutils.command.install_data import install_data  # isort: skip  # setuptools brings it

HERE = Path(__file__).resolve().parent


class InstallManPages(install_data):
    """Writes the man pages from the commands themselves, into share/man/man1 of the wheel."""

    def run(self) -> None:
        sys.path.insert(0, str(HERE))
        from click import Context

        from facekit.cli import cli
        from facekit.cli.manual import man_pages

        folder = Path(self.get_finalized_command("build").build_temp) / "man1"
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in man_pages(Context(cli, info_name="facekit")).items():
            (folder / name).write_bytes(content)
        self.data_files = [("share/man/man1", sorted(map(str, folder.iterdir())))]
        super().run()


setup(
    packages=[*find_packages(include=["facekit*"]), "facekit.configs", "facekit.board.scripts"],
    package_dir={"facekit.configs": "configs", "facekit.board.scripts": "scripts/imx"},
    data_files=[("share/man/man1", [])],  # filled while it is installed
    cmdclass={"install_data": InstallManPages},
)
