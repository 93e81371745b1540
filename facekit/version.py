"""The one place where the versions of facekit and of its output stand."""

__version__ = "0.2.0"

SCHEMA_VERSION = 1
"""Of every JSON result; raised when a member changes its meaning or goes away."""
