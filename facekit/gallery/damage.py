"""What is said of a gallery whose content is damaged, in a file or on a server."""

from __future__ import annotations

from facekit.errors import StorageError

DAMAGE = (ValueError, TypeError, ArithmeticError, LookupError, RecursionError)
"""What reading damaged content raises."""

CHECK = "facekit gallery check says more."


def damaged(where: str, error: Exception) -> StorageError:
    """Returns the error of content that could not be read."""
    reason = str(error).rstrip(".") or type(error).__name__
    return StorageError(f"{where} is damaged: {reason}. {CHECK}")


def changed_name(where: str, name: object) -> StorageError:
    """Returns the error of a name that differs from its checksum."""
    return StorageError(
        f"{where} is damaged: the name {name!r} was changed or moved. Restore a copy, or enroll "
        "the person again."
    )


def changed_space(where: str, what: str) -> StorageError:
    """Returns the error of a template space, or its mean embedding, that was changed."""
    return StorageError(f"{where} is damaged: its {what} was changed. Restore a copy.")


def too_old(where: str, version: int) -> StorageError:
    """Returns the error of a gallery that an early facekit made."""
    return StorageError(
        f"{where} has schema version {version}, whose templates lack what is checked today: "
        "checksums, detector and mean embedding. Enroll the photos again, into another --gallery."
    )
