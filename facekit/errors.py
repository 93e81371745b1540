"""All errors that facekit raises on purpose, and their exit codes.

    FacekitError
    |-- UsageError                    2   an option or argument that is not valid
    |   `-- NoOperatingPointError     2   the model has no threshold for what was asked
    |-- FaceError                     3
    |   |-- NoFaceError               3   no face in a picture that needs one
    |   |-- AmbiguousFaceError        3   several faces where `--face error` allows one
    |   |-- LowQualityError           3   a face is too poor for what was asked
    |   `-- PresentationAttackError   3   a face is not classified as bona fide
    |-- InputError                    4
    |   |-- ImageError                4   not a picture, damaged, or unreadable
    |   |   `-- ImageTooLargeError    4   over the limit on bytes or pixels
    |   |-- EmbeddingFileError        4   not an embedding file of ours, or damaged
    |   `-- PairListError             4   a line of a pair list that cannot be read
    |-- ModelError                    5
    |   |-- ModelMissingError         5   not in the cache, and cannot be built here
    |   |-- ModelMismatchError        5   file and card, or two models, do not belong together
    |   |-- ModelBuildError           5   weights that do not fit the graph; self-test failed
    |   |-- FetchError                5   download failed, or the sha256 differs
    |   |-- MissingExtraError         5   an optional package is needed and not installed
    |   `-- PackageError              5   a package is missing, too old, or cannot be imported
    |-- AcceleratorError              6   delegate or runtime missing, it took no node, or is wrong
    |-- StorageError                  7   cannot write, lock or read what facekit keeps
    `-- ServiceError                  8   a service is away or busy, or has lost the request

Exit codes 0 (same, found) and 1 (different, not found) are results, not errors;
130 is Ctrl-C, 70 a mistake in facekit itself.  A message says what was needed, what was
received and what to do.
"""

from __future__ import annotations

from typing import Any, ClassVar

INTERRUPTED = 130  # what shells report for a process ended by Ctrl-C: 128 + SIGINT
READER_GONE = 141  # the same for SIGPIPE


class FacekitError(Exception):
    """Base of all errors; `exit_code` is the exit code of the command line."""

    exit_code: ClassVar[int] = 70  # EX_SOFTWARE of sysexits.h; see facekit/__main__.py

    def to_dict(self) -> dict[str, Any]:
        """Returns the error as the value of the JSON member "error"."""
        return {
            "error": {
                "type": type(self).__name__,
                "message": str(self),
                "exit_code": self.exit_code,
            }
        }


def mistake(error: BaseException) -> FacekitError:
    """Returns what is told of an error that no part of facekit has foreseen; exit code 70."""
    text = " ".join(f"{type(error).__name__}: {error}".split()).rstrip(":")
    return FacekitError(f"A mistake in facekit, which you may report: {text[:500]}")


def error_named(name: str, message: str) -> FacekitError:
    """Returns an error of the class called `name`, as read from a file.

    The class is InputError if no error class has this name.
    """
    kind = globals().get(name)
    is_ours = isinstance(kind, type) and issubclass(kind, FacekitError)
    made: FacekitError = InputError(message)
    if is_ours and kind is not MissingExtraError:  # whose constructor words the message itself
        made = kind(message)  # type: ignore[misc]  # a class, as checked above
    return made


class UsageError(FacekitError):
    exit_code = 2


class NoOperatingPointError(UsageError):
    pass


class FaceError(FacekitError):
    exit_code = 3


class NoFaceError(FaceError):
    pass


class AmbiguousFaceError(FaceError):
    pass


class LowQualityError(FaceError):
    """A face is too poor for what was asked."""


class PresentationAttackError(FaceError):
    """A face is classified as a presentation attack, or cannot be classified, where it must be."""


class AmbiguousPersonError(FaceError):
    pass


class InputError(FacekitError):
    exit_code = 4


class ImageError(InputError):
    pass


class ImageTooLargeError(ImageError):
    pass


class EmbeddingFileError(InputError):
    pass


class PairListError(InputError):
    pass


class ModelError(FacekitError):
    exit_code = 5


class ModelMissingError(ModelError):
    pass


class ModelMismatchError(ModelError):
    pass


class ModelBuildError(ModelError):
    pass


class FetchError(ModelError):
    pass


class MissingExtraError(ModelError):
    """An optional package is not installed."""

    def __init__(self, package: str, *, extra: str, needed_for: str) -> None:
        wanted = f"'facekit-cli[{extra}]'" if extra else package
        super().__init__(
            f"{needed_for} needs the package {package}, which is not installed. "
            f"Install it with: python -m pip install {wanted}"
        )
        self.package = package
        self.extra = extra


class PackageError(ModelError):
    """A package that facekit itself needs is missing, too old, or cannot be imported."""


class AcceleratorError(FacekitError):
    exit_code = 6


class StorageError(FacekitError):
    exit_code = 7


class ServiceError(FacekitError):
    exit_code = 8
