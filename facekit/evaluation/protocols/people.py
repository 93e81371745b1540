"""Chooses pairs for the user's own photos, a folder per person, without a published list."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import numpy as np

from facekit.errors import InputError
from facekit.evaluation.protocols.pairs import Pair, PairList, Photo
from facekit.photo.sources import people_of_any_layout

NAME = "all people"

_PARTNERS = 3  # a genuine pair is a photo and one of the next three of the person
_ROUNDS = 20  # in each round every photo meets one other; few people allow few impostor pairs


def pairs_of_people(folder: Path) -> PairList:
    """Returns one fold of pairs of the photos in `folder`; see `people_of_any_layout`.

    The genuine pairs combine each photo with the next three photos of the same person.  There are
    as many random impostor pairs, or more if a photo would otherwise be in no pair.  The pairs of a
    folder are the same in every run.  Raises InputError if the folder contains photos of fewer than
    two people, or if nobody has two photos.
    """
    people = people_of_any_layout(folder)
    photos = [
        Photo(path.relative_to(folder).as_posix(), person.name)
        for person in people
        for path in person.photos
    ]
    genuine = [
        (photos[first], photos[second])
        for first in range(len(photos))
        for second in range(first + 1, min(first + 1 + _PARTNERS, len(photos)))
        if photos[first].person == photos[second].person
    ]
    if not genuine or len(people) < 2:
        raise InputError(
            f"{folder}: two people, and two photos of one of them, are needed for pairs. Received: "
            f"{len(photos)} photos of {len(people)} people."
        )
    paired = {photo for pair in genuine for photo in pair}
    alone = {index for index, photo in enumerate(photos) if photo not in paired}
    drawn = _strangers(photos, alone, wanted=len(genuine))
    pairs = [Pair(a, b, True, line) for line, (a, b) in enumerate(genuine, 1)]
    pairs += [Pair(a, b, False, line) for line, (a, b) in enumerate(drawn, len(pairs) + 1)]
    names = os.fsencode("\n".join(photo.path for photo in photos))
    return PairList(NAME, (tuple(pairs),), hashlib.md5(names, usedforsecurity=False).hexdigest())


def _strangers(photos: list[Photo], alone: set[int], *, wanted: int) -> list[tuple[Photo, Photo]]:
    """Returns distinct pairs of photos of two people.

    There are `wanted` pairs if the photos allow so many.  `alone` contains indices of photos that
    must each be in a pair; the function empties it.
    """
    random = np.random.default_rng(0)
    pairs: dict[tuple[int, int], None] = {}
    for _ in range(_ROUNDS):
        order = random.permutation(len(photos)).tolist()
        for a, b in zip(order, [*order[1:], order[0]], strict=True):
            needed = len(pairs) < wanted or a in alone
            if needed and photos[a].person != photos[b].person:
                pairs.setdefault((min(a, b), max(a, b)))
                alone -= {a, b}
        if len(pairs) >= wanted and not alone:
            break
    for a in sorted(alone):  # possible unless all but one photo are of one person
        b = next(b for b, other in enumerate(photos) if other.person != photos[a].person)
        pairs.setdefault((min(a, b), max(a, b)))
    return [(photos[a], photos[b]) for a, b in sorted(pairs)]
