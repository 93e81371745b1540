"""Which detected face continues which track.

Place decides where it leaves no doubt; where two faces have met, or one comes back, likeness
decides, as place would swap people who cross.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from facekit.face.geometry import overlaps
from facekit.types import Float32Array

SAME_PLACE = 0.3
"""IoU from which a detection may be where a track is"""


def clear_pairs(
    tracks: Float32Array, settled: NDArray[np.bool_], faces: Float32Array
) -> list[tuple[int, int]]:
    """(T, 4), (T,), (F, 4) -> (track, face) where each overlaps the other and nobody else.

    `settled`: the track has not met another one since it was last sure.
    """
    near = overlaps(tracks, faces) >= SAME_PLACE
    alone = near & (near.sum(0) == 1)[None, :] & (near.sum(1) == 1)[:, None]
    return [(int(track), int(face)) for track, face in np.argwhere(alone & settled[:, None])]


def best_pairs(merits: Float32Array, *, least: float) -> list[tuple[int, int]]:
    """(T, F) -> (track, face) by falling merit, each used once, none below `least`."""
    pairs: list[tuple[int, int]] = []
    open_merits = merits.astype(np.float64)
    while open_merits.size and open_merits.max() >= least:
        track, face = np.unravel_index(int(open_merits.argmax()), open_merits.shape)
        pairs.append((int(track), int(face)))
        open_merits[track, :] = open_merits[:, face] = -np.inf
    return pairs
