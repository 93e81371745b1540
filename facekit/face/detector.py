"""What a face detector is to the rest of facekit, and how it states itself in a TemplateSpace.

Options do not stand there: changed alone, every option of the default detector moves templates as
far as moving the photo by one pixel does (mean cosine 0.98 to 1.00 in place of 0.987, and as many
decisions), while another crop rule moves them farther.  docs/gallery.md has the table.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Protocol

from facekit.types import DetectorIdentity, Face, UInt8Array


class Detector(Protocol):
    """Finds faces in pictures."""

    def detect(
        self, images: Sequence[UInt8Array], *, options: Any = None
    ) -> list[tuple[Face, ...]]:
        """RGB uint8 (H, W, 3) pictures of any sizes -> each one's faces, highest score first.

        `options`: of the detector's own kind; None for its defaults.
        """
        ...


def identity_of(name: str, weights_sha256: Iterable[str]) -> DetectorIdentity:
    """A detector by the name of its method and the source weights of each of its nets."""
    return DetectorIdentity(name, tuple(dict.fromkeys(weights_sha256)))
