"""configs/ and scripts/imx/ stand at the top of the repository and are installed within facekit."""

from setuptools import find_packages, setup

setup(
    packages=[*find_packages(include=["facekit*"]), "facekit.configs", "facekit.board.scripts"],
    package_dir={"facekit.configs": "configs", "facekit.board.scripts": "scripts/imx"},
)
