"""Templates of people who do not exist: random unit vectors, several alike for each person."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import numpy as np

from facekit.enums import CropRule, Flip, ResizeFilter
from facekit.gallery.records import Template
from facekit.template.space import TemplateSpace
from facekit.types import CropSpec, DetectorIdentity, Float32Array

SIZE = 64
SPACE = TemplateSpace(
    model="made-up:float32",
    model_sha256="ab" * 32,
    detector=DetectorIdentity("mtcnn", ("ef" * 32,)),
    crop=CropSpec(CropRule.MARGIN, 32.0, ResizeFilter.BILINEAR),
    flip=Flip.NONE,
    mean_sha256="",
    size=SIZE,
)
OTHER_MODEL = replace(SPACE, model="made-up:int8", model_sha256="cd" * 32)
_SPREAD = 0.08  # of each coordinate about the person's center: cosine 0.8 or so


def face_of(person: int, photo: int = 0, *, size: int = SIZE) -> Float32Array:
    """(size,) of unit length; the same for the same numbers."""
    center = np.random.default_rng(person).standard_normal(size)
    noise = np.random.default_rng((person, photo)).standard_normal(size)
    vector = center / np.linalg.norm(center) + _SPREAD * noise * 8 / np.sqrt(size)
    return np.asarray(vector / np.linalg.norm(vector), np.float32)


def template(person: int, photo: int = 0, *, size: int = SIZE) -> Template:
    name = f"{person}_{photo}.jpg"
    return Template(
        photo=name,
        photo_sha256=hashlib.sha256(name.encode()).hexdigest(),
        box_xyxy=(1.0, 2.0, 30.5, 40.25),
        score=0.99,
        enrolled_at="2026-01-02T03:04:05+00:00",
        vector=face_of(person, photo, size=size),
    )


def templates(person: int, count: int = 3) -> list[Template]:
    return [template(person, photo) for photo in range(count)]
