"""facekit: are these two photos of the same person?"""

from facekit.version import __version__

__all__ = ["__version__"]
