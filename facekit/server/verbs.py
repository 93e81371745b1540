"""What a client may ask, and which members a request of each kind has."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

MOST_PHOTOS = 100
"""Photos of one request: `compare` compares each with each."""
_THRESHOLD = ("metric", "threshold", "min_similarity", "fmr")
_SERVED = ("model", "detector")


class Verb(str, Enum):
    """What is asked."""

    PING = "ping"
    VERIFY = "verify"
    DETECT = "detect"
    QUALITY = "quality"
    EMBED = "embed"
    COMPARE = "compare"
    IDENTIFY = "identify"
    ENROLL = "enroll"
    REPRESENT = "represent"
    """`embed` as deepface has it."""
    PEOPLE = "people"
    SHOW = "show"
    RENAME = "rename"
    MERGE = "merge"
    UNMERGE = "unmerge"
    REMOVE = "remove"
    MODELS = "models"
    MODEL = "model"
    """The one that the service answers with."""


LINE_VERBS = tuple(Verb)[: tuple(Verb).index(Verb.REPRESENT)]
"""What a line may ask; the others are for HTTP alone."""
CHANGES = frozenset((Verb.ENROLL, Verb.RENAME, Verb.MERGE, Verb.UNMERGE, Verb.REMOVE))
"""What changes a gallery."""
MEMBERS: Mapping[Verb, tuple[str, ...]] = {
    Verb.PING: (),
    Verb.VERIFY: ("face", *_THRESHOLD, "min_quality", *_SERVED),
    Verb.DETECT: ("face",),
    Verb.QUALITY: ("face", "min_quality"),
    Verb.EMBED: ("face",),
    Verb.COMPARE: ("face",),
    Verb.IDENTIFY: ("face", *_THRESHOLD, "fpir", "min_margin", "by", "top"),
    Verb.ENROLL: ("face", "name", "quality"),
    Verb.REPRESENT: ("face", "max_faces", *_SERVED),
    Verb.PEOPLE: (),
    Verb.SHOW: ("name",),
    Verb.RENAME: ("old", "new"),
    Verb.MERGE: ("name", "other"),
    Verb.UNMERGE: ("name", "other"),
    Verb.REMOVE: ("name",),
    Verb.MODELS: (),
    Verb.MODEL: (),
}
"""The members that a request may have beside its photos and its `id`."""
NAMES = ("name", "old", "new", "other")
"""Members that are names of people; a verb that may have one must have it."""
PHOTO_COUNTS: Mapping[Verb, tuple[int, int]] = {
    Verb.VERIFY: (2, 2),
    **dict.fromkeys((Verb.DETECT, Verb.QUALITY, Verb.EMBED, Verb.REPRESENT), (1, 1)),
    **dict.fromkeys((Verb.COMPARE, Verb.IDENTIFY, Verb.ENROLL), (1, MOST_PHOTOS)),
}
"""The least and the largest number of photos; a verb that is not in it has none."""

PHOTO_MEMBERS: Mapping[Verb, tuple[str, ...]] = {
    Verb.VERIFY: ("img1", "img2"),
    Verb.DETECT: ("img",),
    Verb.QUALITY: ("img",),
    Verb.REPRESENT: ("img",),
    Verb.COMPARE: ("photos",),
    Verb.IDENTIFY: ("photos",),
    Verb.ENROLL: ("photos",),
}
"""The members that hold the photos; `photos` is a list, the others one photo each."""
READ_ROUTES: Mapping[str, Verb] = {
    "/models": Verb.MODELS,
    "/model": Verb.MODEL,
    "/people": Verb.PEOPLE,
    "/people/show": Verb.SHOW,
}
"""Paths for GET, whose members stand in the query."""
WORK_ROUTES: Mapping[str, Verb] = {
    **{f"/{verb.value}": verb for verb in PHOTO_MEMBERS},
    "/people/rename": Verb.RENAME,
    "/people/merge": Verb.MERGE,
    "/people/unmerge": Verb.UNMERGE,
    "/people/remove": Verb.REMOVE,
}
"""Paths for POST, whose members stand in the body."""
