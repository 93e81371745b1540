"""Templates as int8, and how far a similarity computed from them can be off.

A vector t is kept as a scale and int8 codes, t = scale * codes + r.  With a query q = q' + d coded
in the same way,

    |q.t - q'.t'|  =  |q.r + d.t'|  <=  |q| |r| + |d| |t'|      (Cauchy-Schwarz)

so that whoever is not within twice this bound of the best cannot be the best: exact search reads
a quarter of the bytes, and computes the rest only for those few.  The products of codes are
summed as integers, without rounding, by numkong's SIMD kernels (extra `ann`).
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facekit.errors import MissingExtraError
from facekit.system.extras import require
from facekit.types import Float32Array

_HIGHEST_CODE = 127
_LONGEST = 1.001  # what a template's length may be: see records.Template
_BLOCK_ROWS = 65_536
_ROWS_FOR_THREADS = 50_000
"""below, starting threads takes longer than the work"""


@dataclass(frozen=True, slots=True, eq=False)
class CodeTable:
    """(N, D) vectors of unit length, coded row by row."""

    codes: NDArray[np.int8]
    """(N, D), -127..127; may be mapped from a file"""
    scales: Float32Array
    """(N,): a vector is about its scale times its codes"""
    error: float
    """largest |vector - scale * codes| of any row"""


def encoded(vectors: Float32Array) -> CodeTable:
    """(N, D) -> codes; each row's largest number becomes 127 or -127."""
    codes = np.empty(vectors.shape, np.int8)
    scales = np.empty(len(vectors), np.float32)
    error = 0.0
    for start in range(0, len(vectors), _BLOCK_ROWS):
        rows = slice(start, start + _BLOCK_ROWS)
        block = vectors[rows]
        scale = np.abs(block).max(axis=1, initial=0.0) / np.float32(_HIGHEST_CODE)
        scale[scale == 0] = 1.0  # a row of zeros, which has no length either
        scales[rows] = scale
        codes[rows] = np.rint(block / scale[:, None])
        left = block - scale[:, None] * codes[rows]
        error = max(error, float(np.sqrt(np.einsum("nd,nd->n", left, left).max(initial=0.0))))
    return CodeTable(codes, scales, error)


def kernels() -> Any | None:
    """numkong; None where it is not installed, and every product is one of float32."""
    try:
        return require("numkong", extra="ann", needed_for="Search by int8 codes")
    except MissingExtraError:
        return None


def coded_scores(numkong: Any, query: Float32Array, table: CodeTable) -> tuple[Float32Array, float]:
    """(D,) -> (N,) similarities, and by how much any of them can differ from the float32 one."""
    asked = encoded(query[None])
    threads = _threads() if len(table.codes) >= _ROWS_FOR_THREADS else 1
    dots = np.asarray(numkong.cdist(asked.codes, table.codes, metric="dot", threads=threads))[0]
    scores = dots.astype(np.float32)  # below 2^24 for D <= 1040: no rounding
    scores *= table.scales * asked.scales[0]
    length = float(np.linalg.norm(query))
    bound = length * table.error + asked.error * (_LONGEST + table.error)
    # What float32 sums of D products can be off, |q| = |t| = 1, here and in the float32 product.
    return scores, bound + len(query) * 2.0**-23


def _threads() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1
