"""Where packages come from, the man pages of a wheel, and a source archive that is always the same.

configs/, scripts/imx/ and docs/schemas/ stand outside of facekit/ and are installed within it.
"""

import gzip
import os
import sys
import tarfile
from pathlib import Path
from typing import Any

from setuptools import find_packages, setup
from setuptools.command.sdist import sdist

from distutils.command.install_data import install_data  # isort: skip  # setuptools brings it

ELSEWHERE = {
    "facekit.configs": "configs",
    "facekit.board.scripts": "scripts/imx",
    "facekit.schemas": "docs/schemas",
}
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


class ReproducibleArchive(sdist):
    """Packs the source archive without the owners, times and mask of this machine.

    Only if SOURCE_DATE_EPOCH is set, which setuptools heeds in wheels alone.
    """

    def make_archive(self, base_name: str, format: str, *arguments: Any, **options: Any) -> str:
        if "SOURCE_DATE_EPOCH" not in os.environ or format != "gztar":
            return super().make_archive(base_name, format, *arguments, **options)
        time = int(os.environ["SOURCE_DATE_EPOCH"])

        def same_everywhere(member: tarfile.TarInfo) -> tarfile.TarInfo:
            member.uid, member.gid, member.uname, member.gname = 0, 0, "", ""
            member.mtime = time
            member.mode = 0o755 if member.mode & 0o100 else 0o644
            return member

        with (
            open(f"{base_name}.tar.gz", "wb") as file,
            gzip.GzipFile("", "wb", fileobj=file, mtime=time) as compressed,
            tarfile.open(fileobj=compressed, mode="w", format=tarfile.PAX_FORMAT) as tar,
        ):
            tar.add(options["base_dir"], filter=same_everywhere)
        return file.name


setup(
    packages=[*find_packages(include=["facekit*"]), *ELSEWHERE],
    package_dir=ELSEWHERE,
    data_files=[("share/man/man1", [])],  # filled while it is installed
    cmdclass={"install_data": InstallManPages, "sdist": ReproducibleArchive},
)
