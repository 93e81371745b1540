"""`python -m facekit`."""

from facekit.cli import main

main()
