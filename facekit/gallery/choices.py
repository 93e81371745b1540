"""Closed sets of choices.  No dependency at all, so that help pages stay fast."""

from enum import Enum


class PersonRule(str, Enum):
    """How a person with several templates is compared."""

    BEST = "best"
    """by the template that is most alike"""
    MEAN = "mean"
    """by the mean of the templates, of unit length again"""


class VectorType(str, Enum):
    """How a template's numbers are stored."""

    FLOAT32 = "float32"
    FLOAT16 = "float16"
    """half the size; similarities change by less than 1e-3"""


class ClusterMethod(str, Enum):
    """How faces are grouped."""

    AGGLOMERATIVE = "agglomerative"
    """groups are joined while their mean similarity is at or above the threshold"""
    HDBSCAN = "hdbscan"
    """dense regions of at least two faces, without a threshold"""
