"""Checksums of what a gallery stores: each names its owner, so that nothing can be exchanged.

A stored vector is bound to its gallery, person and photo, and a name to its gallery and person.
Neither a flipped bit nor a row that was moved can then make a stranger known.
"""

from __future__ import annotations

import hashlib

CHECKSUM_BYTES = 8  # BLAKE2b; an accident has the right one once in 2^64


def checksum(content: bytes, owner: bytes = b"") -> bytes:
    """Returns the checksum of stored content that belongs to `owner`, if it does not name it."""
    return hashlib.blake2b(content + owner, digest_size=CHECKSUM_BYTES).digest()


def vector_owner(gallery_id: str, person_id: int, photo_sha256: str) -> bytes:
    """Returns the bytes that a stored vector is bound to."""
    return f"{gallery_id} {person_id} {photo_sha256}".encode()


def owned_name(gallery_id: str, person_id: int, name: str) -> bytes:
    """Returns a name with its gallery and person, as it is sealed."""
    return f"{gallery_id} name {person_id} {name}".encode()


def owned_space(gallery_id: str, description: str) -> bytes:
    """Returns the description of the template space with its gallery, as it is sealed."""
    return f"{gallery_id} space {description}".encode()
