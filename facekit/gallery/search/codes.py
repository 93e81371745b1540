"""Stores templates as int8, with a bound on the error of a similarity computed from them.

A vector t is approximated by t' = scale * codes, with int8 codes; r = t - t' is the residual.  A
query q is coded in the same way, with the approximation q' and the residual d = q - q'.  Therefore

    |q.t - q'.t'|  =  |q.r + d.t'|  <=  |q| |r| + |d| |t'|      (Cauchy-Schwarz)

A template whose coded similarity is lower than the best one by more than twice this bound cannot be
the most similar.  Exact search therefore reads a quarter of the bytes, and computes the float32
similarity of the few remaining templates only.  The products of codes are summed as integers,
without rounding, by numkong's SIMD kernels (extra `ann`).
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
_LONGEST = 1.001  # maximum length of a template vector: see records.Template
_BLOCK_ROWS = 65_536
_ROWS_FOR_THREADS = 50_000
"""Number of table rows below which starting threads takes longer than computing the products."""


@dataclass(frozen=True, slots=True, eq=False)
class CodeTable:
    """(N, D) vectors of unit length as int8 codes with one scale per row."""

    codes: NDArray[np.int8]
    """(N, D), -127..127; may be mapped from a file."""
    scales: Float32Array
    """(N,); a vector is approximately its scale times its codes."""
    error: float
    """Maximum over the rows of the L2 norm of the residual, |vector - scale * codes|."""


def encoded(vectors: Float32Array) -> CodeTable:
    """Codes (N, D) float32 vectors; the largest absolute value of each row becomes 127 or -127."""
    codes = np.empty(vectors.shape, np.int8)
    scales = np.empty(len(vectors), np.float32)
    error = 0.0
    for start in range(0, len(vectors), _BLOCK_ROWS):
        rows = slice(start, start + _BLOCK_ROWS)
        block = vectors[rows]
        scale = np.abs(block).max(axis=1, initial=0.0) / np.float32(_HIGHEST_CODE)
        scale[scale == 0] = 1.0  # avoids 0 / 0 for a row of zeros
        scales[rows] = scale
        codes[rows] = np.rint(block / scale[:, None])
        left = block - scale[:, None] * codes[rows]
        error = max(error, float(np.sqrt(np.einsum("nd,nd->n", left, left).max(initial=0.0))))
    return CodeTable(codes, scales, error)


def kernels() -> Any | None:
    """Returns the module numkong, or None if it is not installed.

    Without numkong, the callers compute all similarities in float32.
    """
    try:
        return require("numkong", extra="ann", needed_for="Search by int8 codes")
    except MissingExtraError:
        return None


def coded_scores(numkong: Any, query: Float32Array, table: CodeTable) -> tuple[Float32Array, float]:
    """Returns the (N,) similarities to a query (D,), and an upper bound on the error of each.

    The query must be float32 of about unit length, because the bound on rounding assumes it.
    """
    asked = encoded(query[None])
    threads = _threads() if len(table.codes) >= _ROWS_FOR_THREADS else 1
    dots = np.asarray(numkong.cdist(asked.codes, table.codes, metric="dot", threads=threads))[0]
    scores = dots.astype(np.float32)  # exact: below 2^24 for D <= 1040
    scores *= table.scales * asked.scales[0]
    length = float(np.linalg.norm(query))
    bound = length * table.error + asked.error * (_LONGEST + table.error)
    # Adds a bound on the rounding error of float32 sums of D products of unit vectors, here and in
    # the exact search.
    return scores, bound + len(query) * 2.0**-23


def _threads() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1
