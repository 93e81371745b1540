"""The limits above which a photo is refused before it is decoded.

Three costs are bounded by the one number `max_pixels`, so that whoever lowers it, lowers all:
pixels, memory, and the time that a JPEG of many scans takes.  benchmarks/decoding.py measures
memory and time of every format.
"""

from __future__ import annotations

from dataclasses import dataclass

from facekit.errors import ImageTooLargeError
from facekit.photo.header import Header

_MOST_BYTES_PER_PIXEL = 12
_MOST_SCANS = 20


@dataclass(frozen=True, slots=True)
class ImageLimits:
    """Limits above which a photo is refused before it is decoded."""

    max_pixels: int = 100_000_000
    """Largest width x height."""
    max_bytes: int = 256_000_000
    """Largest size of the encoded file."""

    def __post_init__(self) -> None:
        if self.max_pixels < 1 or self.max_bytes < 1:
            raise ValueError(f"Limits must be positive. Received: {self}")

    @property
    def max_decoding_bytes(self) -> int:
        """Most memory that decoding a photo may take, beside the encoded file: 12 bytes for each of
        `max_pixels`.  A decoded pixel takes 3 bytes; decoding takes 4 to 16, which depends on the
        format and its depth."""
        return _MOST_BYTES_PER_PIXEL * self.max_pixels

    @property
    def max_scanned_pixels(self) -> int:
        """Most pixels that the scans of a JPEG may pass over: 20 times `max_pixels`.

        A progressive JPEG has 6 to 18 scans, each of which passes over all pixels, and may have
        thousands.  A scan in arithmetic code counts 72 times for each of its components, as it may
        take so much longer.
        """
        return _MOST_SCANS * self.max_pixels


DEFAULT_LIMITS = ImageLimits()


def require_pixels(width_px: int, height_px: int, shown: str, limits: ImageLimits) -> None:
    """Raises ImageTooLargeError for more than `max_pixels`; `shown` is the photo's name."""
    if width_px * height_px > limits.max_pixels:
        raise ImageTooLargeError(
            f"Cannot read {shown}: its {width_px} x {height_px} pixels are over the limit of "
            f"{limits.max_pixels / 1e6:g} megapixels. Make it smaller, or raise the limit."
        )


def require_within(header: Header, shown: str, limits: ImageLimits) -> None:
    """Raises ImageTooLargeError if decoding the photo would exceed a limit."""
    require_pixels(header.width_px, header.height_px, shown, limits)
    needed_bytes = header.width_px * header.height_px * header.peak_bytes_per_pixel
    if needed_bytes > limits.max_decoding_bytes:
        raise ImageTooLargeError(
            f"Cannot read {shown}: decoding its {header.width_px} x {header.height_px} pixels of "
            f"this kind of {header.format.value} takes {needed_bytes / 1e6:,.0f} MB; the limit is "
            f"{limits.max_decoding_bytes / 1e6:,g} MB. Make it smaller, or raise the limit on "
            "megapixels."
        )
    if header.scanned_pixels > limits.max_scanned_pixels:
        raise ImageTooLargeError(
            f"Cannot read {shown}: its JPEG scans pass over {header.scanned_pixels / 1e6:,.0f} "
            f"megapixels; the limit is {limits.max_scanned_pixels / 1e6:,g}. Save it anew as a "
            "baseline JPEG, or raise the limit on megapixels."
        )
